"""What sections are made of: laws first, then references."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from limbeck import record as records
from limbeck.record import Estimate, FileRef, MetricRecord
from limbeck.reporting import charts, compare, confusion, examples, numbers, pictures, tables, tiles
from limbeck.reporting.inputs import AbsentError, Curve, RunFiles
from limbeck.reporting.instructive import Outputs, instructive
from limbeck.reporting.roles import over_seeds, possible
from limbeck.reporting.verdict import drawing, ticks

from . import run_folder

PERCENT = MetricRecord(name="accuracy", higher_is_better=True, percent=True)
PLAIN = MetricRecord(name="error", higher_is_better=False, percent=False)


@pytest.fixture(scope="module")
def files(run: Path) -> RunFiles:
    return RunFiles(run, records.read(run))


def test_numbers_as_people_read_them() -> None:
    assert numbers.significant(-0.0451) == "\N{MINUS SIGN}0.0451"
    assert numbers.significant(4e-7) == "4.00e\N{MINUS SIGN}7"
    assert numbers.significant(float("nan")) == "not finite"
    assert numbers.difference(-0.0213, PERCENT) == "\N{MINUS SIGN}2.1\N{NO-BREAK SPACE}points"
    assert numbers.difference(0, PERCENT) == "0.0\N{NO-BREAK SPACE}points"
    assert numbers.difference(0.25, PLAIN) == "+0.250"
    assert numbers.interval(-0.01, 0.0449, PERCENT) == "\N{MINUS SIGN}1.0 to +4.5"
    assert numbers.ratio(230, 10, "smaller") == "23\N{MULTIPLICATION SIGN} smaller"
    assert numbers.ratio(10, 20, "faster") == "2.0\N{MULTIPLICATION SIGN} slower"


@given(st.floats(1e-4, 1e9))
def test_three_digits_are_kept(value: float) -> None:
    shown = float(numbers.significant(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=5.1e-3)


def test_one_seed_keeps_its_interval() -> None:
    alone = Estimate(value=0.9, ci95=(0.88, 0.92))
    assert over_seeds([None, alone]) == alone


def test_interval_over_seeds_adds_seeds_and_examples() -> None:
    values = [0.90, 0.92, 0.93, 0.91]
    together = over_seeds([Estimate(value=v, ci95=(v - 0.02, v + 0.02)) for v in values])
    assert together is not None
    assert together.ci95 is not None
    seeds = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    half = np.hypot((seeds[1] - seeds[0]) / 2, 0.02)
    assert together.value == pytest.approx(np.mean(values))
    assert together.ci95 == pytest.approx((np.mean(values) - half, np.mean(values) + half))


@given(st.floats(-1, 0), st.floats(1e-4, 1))
def test_ticks_are_round_few_and_within(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert 2 <= len(found) <= 8
    assert all(low - 1e-9 <= tick <= low + width + 1e-9 for tick in found)
    assert not low < 0 < low + width or 0 in found


def test_drawing_places_everything_on_one_scale(files: RunFiles) -> None:
    drawn = drawing(files.record)
    verdicts = [v for v in (files.record.verdict, *files.record.comparisons) if v is not None]
    assert [row.sentence for row in drawn.rows] == [verdict.sentence for verdict in verdicts]
    order = np.argsort([verdict.difference for verdict in verdicts])
    assert list(np.argsort([row.dot for row in drawn.rows])) == list(order)
    for row, verdict in zip(drawn.rows, verdicts, strict=True):
        assert row.low is not None
        assert row.high is not None
        assert 0 < row.low < row.dot < row.high < 100
        assert (row.dot > drawn.zero) == (verdict.difference > 0)
    assert drawn.margin[0] < drawn.zero < drawn.margin[1]
    assert drawn.margin[1] - drawn.zero == pytest.approx(drawn.zero - drawn.margin[0], abs=0.02)


def test_drawing_without_intervals_or_with_errors_to_lower(change: Callable[..., Path], run: Path) -> None:
    verdict = records.read(run).verdict
    assert verdict is not None
    bare = verdict.model_copy(update={"ci95": None, "outcome": "inconclusive"})
    folder = change(verdict=bare, comparisons=[], metric=PLAIN)
    drawn = drawing(records.read(folder))
    assert drawn.rows[0].low is None
    assert drawn.rows[0].interval == "no interval"
    assert drawn.sides == ("better", "worse")


def test_every_outcome_has_its_words_and_tone(change: Callable[..., Path], run: Path) -> None:
    verdict = records.read(run).verdict
    assert verdict is not None
    outcomes = {"beats": "good", "no-gain": "none", "worse": "bad", "inconclusive": "unsure"}
    others = [verdict.model_copy(update={"outcome": outcome}) for outcome in outcomes]
    drawn = drawing(records.read(change(comparisons=others)))
    assert [row.tone for row in drawn.rows[1:]] == list(outcomes.values())
    assert len({row.outcome[0] for row in drawn.rows[1:]}) == 4, "told apart without colour"


def test_side_by_side_has_a_cell_for_every_role(files: RunFiles) -> None:
    table = compare.comparison(files.record)
    assert [column.role for column in table.columns] == ["teacher", "student", "baseline", "teacher-labels"]
    lines = {line.title: line for _, group in table.groups for line in group}
    assert all(len(line.cells) == 4 for line in lines.values())
    accuracy = lines["Accuracy"].cells[1]
    seeds = [m.quality["test"]["accuracy"].value for m in files.record.models if m.role == "student"]
    assert accuracy.value == f"{100 * np.mean(seeds):.1f}%"
    assert len(accuracy.dots) == 5
    assert lines["Agreement with the teacher"].cells[0].value == numbers.ABSENT
    assert lines["Parameters"].cells[1].detail == "62\N{MULTIPLICATION SIGN} fewer"
    assert lines["Optimiser steps"].cells[1].detail == ""


def test_tiles_need_teacher_and_student(change: Callable[..., Path], run: Path) -> None:
    record = records.read(run)
    assert [tile.value for tile in tiles.tiles(record)][:3] == [f"{n}\N{MULTIPLICATION SIGN}" for n in (59, 52, 15)]
    assert not tiles.tiles(records.read(change(models=[m for m in record.models if m.role != "teacher"])))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=500), st.integers(1, 120))
def test_thinning_keeps_ends_and_range(values: list[float], points: int) -> None:
    curve = Curve("loss", list(range(1, len(values) + 1)), values)
    thin = tables.thinned(curve, points)
    assert len(thin.steps) == min(points, len(values))
    assert thin.steps[-1] == len(values)
    assert thin.steps == sorted(set(thin.steps))
    assert min(values) - 1e-9 <= min(thin.values) <= max(thin.values) <= max(values) + 1e-9


def test_curves_have_the_metric_first_and_a_mean_of_seeds(files: RunFiles) -> None:
    found = tables.curves(files)
    assert list(found) == ["val/accuracy", "train/hard-labels", "train/soft-targets", "train/teacher-labels"]
    student = [entry for entry in found["train/soft-targets"] if entry["role"] == "student"]
    assert [entry["bold"] for entry in student] == [False] * 5 + [True]
    assert student[5]["value"] == pytest.approx(np.mean([e["value"] for e in student[:5]], axis=0), rel=1e-3)


def test_seeds_that_stopped_apart_have_no_mean(files: RunFiles) -> None:
    runs = [Curve("val/accuracy", [1, 2], [0.1, 0.2]), Curve("val/accuracy", [1, 3], [0.1, 0.2])]
    assert [entry["bold"] for entry in tables._entries("student", runs)] == [False, False]


def test_confusion_is_scikit_learns(files: RunFiles) -> None:
    found = {c.role: c for c in confusion.confusions(files)}
    assert next(iter(found)) == "student"
    logits = np.load(files.folder / "predictions/student-0.npz")["logits"]
    expected = confusion_matrix(files.target, logits.argmax(1))
    assert [[cell.count for cell in row] for row in found["student"].rows] == expected.tolist()
    assert found["student"].errors == (logits.argmax(1) != files.target).sum()
    worst = found["student"].mistakes[0]
    off = expected - np.diag(np.diag(expected))
    assert worst.count == off.max()


@given(st.integers(0, 2**32), st.integers(1, 14))
def test_instructive_examples_are_what_they_are_called(seed: int, few: int) -> None:
    draw = np.random.default_rng(seed)
    teacher, student = (softmax(3 * draw.standard_normal((40, 4)), 1) for _ in range(2))
    target = draw.integers(-1, 4, 40)
    chosen = instructive(Outputs(teacher, student, target), few)
    assert len(chosen) == len(dict(chosen)) <= few
    for row, why in chosen:
        t, s, truth = teacher[row].argmax(), student[row].argmax(), target[row]
        right = {
            "the teacher hesitates": t == s and truth in (-1, t),
            "the teacher is sure": t == s and truth in (-1, t),
            "only the student is wrong": t == truth != s,
            "only the teacher is wrong": s == truth != t,
            "both are wrong": truth >= 0 and t != truth != s,
            "they disagree": truth == -1 and t != s,
        }
        assert right[why]


def test_samples_come_with_their_true_shares(files: RunFiles) -> None:
    shown = examples.shown(files)
    teacher, student = (np.load(files.folder / f"predictions/{n}.npz")["logits"] for n in ("teacher", "student-0"))
    disagree = int((teacher.argmax(1) != student.argmax(1)).sum())
    assert shown.groups[0].title == "Teacher and student disagree"
    assert shown.groups[0].total == disagree
    assert all(e.teacher.label != e.student.label for e in shown.groups[0].examples)
    assert sum(group.total for group in shown.groups) == shown.tested == 400
    for example in (example for group in shown.groups for example in group.examples):
        assert example.truth == str(files.target[example.row])
        assert example.student.right == (example.student.label == example.truth)


def test_logits_survive_rounding(files: RunFiles) -> None:
    shown = examples.shown(files)
    logits = np.load(files.folder / "predictions/teacher.npz")["logits"].astype(float)
    for example, (teacher, _) in zip(shown.soft, shown.logits, strict=True):
        for temperature in (0.5, 1, 20):
            expected = softmax(logits[example.row] / temperature)
            assert softmax(np.array(teacher) / temperature) == pytest.approx(expected, abs=2e-3)


def test_many_classes_show_the_likeliest_and_the_rest() -> None:
    draw = np.random.default_rng(0)
    teacher, student = draw.standard_normal((2, 100)) * 3
    bars = examples.bars([f"class {i}" for i in range(100)], teacher.tolist(), student.tolist())
    assert len(bars) == 11
    assert bars[-1][0] == "all others"
    assert np.sum([bar[1:] for bar in bars], axis=0) == pytest.approx([1, 1])
    assert f"class {teacher.argmax()}" in [bar[0] for bar in bars]


@pytest.mark.parametrize(
    ("channels", "size", "kind"), [(1, 8, "png"), (3, 32, "png"), (4, 64, "png"), (3, 224, "jpeg")]
)
def test_pictures_by_size(channels: int, size: int, kind: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (channels, size, size), dtype=np.uint8)
    uri = pictures.data_uri(picture)
    assert uri.startswith(f"data:image/{kind};base64,")
    assert len(uri) < 25_000


def test_two_channels_are_no_picture() -> None:
    with pytest.raises(AbsentError, match="2 channels"):
        pictures.data_uri(np.zeros((2, 8, 8), dtype=np.uint8))


def test_charts_hold_no_data_and_no_colours_of_their_own(files: RunFiles) -> None:
    rows = tables.sizes(files.record)
    evil = MetricRecord(name="evil", higher_is_better=True, percent=True)
    for spec in (charts.accuracy_against_size(evil, rows), charts.training_curve(evil), charts.reliability(0.42)):
        text = str(spec)
        assert "'name': 'table'" in text
        assert "#" not in text.replace(spec["$schema"], "")
        assert text.count("http") == 1
        assert "evil" not in text


def test_a_hundred_classes_and_photographs(copy: Path) -> None:
    record = records.read(copy)
    draw = np.random.default_rng(0)
    target = draw.integers(0, 100, 50).astype(np.int32)
    kept = []
    for model in record.models:
        if model.role in ("teacher", "student") and not model.seed:
            logits = draw.standard_normal((50, 100)).astype(np.float32)
            ref = run_folder.store(copy, f"many/{model.role}.npz", logits=logits)
            kept.append(model.model_copy(update={"predictions": ref}))
    photographs = draw.integers(0, 256, (50, 3, 96, 128), dtype=np.uint8)
    refs: dict[str, FileRef] = {
        "test": run_folder.store(copy, "many/test.npz", ids=np.arange(50), target=target),
        "samples": run_folder.store(copy, "many/samples.npz", inputs=photographs, index=np.arange(50)),
    }
    names = [f"a class with a rather long name, number {i}" for i in range(100)]
    files = RunFiles(copy, record.model_copy(update={"models": kept, "files": refs, "classes": names}))
    assert not confusion.confusions(files)[0].rows
    assert len(confusion.confusions(files)[0].mistakes) == 15
    shown = examples.shown(files)
    assert len(shown.soft) <= 6
    assert not shown.pixelated


def test_intervals_stay_within_what_can_be() -> None:
    few = [Estimate(value=v, ci95=(v - 0.02, min(1, v + 0.02))) for v in (0.97, 0.99)]
    unbound, bound = over_seeds(few), over_seeds(few, possible("accuracy", PERCENT))
    assert unbound is not None
    assert bound is not None
    assert unbound.ci95 is not None
    assert bound.ci95 == (unbound.ci95[0], 1.0)
    assert unbound.ci95[1] > 1
    assert possible("error", PLAIN) == (-np.inf, np.inf)
