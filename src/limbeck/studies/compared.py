"""Arms of a study against one of them: each difference with its interval, all of them read together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from limbeck.studies.found import Found
from limbeck.studies.interval import LEVEL
from limbeck.studies.record import Comparison
from limbeck.studies.verdict import FEWEST_SEEDS, Contrast, contrast, holm, together
from limbeck.studies.words import listed

_SHARED = tuple(name for name in Comparison.model_fields if name not in ("arm", "against"))


def known(each: Comparison) -> Literal["better", "worse"] | None:
    """What is known of an arm after Holm's correction.

    Returns:
        "better" or "worse"; `None`: neither, or it may be chance among the comparisons.
    """
    if each.p_value_holm is not None and each.p_value_holm > LEVEL:
        return None
    if each.outcome.startswith("beats"):
        return "better"
    return "worse" if each.outcome.startswith("worse") else None


def as_good(each: Comparison, margin: float, *, higher_is_better: bool) -> bool:
    """Whether an arm is known to be no worse than the other by as much as a margin: the whole interval says so.

    Args:
        each: the comparison; fewer than three seeds show nothing.
        margin: above 0, in the metric's own unit, stated beforehand.
        higher_is_better: the metric's direction.
    """
    if each.ci95 is None or each.seeds < FEWEST_SEEDS:
        return False
    worst = each.ci95[0] if higher_is_better else -each.ci95[1]
    return worst > -margin


def counted(comparisons: Sequence[Comparison], other: str, noun: str) -> str:
    """Which arms are known to be better or worse than another, in one sentence.

    Args:
        comparisons: with that other one.
        other: how sentences call it.
        noun: what the arms are, in the plural.

    Example:
        >>> counted([], "no teacher", "teachers' students")
        "Of 0 teachers' students, none is known to be better or worse than no teacher."
    """
    better = [each.arm for each in comparisons if known(each) == "better"]
    worse = [each.arm for each in comparisons if known(each) == "worse"]
    if not better and not worse:
        return f"Of {len(comparisons)} {noun}, none is known to be better or worse than {other}."
    sides = [f"{side}: {listed(names)}" for side, names in (("better", better), ("worse", worse)) if names]
    return f"Of {len(comparisons)} {noun}, against {other}, known to be {'; '.join(sides)}."


def against(
    found: Found, arms: Sequence[str], other: str, *, about: Mapping[str, str] | None = None
) -> list[Comparison]:
    """Compares arms with another one on test, with Holm's correction over these comparisons.

    Args:
        found: what the models answered.
        arms: names of the arms, without `other`.
        other: whom they are compared with.
        about: how sentences call the arms, where not as the design does.

    Returns:
        One comparison an arm, in order.
    """
    return paired(found, [(arm, other) for arm in arms], about=about)


def paired(
    found: Found, pairs: Sequence[tuple[str, str]], *, about: Mapping[str, str] | None = None
) -> list[Comparison]:
    """Compares each arm with the other of its pair on test, with Holm's correction over all of these comparisons.

    Args:
        found: what the models answered.
        pairs: (arm, whom it is compared with).
        about: how sentences call the arms, where not as the design does.

    Returns:
        One comparison a pair, in order.
    """
    called = {member.name: member.about for member in found.design.members} | dict(about or {})
    task = found.plan.task
    contrasts = [
        contrast(
            found.scores(arm),
            found.scores(other),
            higher_is_better=task.metric.higher_is_better,
            margin=found.plan.recipe.verdict.margin,
            metric=task.metric.name,
            percent=task.metric.percent,
            arm=called[arm],
            against=called[other],
        )
        for arm, other in pairs
    ]
    return read_together(pairs, contrasts)


def read_together(pairs: Sequence[tuple[str, str]], contrasts: Sequence[Contrast]) -> list[Comparison]:
    """Holm's correction over these comparisons; a sentence says where it may be chance among them.

    Args:
        pairs: (arm, whom it is compared with).
        contrasts: what was found of each pair.

    Returns:
        One comparison a pair, in order.
    """
    tested = [each.p_value for each in contrasts if each.p_value is not None]
    adjusted = iter(holm(tested))
    made = []
    for (arm, other), each in zip(pairs, contrasts, strict=True):
        p_value = None if each.p_value is None else next(adjusted)
        sentence = each.sentence
        if p_value is not None and len(tested) > 1:
            sentence = together(sentence, each.outcome, p_value, len(tested))
        values = asdict(each) | {"p_value_holm": p_value, "sentence": sentence}
        made.append(Comparison(arm=arm, against=other, **{name: values[name] for name in _SHARED}))
    return made
