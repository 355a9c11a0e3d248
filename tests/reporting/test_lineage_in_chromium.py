"""The page of a lineage in a real browser: both plots are drawn, silently, offline, and within the window."""

import pytest

from limbeck.lineage import page
from limbeck.lineage.record import FIRST_TEACHER, FirstTeacher, Generation, Lineage
from limbeck.record import DataRecord, Estimate, MetricRecord
from limbeck.studies.record import Comparison

from .chromium import Chromium
from .test_in_chromium import CHARTS, DRAW_ALL, OVERFLOW, assert_silent_and_offline

pytestmark = pytest.mark.chromium


def lineage_of(count):
    """A made-up chain of that many generations."""

    def level(value):
        return Estimate(value=value, ci95=(value - 0.03, value + 0.02))

    names = [f"generation {number + 1}" for number in range(count)]
    made = [
        Generation(
            folder=str(number + 1), name=name, student="convnet (width 8, depth 4)", params=12_345, seeds=3,
            taught_by=names[number - 1] if number else FIRST_TEACHER, validation=level(0.9), test=level(0.89),
            teacher_test=0.9, against_baseline=None,
        )
        for number, name in enumerate(names)
    ]  # fmt: skip
    compared = [
        Comparison(
            arm=name, against=FIRST_TEACHER, outcome="inconclusive", difference=0.01, ci95=(-0.01, 0.03), p_value=0.3,
            p_value_holm=0.6, seeds=3, seeds_needed=9, sentence="Inconclusive.",
        )
        for name in names
    ]  # fmt: skip
    return Lineage(
        limbeck_version="0.1.0", created="2026-01-02T03:04:05+00:00", name="made-up", kind="generations",
        metric=MetricRecord(name="accuracy", higher_is_better=True, percent=True), margin=0.005,
        data=DataRecord(name="digits", input="", labelled=9, unlabelled=0, validation=9, test=9), answer=["So it is."],
        first_teacher=FirstTeacher(about="resnet", params=99, validation=level(0.88), test=level(0.87)),
        generations=made, best=0, stopped=None, together=None, comparisons=compared, notes=["A note."],
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("width", [1200, 400])
def test_both_plots_are_drawn_within_the_window(browser: Chromium, tmp_path, width, count):
    path = tmp_path / page.FILE_NAME
    path.write_text(page.render(lineage_of(count)), encoding="utf-8")
    browser.view(width=width, height=1600)
    browser.open(path)
    browser.evaluate(DRAW_ALL)
    assert all(marks > 2 * count for marks in browser.evaluate(CHARTS))
    assert len(browser.evaluate(CHARTS)) == 2
    wide, window = browser.evaluate(OVERFLOW)
    assert wide <= window
    assert_silent_and_offline(browser, path)
