"""`study methods`: real trainings, tiny. Equal budgets, test chooses nothing, and interruptions cost nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import limbeck as lk
from limbeck.core.progress import Silent
from limbeck.errors import InputError, RecipeError
from limbeck.objectives import DKPP
from limbeck.studies import page
from limbeck.studies import record as records
from limbeck.studies.kinds.grids import GRIDS, MOST
from limbeck.studies.verdict import holm

TINY = {
    "seed": 3,
    "data": {"train": "digits", "keep_labels": 0.3},
    "teacher": {"train": {"family": "wide-mlp", "width": 24, "depth": 1, "epochs": 2}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 1, "batch_size": 128, "learning_rate": 0.01, "evaluations": 2},
    "tune": {"trials": 2, "finalists": 1},
    "verdict": {"seeds": 3},
    "runtime": {"threads": 1},
}
METHODS = ["dist", {"method": "pkt", "weight": 2.0}, "teacher-labels"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return lk.study(kind="methods", recipe=TINY, out=tmp_path_factory.mktemp("study") / "s", methods=METHODS)


def trainings(folder):
    return {each: each.stat().st_mtime_ns for each in Path(folder).glob("checkpoints/*/done.json")}


def test_arms_have_equal_budgets(finished):
    arms = finished.record.arms
    assert [arm.name for arm in arms] == ["baseline", "soft-targets", "dist", "pkt", "teacher-labels"]
    assert len({arm.steps for arm in arms}) == 1
    assert {arm.name: len(arm.trials) for arm in arms} == {
        "baseline": 3, "soft-targets": 3, "dist": 3, "pkt": 0, "teacher-labels": 3,
    }  # fmt: skip
    assert all([seed.seed for seed in arm.seeds] == [3, 4, 5] for arm in arms)


def test_only_the_baseline_lacks_the_unlabelled_examples(finished):
    seen = {arm.name: (arm.labelled, arm.examples) for arm in finished.record.arms}
    assert seen["baseline"][0] == seen["baseline"][1] < seen["dist"][1]
    assert {seen[name][0] for name in seen} == {seen["baseline"][0]}


def test_a_term_stands_beside_the_soft_targets_that_validation_chose(finished):
    chosen = finished.record.arm("soft-targets").settings["temperature"]
    assert finished.record.arm("pkt").objective.startswith(f"1 * SoftTargets(temperature={chosen:g})")


def test_numbers_are_those_of_the_predictions(finished):
    """An independent count, from the files beside the record."""
    target = np.load(finished.folder / "predictions/test.npz")["target"]
    right = {
        arm.name: np.stack(
            [np.load(finished.folder / seed.predictions.path)["logits"].argmax(1) == target for seed in arm.seeds]
        )
        for arm in finished.record.arms
    }
    for arm in finished.record.arms:
        assert arm.quality.value == pytest.approx(right[arm.name].mean())
        assert arm.quality.ci95[0] < arm.quality.value < arm.quality.ci95[1]
    for each in finished.record.comparisons:
        assert each.difference == pytest.approx(right[each.arm].mean() - right[each.against].mean())
        assert each.ci95[0] <= each.difference <= each.ci95[1]


def test_each_family_is_corrected_by_itself(finished):
    for other, count in (("baseline", 4), ("soft-targets", 3)):
        family = [each for each in finished.record.comparisons if each.against == other]
        assert len(family) == count
        assert [each.p_value_holm for each in family] == holm([each.p_value for each in family])


def test_the_same_command_trains_nothing_and_more_seeds_only_themselves(finished):
    before = trainings(finished.folder)
    again = lk.study(kind="methods", recipe=TINY, out=finished.folder, methods=METHODS)
    assert trainings(finished.folder) == before
    assert again.record.arms == finished.record.arms
    more = {**TINY, "verdict": {"seeds": 4}}
    larger = lk.study(kind="methods", recipe=more, out=finished.folder, methods=METHODS)
    after = trainings(finished.folder)
    assert {each: after[each] for each in before} == before
    assert len(after) == len(before) + 5
    assert larger.record.arm("dist").seeds[:3] == finished.record.arm("dist").seeds
    records.write(finished.record, finished.folder)


class BrokenError(Exception):
    pass


class Breaks(Silent):
    def say(self, line):
        if line.startswith("arm 3"):
            raise BrokenError


def test_broken_off_it_goes_on_to_the_same_end(finished, tmp_path):
    with pytest.raises(BrokenError):
        lk.study(kind="methods", recipe=TINY, out=tmp_path / "s", methods=METHODS, progress=Breaks())
    begun = trainings(tmp_path / "s")
    assert begun
    whole = lk.study(kind="methods", recipe=TINY, out=tmp_path / "s", methods=METHODS)
    assert begun.items() <= trainings(tmp_path / "s").items()
    for arm, other in zip(whole.record.arms, finished.record.arms, strict=True):
        assert arm.settings == other.settings
        assert [seed.quality for seed in arm.seeds] == [seed.quality for seed in other.seeds]


def test_test_labels_choose_nothing(tmp_path):
    x, y = load_digits(return_X_y=True)
    x = (x * 15).astype(np.uint8).reshape(-1, 1, 8, 8)
    recipe = {**TINY, "verdict": {"seeds": 1}}
    found = []
    for name, labels in (("a", y[1400:]), ("b", y[1400:][::-1].copy())):
        study = lk.study(
            kind="methods", recipe=recipe, out=tmp_path / name, methods=["dist"], data=(x[:1400], y[:1400]),
            test=(x[1400:], labels),
        )  # fmt: skip
        found.append([(arm.settings, arm.trials, arm.seeds[0].validation) for arm in study.record.arms])
    assert found[0] == found[1]


def test_the_page_asks_nothing_of_the_network(finished):
    text = page.write(finished.folder).read_text(encoding="utf-8")
    assert all(f">{arm.name}<" in text for arm in finished.record.arms)
    assert "default-src &#39;none&#39;" in text
    assert lk.report(run=finished.folder).name == "study.html"


def test_the_page_escapes_what_comes_from_outside(finished):
    hostile = finished.record.model_copy(update={"name": "<script>alert(1)</script>"})
    assert "<script>alert(1)" not in page.render(hostile)


def test_the_schema_reads_back(finished):
    assert records.read(finished.folder) == records.StudyRecord.model_validate_json(
        (finished.folder / "study.json").read_text()
    )


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["dkdd"], "study: there is no 'dkdd'; did you mean dkd"),
        (["fitnets"], "study: there is no 'fitnets'; it is called hint here"),
        (["binary-targets"], "not defined for the task"),
        (["hint"], "say which in the recipe"),
        ([{"method": "dkd", "gama": 1}], "gama"),
        (["dist", "dist"], "named twice"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(methods, message, tmp_path):
    with pytest.raises(InputError, match=message):
        lk.study(kind="methods", recipe=TINY, out=tmp_path / "s", methods=methods)
    assert not (tmp_path / "s").exists()


def test_unknown_kinds_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="use one of: methods"):
        lk.study(kind="method", recipe=TINY, out=tmp_path / "s")


def test_two_classes_leave_dkd_out_with_the_reason(tmp_path):
    x, y = load_digits(return_X_y=True)
    two = y < 2
    x, y = (x[two] * 15).astype(np.uint8).reshape(-1, 1, 8, 8), y[two]
    recipe = {**TINY, "tune": {"trials": 0}, "verdict": {"seeds": 1}}
    study = lk.study(
        kind="methods", recipe=recipe, out=tmp_path / "s", data=(x[:200], y[:200]), test=(x[200:], y[200:])
    )
    names = [arm.name for arm in study.record.arms]
    assert "dkd" not in names
    assert len(names) >= 10
    assert any("dkd (" in note for note in study.record.notes)


@pytest.mark.parametrize("use", ["auto", "always"])
def test_activations_are_read_from_a_live_teacher_or_from_a_guide_that_keeps_them(use, tmp_path):
    recipe = {**TINY, "tune": {"trials": 2, "finalists": 1}, "verdict": {"seeds": 1}, "guide": use}
    hint = {"method": "hint", "student": "body.1", "teacher": "body.1"}
    study = lk.study(kind="methods", recipe=recipe, out=tmp_path / "s", methods=[hint])
    arm = study.record.arm("hint (body.1 < body.1)")
    assert "Hint(" in arm.objective
    assert len(arm.trials) == 3
    kept = "body.1" in str(lk.guide_info(guide=tmp_path / "s/guide"))
    assert kept == (use == "always")


def test_taps_that_there_are_not_are_refused_before_anything_is_written(tmp_path):
    hint = {"method": "hint", "student": "nowhere", "teacher": "body.1"}
    with pytest.raises(InputError, match="nowhere"):
        lk.study(kind="methods", recipe=TINY, out=tmp_path / "s", methods=[hint])
    assert not (tmp_path / "s").exists()


def test_controls_are_tuned_as_what_they_control():
    """The teacher's certainty alone, beside labels that it does not weigh; and soft targets dealt out at random."""
    cwtm, dkpp = GRIDS["cwtm"], GRIDS["dkpp"]
    assert cwtm.candidates[0] == {"labels": 0.0}, "the paper's control has the first try"
    assert dkpp == GRIDS["soft-targets"]
    for grid in (cwtm, dkpp):
        assert not grid.beside_targets, "what they are compared with would be in them"
    for candidate in dkpp.candidates:
        DKPP(**candidate)


def test_controls_are_arms(tmp_path):
    recipe = {**TINY, "tune": {"trials": 2, "finalists": 1}, "verdict": {"seeds": 1}}
    study = lk.study(kind="methods", recipe=recipe, out=tmp_path / "s", methods=["cwtm", "dkpp"])
    cwtm, dkpp = study.record.arm("cwtm"), study.record.arm("dkpp")
    assert "CWTM()" in cwtm.objective
    assert "DKPP(" in dkpp.objective
    assert not any("SoftTargets" in arm.objective for arm in (cwtm, dkpp))
    assert len(cwtm.trials) == len(dkpp.trials) == len(study.record.arm("soft-targets").trials) == 3


def test_every_grid_has_as_many_candidates():
    assert {name: len(grid.candidates) for name, grid in GRIDS.items() if len(grid.candidates) != MOST} == {}
    assert all(len(set(map(json.dumps, grid.candidates))) == MOST for grid in GRIDS.values())
