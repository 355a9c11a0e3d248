"""Several teachers in whole runs: live and from guides, by every rule, lent from Python, and what is refused."""

import json

import pytest
import torch
from torch import nn

import limbeck as lk
from limbeck.errors import InputError
from limbeck.runs.given import Given
from limbeck.verbs.planning import planned

SMALL = {"train": {"family": "wide-mlp", "width": 12, "depth": 1, "epochs": 2}}
LARGE = {"train": {"family": "wide-mlp", "width": 24, "depth": 1, "epochs": 2}}
SHIFT = {"op": "shift", "pixels": 1}
KEPT = "each example keeps one teacher"
SOFT = {"method": "soft-targets", "temperature": 2.0}


def recipe_of(tiny, teacher, **changes):
    recipe = tiny(verdict={"seeds": 1, "arms": []}, tune={"trials": 0}, objective=[SOFT], **changes)
    return recipe | {"teacher": teacher}


def run_of(tiny, out, teacher, **changes):
    return lk.distil(recipe=recipe_of(tiny, teacher, **changes), out=out).record


def test_live_and_from_guides_students_are_the_same_bits(tiny, tmp_path, quick, trainings):
    for rule in ("probabilities", "confidence"):
        teacher = {"ensemble": [SMALL, LARGE], "rule": rule, "shares": [1, 2]}
        run_of(tiny, tmp_path / f"live {rule}", teacher, guide="never")
        run_of(tiny, tmp_path / f"read {rule}", teacher, guide="always")
        assert trainings(tmp_path / f"live {rule}") == trainings(tmp_path / f"read {rule}")
        assert sorted(path.name for path in (tmp_path / f"read {rule}" / "guide").iterdir()) == ["1", "2"]


def test_a_list_is_an_ensemble_whose_members_have_seeds_of_their_own(tiny, tmp_path, quick, trainings):
    record = run_of(tiny, tmp_path / "run", [SMALL, SMALL])
    found = trainings(tmp_path / "run")
    assert found["teacher 1 of 2"] != found["teacher 2 of 2"]
    assert any("2 teachers speak as one (rule: probabilities)" in note for note in record.notes)


def test_each_that_was_trained_is_kept_and_teaches_again_by_itself(tiny, tmp_path, quick):
    run_of(tiny, tmp_path / "run", [SMALL, LARGE])
    configs = [json.loads((tmp_path / "run" / "teacher" / n / "config.json").read_text()) for n in ("1", "2")]
    assert [each["settings"]["width"] for each in configs] == [12, 24]
    assert all(0 < each["quality"]["value"] < 1 for each in configs)
    again = planned(recipe_of(tiny, str(tmp_path / "run" / "teacher" / "2")), Given(), {})
    assert again.teacher is not None
    assert list(again.teacher.preprocess.mean) == configs[1]["preprocess"]["mean"]


def test_learned_weights_are_told_and_are_those_of_validation(tiny, tmp_path, quick):
    record = run_of(tiny, tmp_path / "run", {"ensemble": [SMALL, LARGE], "shares": "learned"})
    assert any("weights learned there" in note for note in record.notes)


def test_one_teacher_a_step(tiny, tmp_path, quick):
    record = run_of(tiny, tmp_path / "run", {"ensemble": [SMALL, LARGE], "rule": "random"}, guide="always")
    assert any("Each of 2 teachers spoke once" in note for note in record.notes)


def test_one_teacher_a_view_is_one_guide_and_the_same_bits_as_live(tiny, tmp_path, quick, trainings):
    teacher = {"ensemble": [SMALL, LARGE], "rule": "random-view", "shares": [1, 2]}
    run_of(tiny, tmp_path / "live", teacher, guide="never")
    record = run_of(tiny, tmp_path / "read", teacher, guide="always")
    assert trainings(tmp_path / "live") == trainings(tmp_path / "read")
    assert (tmp_path / "read" / "guide" / "manifest.json").is_file()
    assert any("one for each view, spoke once" in note for note in record.notes)
    assert any(KEPT in note for note in record.notes)


