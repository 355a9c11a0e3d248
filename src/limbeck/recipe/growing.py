"""A teacher that grows with the student (`teacher.peers`, `teacher.ema`), and what it does not go with."""

from collections.abc import Iterator
from typing import Any

from limbeck.recipe.model import Recipe, Teacher
from limbeck.recipe.problems import Problem

KEYS = ("peers", "ema")


def grows(teacher: object) -> bool:
    """Whether a `teacher` section, not yet judged, names one of the keys."""
    return isinstance(teacher, dict) and any(teacher.get(key) is not None for key in KEYS)


def filled(full: dict[str, Any]) -> None:
    """What is left out of a recipe whose teacher grows, in place.

    The papers' objective, the labels and the others' answers at temperature 1, each with weight 1; and no arm that
    learns a finished teacher's labels.
    """
    if not grows(full.get("teacher")):
        return
    if full.get("objective") is None:
        full["objective"] = [{"method": "hard-labels"}, {"method": "soft-targets", "temperature": 1.0}]
    if isinstance(full.get("verdict", {}), dict):
        full["verdict"] = {"arms": [], **full.get("verdict", {})}


def problems(recipe: Recipe) -> Iterator[Problem]:
    """Contradictions; none for a recipe whose teacher is another."""
    named = [key for key in KEYS if getattr(recipe.teacher, key) is not None]
    if not named:
        return
    if len(named) == 2:
        yield Problem(("teacher",), "got both peers and ema; name one: students teach one another, or the average does")
    who = f"teacher.{named[0]}"
    yield from _other_teachers(recipe.teacher, who)
    yield from _guide(recipe, who)
    if recipe.lineage is not None:
        yield Problem(("lineage",), f"each link needs a finished teacher, and {who} has none; remove one of both")
    if recipe.stages:
        yield Problem(("stages",), f"{who} learns in one stage, with the student; remove them")
    if recipe.verdict.arms:
        text = f"teacher-labels needs a teacher that was there before, and {who} has none; write arms: []"
        yield Problem(("verdict", "arms"), text)
    yield from _training(recipe, who)


def _other_teachers(teacher: Teacher, who: str) -> Iterator[Problem]:
    for key in sorted(teacher.model_fields_set - set(KEYS)):
        field = Teacher.model_fields[key]
        if getattr(teacher, key) != field.get_default(call_default_factory=True):
            yield Problem(
                ("teacher", field.alias or key), f"{who} is for those who have no teacher; remove one of both"
            )


def _guide(recipe: Recipe, who: str) -> Iterator[Problem]:
    """Nothing can be written down, or read."""
    guide = recipe.guide
    asked = {
        "from": guide.from_ is not None, "features": bool(guide.features), "any_view": guide.any_view,
        "use": guide.use == "always", "signal": guide.signal != "logits",
    }  # fmt: skip
    for key in (key for key, wanted in asked.items() if wanted):
        yield Problem(("guide", key), f"{who} has no study guide, for its answers change at every step; remove it")


def _training(recipe: Recipe, who: str) -> Iterator[Problem]:
    train, runtime = recipe.train, recipe.runtime
    if runtime.strategy == "fsdp":
        yield Problem(("runtime", "strategy"), f"{who} needs whole models in each process; use ddp")
    if train.balance:
        yield Problem(("train", "balance"), f"weighs terms at the first step, when {who} knows nothing yet; remove it")
    if recipe.teacher.peers is not None and train.compile:
        yield Problem(("train", "compile"), f"{who} trains several models at once, which are not compiled; remove it")
    if recipe.teacher.peers is not None and runtime.mixed_precision == "fp16":
        yield Problem(("runtime", "mixed_precision"), f"{who} has no loss scaler a peer; use bf16, or no")
    for number, term in enumerate(recipe.objective):
        if term.weight.kind == "auto":
            yield Problem(
                ("objective", number, "weight"),
                f"auto tries the teacher alone, and {who} knows nothing at first; give numbers to hard-labels and "
                "soft-targets",
            )
