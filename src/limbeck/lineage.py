"""A chain of distillations: born-again generations and teacher assistants. Each link is a whole run of its own.

Papers: Furlanello et al. 2018, Born-Again Neural Networks, arXiv 1805.04770; Mirzadeh et al. 2020, Improved Knowledge
Distillation via Teacher Assistant, arXiv 1902.03393.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from limbeck import pipeline
from limbeck import record as records
from limbeck.bundle.locate import STUDENT
from limbeck.core import processes
from limbeck.core.progress import Reporter
from limbeck.core.storage import write_json
from limbeck.errors import RunFolderError
from limbeck.measuring.pooled import pooled
from limbeck.recipe.model import Recipe, Teacher
from limbeck.record import Outcome, Record
from limbeck.runs.folder import check, is_run
from limbeck.runs.given import Given
from limbeck.runs.plan import Plan, plan
from limbeck.studies.verdict import Contrast, contrast
from limbeck.task import Array, named

APART = 1000
"""Between the first seeds of two generations, so that each begins with weights of its own."""


class Generation(BaseModel):
    """One link of the chain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(description="of the run, relative to the lineage's")
    student: str
    validation: float = Field(description="the primary metric, mean over seeds")
    test: float = Field(description="likewise; reported, and nothing hangs on it")
    teacher_test: float | None = Field(description="the primary metric of this generation's own teacher")
    against_last: str | None = Field(description="in words: this generation against the one before, on test")
    against_last_outcome: Outcome | None = None
    against_baseline: str | None = Field(description="in words: this generation against the same student untaught")


class Lineage(BaseModel):
    """A finished chain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    name: str
    metric: str
    generations: list[Generation]
    best: int = Field(description="place in `generations` of the best on validation; 0-based")
    stopped: str | None = Field(description="why the chain ended early")
    ensemble_test: float | None = Field(description="the primary metric of all generations' shipped students together")


def links(recipe: Recipe) -> list[Recipe]:
    """The recipe of each run of the chain, in order; the teacher of all but the first is yet to be named.

    Args:
        recipe: with a `lineage`; without one it is its only link.
    """
    how = recipe.lineage
    if how is None:
        return [recipe]
    students = [*how.via, recipe.student] if how.via else [recipe.student] * how.generations
    first = recipe.seed if recipe.verdict.first_seed is None else recipe.verdict.first_seed
    made = []
    for number, student in enumerate(students):
        seed = (first + APART * number) % 2**32 if number else recipe.verdict.first_seed
        verdict = recipe.verdict.model_copy(update={"first_seed": seed})
        changes = {"student": student, "verdict": verdict, "lineage": None, "name": f"{recipe.name[:60]}-{number + 1}"}
        made.append(recipe.model_copy(update=changes))
    return made


def run(recipe: Recipe, given: Given, out: Path, reporter: Reporter) -> tuple[Path, Record, Lineage]:
    """Carries the chain out, or goes on where it was.

    Args:
        recipe: with a `lineage`.
        given: objects beside it; a teacher among them teaches the first generation.
        out: gets a folder a generation (`1`, `2`, ...) and `lineage.json`.
        reporter: shows progress.

    Returns:
        Folder and record of the generation that was best on validation, and the chain.

    Raises:
        InputError: a link cannot be run; those before it are kept.
        RunError: a run failed; the same call goes on.
    """
    if is_run(out):
        raise RunFolderError(f"{out} holds a single run; choose another --out for a lineage")
    if out.is_dir() and any(out.iterdir()) and not is_run(out / "1"):
        raise RunFolderError(f"{out} is not empty and not the folder of a lineage; choose another --out")
    chain, done, stopped = links(recipe), list[Generation](), None
    kept: list[Record] = []
    for number, link in enumerate(chain):
        folder = out / str(number + 1)
        reporter.say(f"generation {number + 1} of {len(chain)}, in {folder}")
        made = _taught(link, given, out / str(number)) if number else plan(link, given)
        kept.append(_finished(made, folder) or pipeline.run(made, folder, reporter))
        done.append(_generation(made, folder, kept, out))
        if len(done) > 1 and _no_better(done, kept[-1]) and _may_stop(recipe, number, chain):
            stopped = (
                f"generation {number + 1} is no better than generation {number} on validation "
                f"({done[-1].validation:.4f}, {done[-2].validation:.4f} before), so the chain ends"
            )
            reporter.say(stopped)
            break
    found = _lineage(recipe, done, kept, out, stopped)
    if processes.is_main():
        write_json(out / records.LINEAGE, found.model_dump(mode="json"))
    processes.barrier()
    return out / found.generations[found.best].folder, kept[found.best], found


def _taught(link: Recipe, given: Given, before: Path) -> Plan:
    """The plan of a link whose teacher is the student of the run in `before`.

    Once the teacher is open, the recipe names it from the link's own folder, so that the chain is the same wherever it
    lies: what the plan depends on is the teacher's weights, and a link's `recipe.yaml` finds them after a move.
    """
    taught = Teacher.model_validate({"from": str((before / STUDENT).absolute())})
    made = plan(link.model_copy(update={"teacher": taught}), replace(given, teacher=None))
    beside = taught.model_copy(update={"from_": f"../{before.name}/{STUDENT}"})
    return replace(made, recipe=made.recipe.model_copy(update={"teacher": beside}))


def _may_stop(recipe: Recipe, number: int, chain: list[Recipe]) -> bool:
    """Assistants lead somewhere: that chain is never cut."""
    how = recipe.lineage
    return how is not None and how.stop_early and not how.via and number < len(chain) - 1


def _finished(made: Plan, folder: Path) -> Record | None:
    """The record of a run of this plan that is done."""
    if not (is_run(folder) and (folder / "report.html").exists()):
        return None
    check(folder, recipe_fingerprint=made.fingerprint())
    return records.read(folder)


def _generation(made: Plan, folder: Path, kept: list[Record], out: Path) -> Generation:
    record, verdict = kept[-1], kept[-1].verdict
    against = _against_last(made, kept, out)
    teacher = _values(record, "teacher", "test")
    return Generation(
        folder=folder.name,
        student=_called(made.recipe),
        validation=fmean(_values(record, "student", "validation")),
        test=fmean(_values(record, "student", "test")),
        teacher_test=fmean(teacher) if teacher else None,
        against_last=None if against is None else against.sentence,
        against_last_outcome=None if against is None else against.outcome,
        against_baseline=None if verdict is None else verdict.sentence,
    )


def _values(record: Record, role: str, split: str) -> list[float]:
    """The primary metric of each of a run's models of one role."""
    return [model.quality[split][record.metric.name].value for model in record.models if model.role == role]