@pytest.mark.parametrize(
    ("views", "said"),
    [
        ({}, True),
        ({"count": 1, "ops": [SHIFT]}, True),
        ({"count": 2, "ops": [SHIFT]}, False),
        ({"ops": [SHIFT]}, False),
    ],
    ids=["none", "one", "two", "new ones"],
)
def test_check_says_where_each_example_keeps_one_teacher(views, said, tiny):
    recipe = recipe_of(tiny, {"ensemble": [SMALL, LARGE], "rule": "random-view"}, data={"views": views})
    assert any(KEPT in note for note in lk.check(recipe=recipe).notes) is said
    recipe["teacher"]["rule"] = "random"
    assert not any(KEPT in note for note in lk.check(recipe=recipe).notes)


def test_one_teacher_a_view_can_be_labelled_and_verified_and_sparse(tiny, tmp_path):
    recipe = recipe_of(tiny, {"ensemble": [SMALL, LARGE], "rule": "random-view"})
    recipe |= {"guide": {"signal": "top-k", "k": 3, "temperatures": [2.0]}}
    lk.label(recipe=recipe, out=tmp_path / "guide")
    found = lk.verify_guide(guide=tmp_path / "guide", sample=64)
    assert (found.rows, found.findings) == (64, ())


def test_teachers_that_change_at_every_step_have_no_guide_in_common(tiny, tmp_path):
    recipe = recipe_of(tiny, {"ensemble": [SMALL, LARGE], "rule": "random"})
    with pytest.raises(InputError, match="random-view"):
        lk.label(recipe=recipe, out=tmp_path / "guide")
    assert not (tmp_path / "guide").exists()


class Pixels(nn.Module):
    """Answers for some classes, from the pixels' own sums."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        torch.manual_seed(classes)
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        return self.head(x.flatten(1))


def test_modules_from_python_and_a_specialist_of_three_classes(tiny, tmp_path, quick):
    recipe = recipe_of(tiny, {}) | {"data": {"train": "digits"}}
    whole, some = Pixels(10), Pixels(3)
    recipe["teacher"] = {
        "ensemble": [{"from": "given"}, {"from": "given", "classes": ["3", "8", "9"]}], "shares": [1, 1],
    }  # fmt: skip
    plan = planned(recipe, Given(teacher=[whole, some]), {"name": "specialist"})
    assert plan.teacher.members[1].knows == ("3", "8", "9")
    raw = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert plan.teacher.prepared(0)(raw).shape == (2, 10)
    run = lk.distil(recipe=recipe_of(tiny, {}), teacher=[whole, Pixels(10)], out=tmp_path / "run")
    assert any("2 teachers" in note for note in run.record.notes)
    assert whole.training
    assert whole.head.weight.requires_grad, "it is given back as it was"


@pytest.mark.parametrize(
    ("teacher", "changes", "words"),
    [
        ([SMALL], {}, "at least 2"),
        ({"ensemble": [SMALL, LARGE], "shares": [1]}, {}, "2 numbers"),
        ({"ensemble": [SMALL, LARGE], "shares": [0, 0]}, {}, "not all 0"),
        ({"ensemble": [SMALL, LARGE], "shares": "learned", "rule": "logits"}, {}, "learned for rule"),
        ({"ensemble": [SMALL, LARGE], "rule": "vote"}, {}, "rule"),
        ({"ensemble": [SMALL, LARGE], "train": {"width": 4}}, {}, "belongs to one teacher"),
        ({"ensemble": [SMALL, {"ensemble": [SMALL, LARGE]}]}, {}, "ensemble"),
        ({"train": {"width": 4}, "rule": "logits"}, {}, "belongs to several"),
        ([SMALL, {"train": {"folds": 3}}], {}, "cross-fitted"),
        ([SMALL, {"train": {"labels": "kept"}}], {}, "same labels"),
        ([SMALL, "guide"], {}, "one teacher"),
        ([SMALL, LARGE], {"guide": {"signal": "top-k", "k": 3, "temperatures": [2.0]}}, "all logits"),
        ([SMALL, {"train": {"no_such": 1}}], {}, "no_such"),
    ],
    ids=lambda value: None,
)
def test_what_makes_no_sense_is_refused(teacher, changes, words, tiny):
    with pytest.raises(InputError, match=words):
        planned(recipe_of(tiny, teacher, **changes), Given(), {"name": "refused"})


def test_activations_of_several_are_refused(tiny):
    terms = [{"method": "hint", "student": "body.1", "teacher": "body.1"}, SOFT]
    with pytest.raises(InputError, match="no mean"):
        planned(recipe_of(tiny, [SMALL, LARGE]) | {"objective": terms}, Given(), {"name": "refused"})
