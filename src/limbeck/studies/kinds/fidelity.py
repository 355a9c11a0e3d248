"""`fidelity`: across the models of a finished study, does the student that imitates its teacher more score higher?"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, overload

import numpy as np
from scipy.stats import rankdata

from limbeck.core.version import __version__
from limbeck.errors import BundleError, RecipeError
from limbeck.record import FileRef
from limbeck.reporting import numbers
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.design import Design, Options
from limbeck.studies.found import Found
from limbeck.studies.record import ArmRecord, Finding, SeedRecord, StudyRecord
from limbeck.studies.view import Figure, Table, View

QUESTION = "Does the student that agrees more with its teacher score higher?"
TAKES: tuple[str, ...] = ()
CHANGES: Mapping[str, Any] = {}
LISTENS, ALONE = "hears a teacher", "no teacher"
COLOURS = {LISTENS: "student", ALONE: "baseline"}
ARITHMETIC = (
    "Where the teacher is right, whoever agrees with it is right, so a part of the correlation of {metric} with "
    "agreement is arithmetic. On the teacher's errors whoever agrees is wrong: there arithmetic pulls the other way. "
    "Correlations from one part of test to the other are free of it. Not even these show a cause: who learns better "
    "may both agree more and know more; and one study's arms are not drawn at random."
)
UNKNOWN = (
    "Nothing is known of the teacher's errors: it makes none, it exists only as its guide, or the study was made "
    "before studies kept this. In the last case the same command in the same folder measures again, training nothing."
)
FEW_ERRORS = 50
"""With fewer errors of the teacher on test, the ranks of models on them are mostly luck."""
DRAWS = 2000
"""Of the bootstrap over arms."""
REPEATED = "agreement on the teacher's errors"
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
    metric = study.metric.name
    right = _turned(arms, lambda seed: seed.quality.value, up=study.metric.higher_is_better)
    findings = [
        _finding(f"{metric} with agreement with the teacher", _turned(arms, lambda seed: seed.agreement), right),
        _finding(
            f"{metric} with closeness to the teacher (minus KL)", _turned(arms, lambda seed: seed.kl, up=False), right
        ),
        *_beyond_arithmetic(arms, metric, right),
    ]  # fmt: skip
    if len(arms) < FEWEST_ARMS:
        how = f"{len(arms)} arms are too few for an interval (at least {FEWEST_ARMS})."
    else:
        how = "Intervals are a percentile bootstrap over arms, all seeds of one together, since they are alike."
    notes = [
        f"Models: those of the study of {study.kind} in {source}; test was not read again.",
        ARITHMETIC.format(metric=metric), how, *_on_errors_told(arms),
    ]  # fmt: skip
    return study.model_copy(
        update={
            "limbeck_version": __version__, "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "kind": "fidelity", "question": QUESTION, "answer": _said(findings), "comparisons": [],
            "findings": findings, "notes": notes, "timing_s": {},
            "arms": [_moved(arm, source, out) for arm in study.arms],
            "teachers": [
                each.model_copy(update={"predictions": _from(out, source, each.predictions)}) for each in study.teachers
            ],
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
    if len(x) < FEWEST_ARMS or np.isnan(value):
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
    return round(float(np.corrcoef(rankdata(one), rankdata(other))[0, 1]), 12)  # scipy's own is far slower


Values = Sequence[Sequence[float]]
"""One sequence an arm, one number a model."""


def _turned(arms: Sequence[ArmRecord], of: Callable[[SeedRecord], float | None], *, up: bool = True) -> Values:
    """One number a model, larger where it is better."""
    return [[(1 if up else -1) * float(of(seed) or 0.0) for seed in arm.seeds] for arm in arms]


def _beyond_arithmetic(arms: Sequence[ArmRecord], metric: str, right: Values) -> list[Finding]:
    """What is left where agreeing makes nobody right: on the teacher's errors, and from one part of test to another."""
    if not all(seed.on_errors for arm in arms for seed in arm.seeds):
        return []

    def of(name: str) -> Values:
        return _turned(arms, lambda seed: getattr(seed.on_errors, name))

    repeated, known, elsewhere = of("repeated"), of("right"), of("right_elsewhere")
    return [
        _finding(f"{metric} with {REPEATED}", repeated, right),
        _finding(f"{metric} where the teacher is right with {REPEATED}", repeated, elsewhere),
        _finding(f"{metric} where the teacher errs with agreement where it is right", elsewhere, known),
    ]


