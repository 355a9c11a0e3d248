"""Assembling `record.json` from everything a run measured."""

from datetime import UTC, datetime
from pathlib import Path

from limbeck.core.machine import machine
from limbeck.core.version import __version__
from limbeck.record import (
    DataRecord,
    Fingerprints,
    Machine,
    MetricRecord,
    ModelRecord,
    Record,
    Tuning,
    Verdict,
)
from limbeck.runs.growing import growth_of
from limbeck.runs.plan import Plan
from limbeck.runs.predictions import save_arrays
from limbeck.runs.samples import samples
from limbeck.runs.splits import Splits
from limbeck.runs.wording import notes_on, notes_on_training, objective_in_words


def assemble(
    plan: Plan,
    *,
    models: list[ModelRecord],
    verdicts: list[Verdict],
    tunings: list[Tuning],
    prints: Fingerprints,
    conditions: str,
    folder: Path,
    more_notes: list[str],
) -> Record:
    """The record without exports and timing, which come later.

    Args:
        plan: what was run.
        models: measured.
        verdicts: the student against everyone else, the baseline first; empty where none was asked for.
        tunings: what validation chose, the student's first.
        prints: fingerprints of what went in.
        conditions: what the verdicts are conditional on, in words.
        folder: of the run; test targets and sample pictures are written there.
        more_notes: what measuring has to tell the reader.

    Returns:
        The record.
    """
    splits, metric, growth = plan.splits, plan.task.metric, growth_of(plan.recipe)
    test = save_arrays(folder, "predictions/test", ids=splits.test.ids, target=splits.test.labels)
    return Record(
        limbeck_version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        name=plan.recipe.name,
        machine=Machine.model_validate(machine()),
        fingerprints=prints,
        task=plan.task.name,
        classes=list(splits.classes),
        metric=MetricRecord(name=metric.name, higher_is_better=metric.higher_is_better, percent=metric.percent),
        data=data_record(splits),
        objective=objective_in_words(plan, tunings),
        beside=None if growth is None else str(growth),
        models=models,
        verdict=verdicts[0] if verdicts else None,
        comparisons=verdicts[1:],
        tuning=tunings,
        exports=[],
        notes=[*notes_on(plan, conditions if verdicts else None), *notes_on_training(plan, models), *more_notes],
        timing_s={},
        files={"test": test, **samples(folder, splits.test, models)},
    )


def data_record(splits: Splits) -> DataRecord:
    """How many examples there are of each kind."""
    return DataRecord(
        name=splits.transfer.name.split("/")[0],
        input=str(splits.transfer.spec),
        labelled=len(splits.labelled),
        unlabelled=int((splits.transfer.labels < 0).sum()),
        validation=len(splits.validation),
        test=len(splits.test),
    )
