"""The student that ships: the one of the first seed, exported, proven and described in its bundle."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.bundle.card import Facts
from limbeck.bundle.config import BundleConfig, InputConfig, Quality
from limbeck.data.source import Source
from limbeck.exporting.finish import finish
from limbeck.record import Export, Record
from limbeck.runs.fit import Fitted
from limbeck.runs.plan import Plan
from limbeck.runs.wording import teacher_in_words

PARITY_EXAMPLES = 1000
"""Validation examples that every export is compared on, at most."""


def ship(plan: Plan, shipped: Fitted, record: Record, folder: Path) -> list[Export]:
    """Writes the bundle `student/` of the first seed's student; the seed was fixed beforehand, never the best.

    Args:
        plan: what was run.
        shipped: the trained student.
        record: with models and verdict.
        folder: of the run.

    Returns:
        The exports, with paths relative to the run's folder.
    """
    model = next(m for m in record.models if m.role == "student" and m.seed == plan.first_seed)
    quality = model.quality["test"][record.metric.name]
    config = BundleConfig(
        limbeck_version=record.limbeck_version,
        name=record.name,
        task=record.task,
        classes=tuple(record.classes),
        input=InputConfig.model_validate(
            {
                "kind": plan.splits.test.spec.kind,
                "shape": plan.splits.test.spec.shape,
                "dtype": plan.splits.test.spec.dtype,
            }
        ),
        preprocess=plan.student.preprocess.as_dict(),
        student=plan.student.spec,
        quality=Quality(metric=record.metric.name, value=quality.value, ci95=quality.ci95, split="test"),
        params=model.params,
        fingerprints=record.fingerprints,
    )
    facts = Facts(
        teacher=teacher_in_words(plan, record),
        method=record.objective,
        data=f"{record.data.name}: {record.data.labelled} labelled, {record.data.unlabelled} unlabelled examples",
        verdict="" if record.verdict is None else record.verdict.sentence,
        limits=record.notes,
        machine=record.machine.cpu,
    )
    raw, target = _parity_examples(plan.splits.validation)
    _, exports = finish(
        folder / "student", core=shipped.model().core, config=config, facts=facts,
        raw=raw, target=target, formats=plan.recipe.export,
    )  # fmt: skip
    return [export.model_copy(update={"path": f"student/{export.path}"}) for export in exports]


def _parity_examples(validation: Source) -> tuple[NDArray[Any], NDArray[np.int64]]:
    rows = np.arange(min(len(validation), PARITY_EXAMPLES))
    return np.ascontiguousarray(validation.read(rows)), validation.labels[rows].astype(np.int64)
