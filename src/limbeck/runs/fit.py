"""One model, trained or found trained: the unit that studies, verdicts and resumption are made of."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from limbeck.core import processes
from limbeck.core.architecture import architecture_fingerprint
from limbeck.core.identity import fingerprint, state_fingerprint
from limbeck.core.progress import Reporter
from limbeck.core.protocols import Follow, SignalSource
from limbeck.core.runtime import Runtime
from limbeck.core.storage import read_json, write_json, write_tensors
from limbeck.core.version import __version__
from limbeck.data.loader import TrainingBatches, evaluation_batches
from limbeck.data.preprocess import Prepared
from limbeck.data.source import Source
from limbeck.data.views import Views
from limbeck.errors import RecipeError
from limbeck.measuring.evaluate import Evaluator
from limbeck.objectives import WeightedSum, objective_fingerprint
from limbeck.record import Role
from limbeck.runs.build import Blueprint
from limbeck.runs.terms import early_words
from limbeck.task import Task
from limbeck.tracking import NOWHERE, Tracking
from limbeck.training.growing import Growing
from limbeck.training.loop import train
from limbeck.training.patience import Goal
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

Settings = Mapping[str, float | int | str | bool | None]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A stage before the last one.

    Attributes:
        objective: what it minimises.
        share: of all steps, 0 < share < 1.
        trains: prefixes of the student's parameters; `None`: all that the objective reaches.
        learning_rate: its peak; `None`: as the last stage's.
    """

    objective: WeightedSum
    share: float
    trains: tuple[str, ...] | None = None
    learning_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be trained.

    Attributes:
        name: for people: "student, seed 0".
        role: teacher, student, baseline, ...
        blueprint: makes the model.
        seed: of initialisation, order and dropout.
        source: the examples it learns from.
        objective: what is minimised.
        steps: optimiser steps.
        settings: what tuning chose, for the record.
        train: optimiser and schedule.
        earlier: stages before the objective's.
    """

    name: str
    role: Role
    blueprint: Blueprint
    seed: int
    source: Source
    objective: WeightedSum
    steps: int
    settings: Settings
    train: TrainSettings
    earlier: tuple[Earlier, ...] = ()

    def stages(self) -> list[Stage]:
        """With objectives of their own: what one training learns is that training's alone."""
        stages = [
            Stage(
                copy.deepcopy(each.objective),
                max(1, round(each.share * self.steps)),
                replace(self.train, learning_rate=each.learning_rate or self.train.learning_rate),
                each.trains,
            )
            for each in self.earlier
        ]
        left = self.steps - sum(stage.steps for stage in stages)
        if left < 1:
            raise RecipeError(
                f"stages: {self.steps} steps are too few for {len(stages) + 1} stages; raise train.epochs"
            )
        return [*stages, Stage(copy.deepcopy(self.objective), left, self.train)]

    def listens(self) -> bool:
        """Whether any stage asks a teacher."""
        return any(each.needs().teacher for each in (*(stage.objective for stage in self.earlier), self.objective))


@runtime_checkable
class Grows(Protocol):
    """A teacher that is made anew for each training and grows in it; `growing.Growth` fills this role."""

    def beside(self, blueprint: Blueprint, seed: int) -> Growing:
        """One for the training of a student of this kind and seed."""
        ...


@dataclass(frozen=True)
class Shop:
    """What all jobs of a run share.

    Attributes:
        folder: where trained models lie, one folder each, named by what they depend on.
        task: the kind of answer.
        validation: looked at in training, and nothing else is.
        views: alike for every role.
        batch_size: examples a step.
        runtime: device, threads, precision.
        reporter: shows progress.
        teacher: who is imitated, live or from a guide; or how one grows beside each student; `None` while it is being
            trained.
        teacher_fingerprint: of its answers; two teachers of one fingerprint give the same bits.
        also: where finished trainings are looked for too.
        track: whom trainings are told to.
        said: of which terms it was said that they do nothing: by role, weights and term.
    """

    folder: Path
    task: Task
    validation: Source
    views: Views
    batch_size: int
    runtime: Runtime
    reporter: Reporter
    teacher: SignalSource | Grows | None = None
    teacher_fingerprint: str | None = None
    also: Path | None = None
    track: Tracking = NOWHERE
    said: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Fitted:
    """A trained model on disk.

    Attributes:
        job: what it was made by.
        folder: `weights.safetensors` and `done.json`.
        history: rows of `{"step", "epoch", "values"}`.
        seconds: spent training.
        steps: optimiser steps done; fewer than the job's where training stopped early.
        kept: the step whose weights these are.
    """

    job: Job
    folder: Path
    history: list[dict[str, Any]] = field(repr=False)
    seconds: float
    steps: int
    kept: int

    @property
    def validation(self) -> dict[str, float]:
        """Values of these weights on validation, by name without the split."""
        values: dict[str, float] = next(row["values"] for row in self.history if row["step"] == self.kept)
        return {name.removeprefix("val/"): value for name, value in values.items() if name.startswith("val/")}

    def model(self) -> Prepared:
        """The trained model in eval mode, on the CPU."""
        from safetensors.torch import load_file

        model = self.job.blueprint.prepared(self.job.seed)
        model.core.load_state_dict(load_file(self.folder / "weights.safetensors"))
        return model.to("cpu").eval()


