"""`fidelity`: across the models of a finished study, does the student that imitates its teacher more score higher?"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from limbeck.core.version import __version__
from limbeck.errors import BundleError, RecipeError
from limbeck.record import FileRef, MetricRecord
from limbeck.reporting import numbers
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.design import Design, Options
from limbeck.studies.found import Found
from limbeck.studies.record import ArmRecord, Finding, StudyRecord
from limbeck.studies.view import Figure, Table, View

QUESTION = "Does the student that agrees more with its teacher score higher?"
TAKES: tuple[str, ...] = ()
CHANGES: Mapping[str, Any] = {}
LISTENS, ALONE = "hears a teacher", "no teacher"
COLOURS = {LISTENS: "student", ALONE: "baseline"}
ARITHMETIC = (
    "Where the teacher is mostly right, whoever agrees with it is mostly right, so a part of this correlation is "
    "arithmetic; and one study's arms are not drawn at random."
)
DRAWS = 2000
"""Of the bootstrap over arms."""
FEWEST_ARMS = 5
"""Fewer arms give no interval."""


def design(plan: Plan, options: Options) -> Design:
    """Refuses: nothing is trained for this kind.

    Raises:
        RecipeError: always.
    """
    del plan, options
    raise RecipeError(
        "study fidelity looks at a finished study: name its folder instead of a recipe, for instance "
        "limbeck study fidelity studies/methods"
    )


def answer(found: Found) -> Answer:
    """Never asked, since nothing is designed."""
    raise AssertionError(f"fidelity has no arms of its own, got {len(found.trained)}")


def of(study: StudyRecord, source: Path, out: Path) -> StudyRecord:
    """The study of a study.

    Args:
        study: finished; its students were compared with their teachers.
        source: its folder.
        out: where the new record will lie; its files are named from there.

    Raises:
        BundleError: fewer than three students hear a teacher that could be asked.
    """
    arms = [arm for arm in study.arms if arm.tutor is not None and all(s.agreement is not None for s in arm.seeds)]
    if sum(len(arm.seeds) for arm in arms) < 3:
        raise BundleError(f"{source}: fewer than three of its models hear a teacher that could be asked about test")
    findings = [
        _finding("agreement with the teacher", arms, study.metric, "agreement"),
        _finding("closeness to the teacher (minus KL)", arms, study.metric, "kl"),
    ]
    if len(arms) < FEWEST_ARMS:
        how = f"{len(arms)} arms are too few for an interval (at least {FEWEST_ARMS})."
    else:
        how = "Intervals are a percentile bootstrap over arms, all seeds of one together, since they are alike."
    notes = [f"Models: those of the study of {study.kind} in {source}; test was not read again.", ARITHMETIC, how]
    return study.model_copy(
        update={
            "limbeck_version": __version__, "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "kind": "fidelity", "question": QUESTION, "answer": [_said(findings[0])], "comparisons": [],
            "findings": findings, "notes": notes, "timing_s": {},
            "arms": [_moved(arm, source, out) for arm in study.arms],
            "files": {name: _from(out, source, file) for name, file in study.files.items()},
        }
    )  # fmt: skip


def rank_correlation(
    x: Sequence[Sequence[float]], y: Sequence[Sequence[float]], *, draws: int = DRAWS
) -> tuple[float, tuple[float, float] | None]:
    """Spearman's rank correlation over all models, with a 95% interval that resamples whole arms.

    Args:
        x: one sequence an arm, one number a model.
        y: likewise.
        draws: of the bootstrap.

    Returns:
        The correlation, and its interval where there are at least 5 arms; not a number where nothing varies.

    Example:
        >>> rank_correlation([[0.1], [0.2], [0.3]], [[1.0], [2.0], [4.0]])
        (1.0, None)
    """
    value = _spearman(x, y)
    if len(x) < FEWEST_ARMS:
        return value, None
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(draws):
        arms = random.integers(len(x), size=len(x))
        drawn.append(_spearman([x[arm] for arm in arms], [y[arm] for arm in arms]))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return value, (float(low), float(high))


def _spearman(x: Sequence[Sequence[float]], y: Sequence[Sequence[float]]) -> float:
    one, other = np.concatenate([np.asarray(each) for each in x]), np.concatenate([np.asarray(each) for each in y])
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return round(float(spearmanr(one, other).statistic), 12)


def _finding(name: str, arms: Sequence[ArmRecord], metric: MetricRecord, what: str) -> Finding:
    sign = 1 if metric.higher_is_better else -1
    turn = -1 if what == "kl" else 1
    x = [[turn * float(getattr(seed, what)) for seed in arm.seeds] for arm in arms]
    y = [[sign * seed.quality.value for seed in arm.seeds] for arm in arms]
    value, interval = rank_correlation(x, y)
    shown = "undefined, since nothing varies" if np.isnan(value) else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
    if interval is not None:
        low, high = (f"{end:+.2f}".replace("-", "\N{MINUS SIGN}") for end in interval)
        shown += f" (95% interval {low} to {high})"
    models = sum(len(arm.seeds) for arm in arms)
    return Finding(
        name=f"rank correlation of {metric.name} with {name}", value=None if np.isnan(value) else value, ci95=interval,
        unit="Spearman's rho",
        sentence=f"Rank correlation of {metric.name} with {name}: {shown}, over {models} models of {len(arms)} arms.",
    )  # fmt: skip


def _said(finding: Finding) -> str:
    if finding.value is None or finding.ci95 is None:
        return f"Not settled. {finding.sentence}"
    if finding.ci95[0] > 0:
        return f"Yes: who agrees more scores higher. {finding.sentence}"
    if finding.ci95[1] < 0:
        return f"No, the other way round: who agrees more scores lower. {finding.sentence}"
    return f"Not settled: the interval holds 0. {finding.sentence}"


def _from(out: Path, source: Path, file: FileRef) -> FileRef:
    return FileRef(path=Path(os.path.relpath(source / file.path, out)).as_posix(), sha256=file.sha256)


def _moved(arm: ArmRecord, source: Path, out: Path) -> ArmRecord:
    seeds = [
        seed.model_copy(
            update={
                "predictions": _from(out, source, seed.predictions),
                "history": _from(out, source, seed.history),
            }
        )
        for seed in arm.seeds
    ]
    return arm.model_copy(update={"seeds": seeds})


def view(study: StudyRecord) -> View:
    """One dot a model, and the arms' means."""
    rows = [
        {"arm": f"{arm.name}, seed {seed.seed}", "line": LISTENS if arm.tutor is not None else ALONE,
         "x": seed.agreement, "value": seed.quality.value}
        for arm in study.arms for seed in arm.seeds if seed.agreement is not None
    ]  # fmt: skip
    there = {line: colour for line, colour in COLOURS.items() if any(row["line"] == line for row in rows)}
    figure = Figure(
        "Quality over agreement", "One dot a model, on test. The correlation is over those that hear a teacher.",
        charts.scatter(study.metric, x="agreement with the teacher", colours=there), rows,
        "Scatter of quality over agreement; the arms' means stand in the table.", 340,
    )  # fmt: skip
    table = [
        [
            arm.name, _mean([seed.agreement for seed in arm.seeds], numbers.share),
            _mean([seed.kl for seed in arm.seeds], numbers.significant), cells.estimate(arm.quality, study.metric),
        ]
        for arm in sorted(study.arms, key=lambda arm: -(arm.seeds[0].agreement or 0.0))
    ]  # fmt: skip
    head = ["Arm", "Agreement", "KL, nats", f"{study.metric.name.capitalize()} on test"]
    return View([figure], [Table("Arms", "Means over seeds.", head, table)])


def _mean(values: Sequence[float | None], show: Any) -> str:  # noqa: ANN401 - number -> text
    known = [value for value in values if value is not None]
    return str(show(float(np.mean(known)))) if known else numbers.ABSENT