def _on_errors_told(arms: Sequence[ArmRecord]) -> list[str]:
    errors = [seed.on_errors.errors for arm in arms for seed in arm.seeds if seed.on_errors is not None]
    if len(errors) < sum(len(arm.seeds) for arm in arms):
        return [UNKNOWN]
    low, high = min(errors), max(errors)
    told = (
        f"The teacher errs on {low:,} test examples" if low == high else f"Teachers err on {low:,} to {high:,} of test"
    )
    few = "; on so few, ranks are mostly luck, which pulls correlations to 0" if low < FEW_ERRORS else ""
    return [f"{told}{few}."]


def _finding(name: str, x: Values, y: Values) -> Finding:
    value, interval = rank_correlation(x, y)
    shown = "undefined, since nothing varies" if np.isnan(value) else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
    if interval is not None:
        low, high = (f"{end:+.2f}".replace("-", "\N{MINUS SIGN}") for end in interval)
        shown += f" (95% interval {low} to {high})"
    return Finding(
        name=f"rank correlation of {name}", value=None if np.isnan(value) else value, ci95=interval,
        unit="Spearman's rho",
        sentence=f"Rank correlation of {name}: {shown}, over {sum(map(len, x))} models of {len(x)} arms.",
    )  # fmt: skip


def _said(findings: Sequence[Finding]) -> list[str]:
    """Whether who agrees more scores higher; and whether that is left without what is arithmetic."""
    sentences = [_told(findings[0], "who agrees more scores higher", "who agrees more scores lower")]
    clean = findings[3:4]  # the first one from one part of test to the other, where the errors are known
    who = "who repeats more of the teacher's errors is right {} often where the teacher is right"
    sentences += [f"Without arithmetic: {_told(each, who.format('more'), who.format('less'))}" for each in clean]
    return sentences


def _told(finding: Finding, up: str, down: str) -> str:
    if finding.value is None or finding.ci95 is None:
        return f"Not settled. {finding.sentence}"
    if finding.ci95[0] > 0:
        return f"Yes: {up}. {finding.sentence}"
    if finding.ci95[1] < 0:
        return f"No, the other way round: {down}. {finding.sentence}"
    return f"Not settled: the interval holds 0. {finding.sentence}"


@overload
def _from(out: Path, source: Path, file: FileRef) -> FileRef: ...
@overload
def _from(out: Path, source: Path, file: FileRef | None) -> FileRef | None: ...
def _from(out: Path, source: Path, file: FileRef | None) -> FileRef | None:
    if file is None:
        return None
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
            arm.name, cells.estimate(arm.quality, study.metric),
            _mean([seed.agreement for seed in arm.seeds], numbers.share),
            _mean([seed.kl for seed in arm.seeds], numbers.significant),
            *(_mean([getattr(seed.on_errors, part, None) for seed in arm.seeds], numbers.share)
              for part in ("repeated", "right", "right_elsewhere")),
        ]
        for arm in sorted(study.arms, key=lambda arm: -(arm.seeds[0].agreement or 0.0))
    ]  # fmt: skip
    name = study.metric.name.capitalize()
    head = ["Arm", f"{name} on test", "Agreement", "KL, nats", "Repeats of the teacher's errors",
            f"{name} where the teacher errs", f"{name} where it is right"]  # fmt: skip
    return View([figure], [Table("Arms", "Means over seeds.", head, table)])


def _mean(values: Sequence[float | None], show: Any) -> str:  # noqa: ANN401 - number -> text
    known = [value for value in values if value is not None]
    return str(show(float(np.mean(known)))) if known else numbers.ABSENT