def _against_last(made: Plan, kept: list[Record], out: Path) -> Contrast | None:
    """The last generation against the one before, seed by seed; `None` for the first, or where no verdict is asked."""
    if len(kept) < 2 or kept[-2].verdict is None:
        return None
    metric, target = made.task.metric, _target(kept[-1], out / str(len(kept)))
    ours, theirs = (
        np.stack([made.task.scores(logits, target)[metric.name] for logits in _said(kept[n - 1], out / str(n))])
        for n in (len(kept), len(kept) - 1)
    )
    return contrast(
        ours, theirs, higher_is_better=metric.higher_is_better, margin=made.recipe.verdict.margin, metric=metric.name,
        percent=metric.percent, arm=f"generation {len(kept)}", against=f"generation {len(kept) - 1}",
    )  # fmt: skip


def _target(record: Record, folder: Path) -> Array:
    """Labels of test, as the run kept them."""
    target: Array = np.load(folder / record.files["test"].path)["target"]
    return target


def _called(recipe: Recipe) -> str:
    student = recipe.student
    knobs = ", ".join(f"{key} {value}" for key, value in student.settings.items())
    name = student.family or student.module or "given"
    return f"{name} ({knobs})" if knobs else name


def _said(record: Record, folder: Path) -> Iterator[Array]:
    """Logits on test of each of a run's students."""
    for model in record.models:
        if model.role == "student" and model.predictions is not None:
            yield np.load(folder / model.predictions.path)["logits"]


def _no_better(done: list[Generation], record: Record) -> bool:
    ours, before = done[-1].validation, done[-2].validation
    return ours <= before if record.metric.higher_is_better else ours >= before


def _lineage(recipe: Recipe, done: list[Generation], kept: list[Record], out: Path, stopped: str | None) -> Lineage:
    best: Callable[..., int] = max if kept[0].metric.higher_is_better else min
    how = recipe.lineage
    last = len(done) - 1
    place = last if how is not None and how.via else best(range(len(done)), key=lambda n: done[n].validation)
    return Lineage(
        name=recipe.name, metric=kept[0].metric.name, generations=done, best=place, stopped=stopped,
        ensemble_test=_together(recipe, kept, out),
    )  # fmt: skip


def _together(recipe: Recipe, kept: list[Record], out: Path) -> float | None:
    """The shipped students of all generations, by the mean of their probabilities; they must be of one kind."""
    task = named(recipe.task)
    if len(kept) < 2 or not task.calibrated or (recipe.lineage is not None and recipe.lineage.via):
        return None
    target = _target(kept[0], out / "1")
    first = [next(_said(record, out / str(number + 1))) for number, record in enumerate(kept)]
    return float(np.mean(task.scores(pooled(first), target)[task.metric.name]))