def fit(job: Job, shop: Shop) -> Fitted:
    """Trains a model, goes on where it was interrupted, or finds it finished.

    Args:
        job: what to train.
        shop: what it shares with others.

    Returns:
        The trained model.

    Raises:
        RunError: training failed or was interrupted; the same call goes on.
    """
    model = job.blueprint.prepared(job.seed)
    identity = _identity(job, shop, model, processes.world())
    folder = shop.folder / identity[:16]
    if shop.also is not None:  # a guide's teacher is trained by one process, whoever reads the guide
        there = [shop.also / each[:16] for each in (identity, _identity(job, shop, model, 1))]
        folder = next((each for each in there if _finished(each)), folder)
    facts = {"role": job.role, "seed": job.seed, "steps": job.steps, "settings": dict(job.settings)}
    with shop.track.training(_called(job), identity, **facts) as told:
        if not processes.agreed(_finished(folder)):
            _train(job, shop, model, folder=folder, identity=identity, follow=told)
        found = read_json(folder / "done.json")
        fitted = Fitted(job, folder, found["history"], found["seconds"], found["steps"], found["kept"])
        final = {"steps": fitted.steps, "kept_step": fitted.kept, "seconds": fitted.seconds}
        told.finish(fitted.history, {**final, **{f"val/{name}": value for name, value in fitted.validation.items()}})
    return fitted


def _train(job: Job, shop: Shop, model: Prepared, *, folder: Path, identity: str, follow: Follow) -> None:
    """Trains to the end and leaves `weights.safetensors` and `done.json`, in this order."""
    metric, rank, world = shop.task.metric, processes.rank(), processes.world()
    stages = job.stages()

    def followed(history: Sequence[Mapping[str, Any]]) -> None:
        follow(history)
        _warn_of_idle_terms(job, shop, stages, history)

    result = train(
        model,
        stages,
        batches=TrainingBatches(
            job.source, views=shop.views, batch_size=shop.batch_size, seed=job.seed, rank=rank, world=world
        ),
        teacher=_speaker(job, shop),
        evaluate=Evaluator(
            lambda: evaluation_batches(shop.validation, shop.batch_size, rank=rank, world=world), shop.task
        ),
        runtime=shop.runtime,
        seed=job.seed,
        identity=identity,
        store=folder,
        steps_per_epoch=len(job.source) / shop.batch_size,
        reporter=shop.reporter,
        name=job.name,
        goal=Goal(f"val/{metric.name}", metric.higher_is_better, tie="val/nll"),
        follow=followed,
    )
    if processes.is_main():
        write_tensors(folder / "weights.safetensors", model.core.state_dict())
        done = {"identity": identity, "name": job.name, "steps": result.steps, "kept": result.kept}
        write_json(folder / "done.json", {**done, "seconds": result.seconds, "history": result.history})
        (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    processes.barrier()


def _warn_of_idle_terms(job: Job, shop: Shop, stages: Sequence[Stage], history: Sequence[Mapping[str, Any]]) -> None:
    """Says early, and once a run, which terms do nothing; trials and seeds of the same weights would repeat it."""
    start = 0
    of, grows = "training" if len(stages) == 1 else "this stage", isinstance(shop.teacher, Grows)
    for stage in stages:
        objective = stage.objective
        assert isinstance(objective, WeightedSum), "jobs are given sums"
        weights = " ".join(map(str, objective.schedules))
        found = early_words(history, objective, start=start, end=start + stage.steps, of=of, grows=grows)
        for term, words in found.items():
            if (job.role, weights, term) not in shop.said:
                shop.said.add((job.role, weights, term))
                shop.reporter.say(f"{job.name}: {words}")
        start += stage.steps


def _speaker(job: Job, shop: Shop) -> SignalSource | None:
    """Whom this training listens to."""
    if not isinstance(shop.teacher, Grows):
        return shop.teacher
    return shop.teacher.beside(job.blueprint, job.seed) if job.listens() else None


def _called(job: Job) -> str:
    """A name that tells trials apart."""
    settings = ", ".join(f"{name} {value}" for name, value in job.settings.items() if value is not None)
    return f"{job.name} ({settings})" if settings else job.name


def _finished(folder: Path) -> bool:
    return (folder / "done.json").exists() and (folder / "weights.safetensors").exists()


def _identity(job: Job, shop: Shop, model: Prepared, world: int) -> str:
    """Fingerprint of everything that the weights depend on; two jobs of one identity are one training."""
    return fingerprint(
        {
            "initial": state_fingerprint(model.core.state_dict()),
            "architecture": architecture_fingerprint(model.core),
            "preprocess": job.blueprint.preprocess.as_dict(),
            "objective": objective_fingerprint(job.objective),
            **({"earlier": [_told(stage) for stage in job.earlier]} if job.earlier else {}),
            "source": job.source.fingerprint(),
            "validation": shop.validation.fingerprint(),
            "views": shop.views.fingerprint(),
            "teacher": shop.teacher_fingerprint if job.listens() else None,
            "steps": job.steps,
            "batch_size": shop.batch_size,
            "seed": job.seed,
            "train": job.train.as_dict(),
            "runtime": shop.runtime.as_dict(),
            "processes": world,
            "versions": [__version__, torch.__version__],
        }
    )


def _told(stage: Earlier) -> list[Any]:
    trains = None if stage.trains is None else list(stage.trains)
    return [objective_fingerprint(stage.objective), stage.share, trains, stage.learning_rate]
