"""Recipes without a teacher: what is filled in, and each contradiction with its mend."""

import pytest
import yaml

from limbeck import recipe
from limbeck.errors import RecipeError

DIGITS = {"data": {"train": "digits"}}


def loaded(teacher, **others):
    return recipe.from_mapping({**DIGITS, "teacher": teacher, **others})


@pytest.mark.parametrize("teacher", [{"peers": 2}, {"peers": 5}, {"ema": 0.99}])
def test_the_papers_objective_stands_where_none_is_named(teacher):
    made = loaded(teacher)
    assert [(term.method, term.weight.settings["value"]) for term in made.objective] == [
        ("hard-labels", 1.0), ("soft-targets", 1.0)
    ]  # fmt: skip
    assert made.objective[1].settings["temperature"] == 1.0
    assert made.verdict.arms == ()
    assert made.teacher.grows


def test_what_is_named_stays():
    terms = [{"method": "hard-labels"}, {"method": "dkd", "weight": 0.5}]
    made = loaded({"peers": 3}, objective=terms, verdict={"seeds": 3})
    assert [term.method for term in made.objective] == ["hard-labels", "dkd"]
    assert (made.verdict.seeds, made.verdict.arms) == (3, ())


def test_written_out_and_read_again_it_is_the_same():
    made = loaded({"ema": 0.9})
    assert recipe.from_mapping(yaml.safe_load(recipe.dump(made))) == made


def test_another_teacher_is_as_it_was():
    made = loaded({"train": {"family": "resnet"}})
    assert not made.teacher.grows
    assert [term.method for term in made.objective] == ["soft-targets"]
    assert made.verdict.arms == ("teacher-labels",)


@pytest.mark.parametrize(
    "teacher", [{"peers": 1}, {"peers": 0}, {"peers": 2.5}, {"ema": 0.0}, {"ema": 1.0}, {"ema": 2}]
)
def test_numbers_that_mean_nothing_are_refused(teacher):
    with pytest.raises(RecipeError, match=rf"teacher\.{next(iter(teacher))}"):
        loaded(teacher)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"teacher": {"peers": 2, "ema": 0.9}}, "got both peers and ema; name one"),
        (
            {"teacher": {"peers": 2, "train": {}}},
            "teacher.train: teacher.peers is for those who have no teacher; remove",
        ),
        (
            {"teacher": {"ema": 0.9, "from": "given"}},
            "teacher.from: teacher.ema is for those who have no teacher; remove",
        ),
        (
            {"teacher": {"peers": 2, "weights": "w.safetensors"}},
            "teacher.weights: teacher.peers is for those who have no",
        ),
        ({"teacher": {"peers": 2, "min_quality": 0.9}}, "teacher.min_quality: teacher.peers is for those who have no"),
        (
            {"teacher": {"peers": 2, "shares": "learned"}},
            "teacher.shares: teacher.peers is for those who have no teacher",
        ),
        ({"teacher": {"peers": 2, "adapt": "head"}}, "teacher.adapt: teacher.peers is for those who have no teacher"),
        (
            {"teacher": {"ema": 0.9, "ensemble": ["given", "given"]}},
            "teacher.ensemble: teacher.ema is for those who have no",
        ),
        ({"guide": {"from": "somewhere/else"}}, "guide.from: teacher.peers has no study guide, for its answers change"),
        ({"guide": {"features": {"body": "int8"}}}, "guide.features: teacher.peers has no study guide"),
        ({"guide": "always"}, "teacher.peers has no study guide, for its answers change at every step; remove it"),
        ({"guide": {"signal": "top-k", "k": 3}}, "guide.signal: teacher.peers has no study guide"),
        ({"lineage": {"generations": 2}}, "each link needs a finished teacher, and teacher.peers has none; remove one"),
        ({"stages": {"objective": "hard-labels"}}, "teacher.peers learns in one stage, with the student; remove them"),
        ({"verdict": {"arms": ["teacher-labels"]}}, "and teacher.peers has none; write arms: []"),
        ({"runtime": {"strategy": "fsdp"}}, "teacher.peers needs whole models in each process; use ddp"),
        ({"runtime": {"mixed_precision": "fp16"}}, "teacher.peers has no loss scaler a peer; use bf16, or no"),
        (
            {"train": {"balance": True}},
            "weighs terms at the first step, when teacher.peers knows nothing yet; remove it",
        ),
        (
            {"train": {"compile": True}},
            "teacher.peers trains several models at once, which are not compiled; remove it",
        ),
        (
            {"objective": {"weight": "auto"}},
            "auto tries the teacher alone, and teacher.peers knows nothing at first; give",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_it_does_not_go_with(others, said):
    with pytest.raises(RecipeError) as refused:
        loaded(**{"teacher": {"peers": 2}, **others})
    assert said in str(refused.value)


def test_an_average_may_go_with_what_only_peers_refuse():
    assert loaded({"ema": 0.9}, train={"compile": True, "ema": 0.99}, runtime={"mixed_precision": "fp16"}).teacher.grows
