"""What methods are called elsewhere, in papers, toolkits and issues: for those who look one up under that name."""

from collections.abc import Mapping
from difflib import get_close_matches

from limbeck.objectives import METHODS

ALIASES: Mapping[str, tuple[str, ...]] = {
    "kd": ("soft-targets",),
    "hinton": ("soft-targets",),
    "vanilla-kd": ("soft-targets",),
    "kl": ("soft-targets",),
    "kl-div": ("soft-targets",),
    "kld": ("soft-targets",),
    "forward-kl": ("soft-targets",),
    "soft-labels": ("soft-targets",),
    "logit-standardization": ("soft-targets",),
    "ls": ("soft-targets",),
    "ce": ("hard-labels",),
    "cross-entropy": ("hard-labels",),
    "pseudo-labels": ("teacher-labels",),
    "hard-distillation": ("teacher-labels",),
    "rkd": ("rkd-distance", "rkd-angle"),
    "sp": ("similarity-preserving",),
    "spkd": ("similarity-preserving",),
    "cc": ("correlation-congruence",),
    "cckd": ("correlation-congruence",),
    "rkl": ("reverse-kl",),
    "rkld": ("reverse-kl",),
    "minillm": ("reverse-kl",),
    "js": ("jensen-shannon",),
    "jsd": ("jensen-shannon",),
    "gkd": ("jensen-shannon",),
    "skl": ("skew-kl",),
    "srkl": ("skew-kl",),
    "distillm": ("skew-kl",),
    "logit-matching": ("logit-mse",),
    "logits-mse": ("logit-mse",),
    "fitnet": ("hint",),
    "fitnets": ("hint",),
    "at": ("attention-transfer",),
    "cwd": ("channel-wise",),
    "mmd": ("nst",),
    "ab": ("activation-boundaries",),
    "dab": ("activation-boundaries",),
    "ft": ("factor-transfer",),
    "gift": ("fsp",),
    "patient-kd": ("pkd",),
    "bert-pkd": ("pkd",),
    "tinybert": ("tinybert-hidden",),
    "minilm": ("attention-relations",),
    "minilmv2": ("attention-relations",),
    "reviewkd": ("review",),
    "review-kd": ("review",),
    "ofa-kd": ("ofa",),
}
"""Another name, in lower case with hyphens -> methods here."""


def known_as(name: str) -> tuple[str, ...]:
    """Methods that are called so elsewhere; upper case, spaces and underscores do not matter.

    Example:
        >>> known_as("FitNets"), known_as("RKD"), known_as("hint")
        (('hint',), ('rkd-distance', 'rkd-angle'), ())
    """
    return ALIASES.get(name.strip().casefold().replace("_", "-").replace(" ", "-"), ())


def no_method(name: str) -> str:
    """What is said of a name that no method here has, wherever it was given: what was meant, as far as it shows.

    Example:
        >>> no_method("FitNets"), no_method("dkdd")
        ("there is no 'FitNets'; it is called hint here", "there is no 'dkdd'; did you mean dkd?")
        >>> no_method("xyzzy")
        "there is no 'xyzzy'; `limbeck methods` lists them"
    """
    meant = known_as(name)
    if meant:
        return f"there is no {name!r}; it is called {' and '.join(meant)} here"
    table = {each.replace("-", "_"): each for each in METHODS}
    asked = name.casefold().replace("-", "_")
    near = [each for key, each in table.items() if asked and asked in key]
    near = near or [table[key] for key in get_close_matches(asked, table, n=1)]
    return f"there is no {name!r}; " + (
        f"did you mean {' or '.join(near)}?" if near else "`limbeck methods` lists them"
    )


def also_called(method: str) -> tuple[str, ...]:
    """What a method is called elsewhere.

    Example:
        >>> also_called("hint")
        ('fitnet', 'fitnets')
    """
    return tuple(alias for alias, methods in ALIASES.items() if method in methods)
