"""What a chain came to: qualities with intervals, and each link against the one before and the first teacher."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.core.version import __version__
from limbeck.lineage.record import FIRST_TEACHER, TOGETHER, FirstTeacher, Generation, Kind, Lineage, Together
from limbeck.measuring.pooled import pooled
from limbeck.measuring.quality import estimate
from limbeck.record import Estimate, MetricRecord, ModelRecord, Record
from limbeck.reporting import numbers, roles
from limbeck.studies import cells
from limbeck.studies.compared import read_together
from limbeck.studies.found import Scores
from limbeck.studies.record import Comparison
from limbeck.studies.verdict import contrast
from limbeck.task import Array, Task

ONE_TEACHER = (
    "All students of a link were taught by one model, the first student of the link before (the seed that ships), and "
    "the luck of that one teacher is in none of the intervals: they cover the seeds of the students and the test "
    "examples. limbeck study born-again gives each seed a lineage of its own."
)
VALIDATION_CHOSE = (
    "Validation chose which link is kept and whether the chain went on; test is reported, and decides nothing."
)
POOLED = (
    "All together: the mean of the probabilities of one student of each link, once for each seed; asking it costs as "
    "much as asking all of them. It is compared with the link that is best on validation."
)
ASSISTANTS = "A chain of assistants is never cut short, and its result is its last link."


@dataclass(frozen=True, slots=True)
class Link:
    """A finished run of the chain.

    Attributes:
        folder: of the run.
        record: everything measured in it.
        student: family and settings, in words.
        teacher: likewise, of whom it was taught by.
    """

    folder: Path
    record: Record
    student: str
    teacher: str

    def said(self, role: str) -> list[Array]:
        """Logits on test of each of its models of one role, as they were kept."""
        models = (model for model in self.record.models if model.role == role)
        return [np.load(self.folder / m.predictions.path)["logits"] for m in models if m.predictions is not None]

    def target(self) -> Array:
        """Labels of test, as the run kept them."""
        target: Array = np.load(self.folder / self.record.files["test"].path)["target"]
        return target


def level(record: Record, role: str, split: str) -> Estimate | None:
    """The primary metric of a run's models of one role: their mean, with an interval over seeds and examples."""
    models = [model for model in record.models if model.role == role]
    found = roles.quality(models, split, record.metric.name)
    return roles.over_seeds(found, roles.possible(record.metric.name, record.metric))


def called(kind: Kind, number: int) -> str:
    """What sentences call the link of that place, counted from 1."""
    return f"{'generation' if kind == 'generations' else 'link'} {number}"


def _count(kind: Kind, number: int) -> str:
    return f"{number} {'generations' if kind == 'generations' else 'links'}"


def generation(kind: Kind, links: Sequence[Link]) -> Generation:
    """The last of these links, as the chain's record tells it."""
    link, number = links[-1], len(links)
    record, verdict = link.record, link.record.verdict
    validation, test = (level(record, "student", split) for split in ("validation", "test"))
    assert validation is not None, "a run measures its students"
    assert test is not None, "a run measures its students"
    teacher = level(record, "teacher", "test")
    return Generation(
        folder=link.folder.name,
        name=called(kind, number),
        student=link.student,
        taught_by=called(kind, number - 1) if number > 1 else FIRST_TEACHER,
        params=_first(record, "student").params,
        seeds=sum(model.role == "student" for model in record.models),
        validation=validation,
        test=test,
        teacher_test=None if teacher is None else teacher.value,
        against_baseline=None if verdict is None else verdict.sentence,
    )


def best_on_validation(done: Sequence[Generation], *, higher_is_better: bool) -> int:
    """Place of the link that is best on validation, the first of equals; 0-based."""
    best: Any = max if higher_is_better else min
    return int(best(range(len(done)), key=lambda place: done[place].validation.value))


