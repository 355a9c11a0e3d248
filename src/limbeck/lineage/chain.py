"""A chain of distillations: born-again generations and teacher assistants. Each link is a whole run of its own.

Papers: Furlanello et al. 2018, Born-Again Neural Networks, arXiv 1805.04770; Mirzadeh et al. 2020, Improved Knowledge
Distillation via Teacher Assistant, arXiv 1902.03393.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from limbeck import pipeline
from limbeck import record as records
from limbeck.bundle.locate import STUDENT
from limbeck.core import processes
from limbeck.core.progress import Reporter
from limbeck.errors import RunFolderError
from limbeck.lineage import page
from limbeck.lineage import record as chains
from limbeck.lineage.judged import Link, called, generation, judged
from limbeck.lineage.record import Generation, Kind, Lineage
from limbeck.recipe.model import Recipe, Teacher
from limbeck.record import Record
from limbeck.runs.folder import check, is_run
from limbeck.runs.given import Given
from limbeck.runs.plan import Plan, plan
from limbeck.task import named

APART = 1000
"""Between the first seeds of two generations, so that each begins with weights of its own."""


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
        out: gets a folder a link (`1`, `2`, ...), `lineage.json` and `lineage.html`.
        reporter: shows progress.

    Returns:
        Folder and record of the link that is the result (the best on validation; of assistants the last), and the
        chain.

    Raises:
        InputError: a link cannot be run; those before it are kept.
        RunError: a run failed; the same call goes on.
    """
    if is_run(out):
        raise RunFolderError(f"{out} holds a single run; choose another --out for a lineage")
    if out.is_dir() and any(out.iterdir()) and not is_run(out / "1"):
        raise RunFolderError(f"{out} is not empty and not the folder of a lineage; choose another --out")
    kind: Kind = "assistants" if recipe.lineage is not None and recipe.lineage.via else "generations"
    chain, kept, done, stopped = links(recipe), list[Link](), list[Generation](), None
    for number, link in enumerate(chain):
        folder = out / str(number + 1)
        reporter.say(f"{called(kind, number + 1)} of {len(chain)}, in {folder}")
        made = _taught(link, given, out / str(number)) if number else plan(link, given)
        record = _finished(made, folder) or pipeline.run(made, folder, reporter)
        kept.append(Link(folder, record, _called(made.recipe), _teacher_called(made.recipe.teacher)))
        done.append(generation(kind, kept))
        if len(done) > 1 and _no_better(done, record) and _may_stop(recipe, number, chain):
            stopped = (
                f"generation {number + 1} is no better than generation {number} on validation "
                f"({done[-1].validation.value:.4f}, {done[-2].validation.value:.4f} before), so the chain ends"
            )
            reporter.say(stopped)
            break
    found = judged(
        kept, done, name=recipe.name, kind=kind, task=named(recipe.task), margin=recipe.verdict.margin, stopped=stopped
    )
    if processes.is_main():
        chains.write(found, out)
        page.write(out)
    processes.barrier()
    return kept[found.best].folder, kept[found.best].record, found


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


def _called(recipe: Recipe) -> str:
    student = recipe.student
    return _with_knobs(student.family or student.module or "given", student.settings)


def _teacher_called(teacher: Teacher) -> str:
    if teacher.ensemble is not None:
        return f"{len(teacher.ensemble)} teachers together"
    if teacher.train is not None:
        return _with_knobs(teacher.train.family, teacher.train.settings)
    return teacher.from_ or "given"


def _with_knobs(name: str, settings: Mapping[str, Any]) -> str:
    knobs = ", ".join(f"{key} {value}" for key, value in settings.items())
    return f"{name} ({knobs})" if knobs else name


def _no_better(done: list[Generation], record: Record) -> bool:
    ours, before = done[-1].validation.value, done[-2].validation.value
    return ours <= before if record.metric.higher_is_better else ours >= before
