"""A guide on its own: the teacher raised, then asked, by one process, several, or a cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limbeck.core.processes import take_device
from limbeck.core.progress import Reporter
from limbeck.core.storage import write_text
from limbeck.errors import InputError, RecipeError
from limbeck.guide.combine import Ensemble
from limbeck.guide.info import info
from limbeck.guide.manifest import Manifest
from limbeck.guide.plan import facts_of
from limbeck.guide.write import write_guide
from limbeck.runs.folder import is_run, one_at_a_time
from limbeck.runs.guided import check_place, signal_spec, views_needed
from limbeck.runs.plan import Plan, resolved_text
from limbeck.runs.teacher import raise_teacher, require_quality
from limbeck.teachers.crossfit import CrossFitted
from limbeck.teachers.live import LiveTeacher
from limbeck.teachers.turns import TakingTurns

TEACHER = ".teacher"
"""Folder inside a guide's, where the teacher that was trained for it lies."""


def write_labels(plan: Plan, out: Path, *, engine: str, workers: int, reporter: Reporter) -> dict[str, Any] | None:
    """Writes the plan's guide into `out`.

    Args:
        plan: checked.
        out: the guide's folder.
        engine: "local" (also under torchrun, which sets RANK and WORLD_SIZE) or "ray".
        workers: actors of the ray engine.
        reporter: shows progress.

    Returns:
        Facts of the finished guide; `None` while other ranks still write.

    Raises:
        RecipeError: several teachers have no answer in common.
    """
    take_device()
    home = out / TEACHER
    if plan.recipe.teacher.rule == "random":
        raise RecipeError(
            "teacher.rule: random asks one teacher a step, so there is no answer of all to write down; use rule: "
            "random-view, which asks one for each view of each example, or rule: probabilities"
        )
    check_place(plan, out)
    teacher = taught(plan, home, reporter)
    how = plan.recipe.guide
    work: dict[str, Any] = {
        "teacher": teacher,
        "facts": facts_of(teacher, licence=how.licence, origin=how.origin),
        "source": plan.splits.transfer,
        "views": plan.views,
        "count": views_needed(plan),
        "spec": signal_spec(plan.recipe),
        "device": plan.runtime.device,
        "reporter": reporter,
    }
    manifest: Manifest | None
    if engine == "ray":
        from limbeck.guide.cluster import write_on_ray

        manifest = write_on_ray(out, workers=workers, **work)
    elif engine == "local":
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        manifest = write_guide(out, rank=rank, world=world, **work)
    else:
        raise InputError(f"engine: got {engine!r}, expected local or ray")
    if manifest is None:
        return None
    write_text(home / "recipe.yaml", resolved_text(plan))  # for whoever verifies it
    return info(out)


def taught(plan: Plan, home: Path, reporter: Reporter) -> LiveTeacher | CrossFitted | TakingTurns:
    """The plan's teacher, found below `home` or trained there first; one process trains, the others wait for it."""
    with one_at_a_time(home), _alone():
        raised = raise_teacher(plan, plan.shop(home, reporter))
    if raised.live is None or raised.speaker is None:
        raise RecipeError("teacher: guide is a teacher that cannot be asked, so there is nothing to write down")
    minimum, batch_size = plan.recipe.teacher.min_quality, plan.recipe.train.batch_size
    require_quality(raised.live, plan.splits, plan.task, minimum, batch_size)
    return raised.live if isinstance(raised.speaker, Ensemble) else raised.speaker


@contextmanager
def _alone() -> Iterator[None]:
    """Hides from accelerate that torchrun started several: the one that trains would wait for the others for ever."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def recipe_of(guide: Path | str) -> Path | None:
    """The recipe that lies with a guide: `label` leaves it in the guide's folder, a run beside it."""
    home = home_of(guide)
    path = None if home is None else home / "recipe.yaml"
    return path if path is not None and path.is_file() else None


def home_of(guide: Path | str) -> Path | None:
    """Where the teacher of a guide lies: in the guide's folder, or in the run that the guide belongs to."""
    own, run = Path(guide) / TEACHER, Path(guide).parent
    if own.is_dir():
        return own
    return run if is_run(run) else None