def judged(
    links: Sequence[Link],
    done: Sequence[Generation],
    *,
    name: str,
    kind: Kind,
    task: Task,
    margin: float,
    stopped: str | None,
) -> Lineage:
    """The record of a finished chain.

    Args:
        links: its finished runs, in order.
        done: what is told of each.
        name: of the recipe.
        kind: of chain.
        task: scores the answers.
        margin: differences within it do not matter.
        stopped: why it ended early.
    """
    first = links[0].record
    single = best_on_validation(done, higher_is_better=first.metric.higher_is_better)
    best = single if kind == "generations" else len(done) - 1
    scores = {each.name: _scores(task, link.said("student"), link) for each, link in zip(done, links, strict=True)}
    asked = links[0].said("teacher")
    if asked:
        scores[FIRST_TEACHER] = np.repeat(_scores(task, asked[:1], links[0]), done[0].seeds, axis=0)
    together = _together(task, links, done[single], scores) if len(done) > 1 and task.calibrated else None
    ensemble = None if together is None else (f"the ensemble of {_count(kind, len(done))}", together.best_single)
    comparisons = _compared(task, margin, done, scores, ensemble)
    why = VALIDATION_CHOSE if kind == "generations" else ASSISTANTS
    return Lineage(
        limbeck_version=__version__,
        created=links[-1].record.created,
        name=name,
        kind=kind,
        metric=first.metric,
        margin=margin,
        data=first.data,
        answer=[
            _outcome(kind, done, best, first.metric),
            *_of_the_result(comparisons, done[best].name),
            *([f"{stopped[0].upper()}{stopped[1:]}."] if stopped is not None else []),
        ],
        first_teacher=_first_teacher(links[0]),
        generations=list(done),
        best=best,
        stopped=stopped,
        together=together,
        comparisons=comparisons,
        notes=[ONE_TEACHER, why, *([POOLED] if together else [])],
    )


def _scores(task: Task, said: Sequence[Array], link: Link) -> Scores:
    """The primary metric of every test example, one row a model."""
    target = link.target()
    return np.stack([task.scores(logits, target)[task.metric.name] for logits in said])


def _together(task: Task, links: Sequence[Link], single: Generation, scores: dict[str, Scores]) -> Together:
    """All links asked as one, once a seed; their scores are put beside the others'."""
    said = zip(*(link.said("student") for link in links), strict=True)
    scores[TOGETHER] = found = _scores(task, [pooled(each) for each in said], links[0])
    first = links[0].record.metric
    value = roles.over_seeds([estimate(row) for row in found], roles.possible(first.name, first))
    assert value is not None, "there is a student"
    return Together(
        of=[link.folder.name for link in links], test=value, shipped_test=float(found[0].mean()),
        best_single=single.name,
    )  # fmt: skip


def _compared(
    task: Task, margin: float, done: Sequence[Generation], scores: dict[str, Scores], ensemble: tuple[str, str] | None
) -> list[Comparison]:
    """Each link against the one before, then against the first teacher; then the ensemble against the best one.

    Args:
        task: says which metric it is.
        margin: differences within it do not matter.
        done: the links.
        scores: of each, of the first teacher and of the ensemble, by name.
        ensemble: what sentences call it, and whom it is compared with; `None`: there is none.
    """
    names = [each.name for each in done]
    pairs = [(later, before) for before, later in pairwise(names)]
    if FIRST_TEACHER in scores:
        pairs += [(name, FIRST_TEACHER) for name in names]
    if ensemble is not None:
        pairs.append((TOGETHER, ensemble[1]))
    metric, about = task.metric, {TOGETHER: ensemble[0] if ensemble is not None else TOGETHER}
    contrasts = [
        contrast(
            scores[arm], scores[other], higher_is_better=metric.higher_is_better, margin=margin, metric=metric.name,
            percent=metric.percent, arm=about.get(arm, arm), against=other,
        )
        for arm, other in pairs
    ]  # fmt: skip
    return read_together(pairs, contrasts)


def _outcome(kind: Kind, done: Sequence[Generation], best: int, metric: MetricRecord) -> str:
    """Which link is the result, and why."""
    kept = done[best]
    why = "is the best on validation" if kind == "generations" else "ends the chain"
    test, validation = cells.estimate(kept.test, metric), numbers.score(kept.validation.value, metric)
    said = f"{metric.name} {test} on test, {validation} on validation"
    return f"Of {_count(kind, len(done))}, {kept.name} {why} and is kept: {said}."


def _of_the_result(comparisons: Sequence[Comparison], kept: str) -> list[str]:
    """The sentences that matter first: the result against the first teacher, and all together."""
    asked = [each for each in comparisons if (each.arm, each.against) == (kept, FIRST_TEACHER)]
    return [each.sentence for each in (*asked, *(each for each in comparisons if each.arm == TOGETHER))]


def _first_teacher(link: Link) -> FirstTeacher | None:
    record = link.record
    if not any(model.role == "teacher" for model in record.models):
        return None
    teacher = _first(record, "teacher")
    return FirstTeacher(
        about=link.teacher, params=teacher.params, validation=level(record, "teacher", "validation"),
        test=level(record, "teacher", "test"),
    )  # fmt: skip


def _first(record: Record, role: str) -> ModelRecord:
    return next(model for model in record.models if model.role == role)
