"""Objectives on activations in whole runs: live and from guides, in stages, and what is refused before training."""

import json

import pytest
from safetensors.torch import load_file
from torch import nn

import limbeck as lk
from limbeck.errors import InputError, ModelError, RecipeError
from limbeck.runs.given import Given
from limbeck.verbs.planning import planned

HINT = {"method": "hint", "student": "body.0", "teacher": "0", "variant": "mean-square"}
STUDENT = {"family": "mlp", "width": 8, "depth": 1}


@pytest.fixture(scope="module")
def places():
    """Paths of a layer in the middle of the tiny student and teacher."""
    from limbeck import students, teachers

    def middle(module: nn.Module) -> str:
        linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
        return linear[0]

    student = students.build(STUDENT, inputs=(1, 8, 8), outputs=10)
    teacher = teachers.build({"family": "wide-mlp", "width": 24, "depth": 1}, inputs=(1, 8, 8), outputs=10)
    return middle(student), middle(teacher)


@pytest.fixture(scope="module")
def hint(places):
    return {"method": "hint", "student": places[0], "teacher": places[1], "variant": "mean-square"}


def run_of(tiny, out, **changes):
    return lk.distil(recipe=tiny(verdict={"seeds": 1, "arms": []}, tune={"trials": 0}, **changes), out=out).record


def curve(out, role="student"):
    for done in out.glob("checkpoints/*/done.json"):
        found = json.loads(done.read_text())
        if found["name"].startswith(role):
            return found["history"]
    raise AssertionError(role)


def test_a_hint_is_learnt_from_a_live_teacher(tiny, tmp_path, quick, hint):
    soft = {"method": "soft-targets", "temperature": 2.0}
    record = run_of(tiny, tmp_path / "run", objective=[hint, soft])
    assert any("reads its" in note for note in record.notes)
    history = curve(tmp_path / "run")
    assert {"train/hint", "train/soft-targets"} <= history[-1]["values"].keys()
    assert history[-1]["values"]["train/hint"] < history[0]["values"]["train/hint"]
    for weights in tmp_path.glob("run/checkpoints/*/weights.safetensors"):
        assert not any("bridge" in name for name in load_file(weights)), "bridges are dropped from the student"


def test_and_from_a_guide_that_keeps_the_activation(tiny, tmp_path, quick, hint):
    soft = {"method": "soft-targets", "temperature": 2.0}
    live = run_of(tiny, tmp_path / "live", objective=[hint, soft], guide={"use": "never"})
    read = run_of(tiny, tmp_path / "read", objective=[hint, soft], guide={"use": "always"})
    assert any("study guide" in note for note in read.notes)
    assert read.fingerprints.teacher != live.fingerprints.teacher, "float16 activations are not the live teacher's"
    for one, two in zip(curve(tmp_path / "live"), curve(tmp_path / "read"), strict=True):
        assert two["values"] == pytest.approx(one["values"], rel=2e-2, abs=2e-2)


def test_stages_train_one_after_the_other_for_as_many_steps_as_a_baseline(tiny, tmp_path, quick, hint):
    """FitNets: first the lower part, towards the hint; then the whole student, without it."""
    fading = {"kind": "decay", "value": 4.0, "end": 1.0}
    later = [{"method": "hard-labels"}, {"method": "soft-targets", "temperature": 2.0, "weight": fading}]
    record = run_of(
        tiny, tmp_path / "run", stages={"objective": hint, "share": 0.5}, objective=later,
        train={"epochs": 4, "evaluations": 4},
    )  # fmt: skip
    steps = {model.role: model.steps for model in record.models}
    assert steps["student"] == steps["baseline"]
    rows = [set(row["values"]) for row in curve(tmp_path / "run")]
    assert any("train/hint" in row and "train/hard-labels" not in row for row in rows)
    assert "train/hint" not in rows[-1]


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (
            [{"method": "hint", "student": "nowhere", "teacher": "nothing"}, {"method": "soft-targets"}],
            r"tap 'nowhere' \(objective.student\): the student has no such part.* `limbeck taps RECIPE` lists",
        ),
        ([HINT | {"weight": 0.5}], r"tap .0. \(objective.teacher, guide.features\): the teacher has no such part"),
        ([{"method": "gradient-attention", "weight": 0.1}, {"method": "soft-targets"}], "study guide"),
    ],
    ids=["tap", "teacher's tap", "gradients in a guide"],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(terms, words, tiny):
    recipe = tiny(objective=terms, guide={"use": "always"})
    with pytest.raises(InputError, match=words):
        planned(recipe, Given(), {"name": "refused"})


def test_a_hint_alone_would_leave_the_classifier_as_it_began(tiny, hint):
    with pytest.raises(ModelError, match=r"never reaches .* \((?!core)\w+[.]"):
        planned(tiny(objective=[hint]), Given(), {"name": "refused"})
    assert (
        planned(
            tiny(objective=[{"method": "soft-targets"}], stages=[{"objective": [hint]}]), Given(), {"name": "taken"}
        )
        .arms[0]
        .earlier
    )


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([{"objective": "hard-labels", "share": 0.6}, {"objective": "hard-labels", "share": 0.4}], "leave no step"),
        ([{"objective": {"method": "hard-labels", "weight": "auto"}}], "auto is for the last stage"),
        ([{"objective": "no-such-method"}], "no-such-method"),
        ([{"share": 0.2}], "objective"),
        ([{"objective": {"method": "soft-targets", "temperature": "auto"}}], "temperature"),
    ],
    ids=["shares", "auto weight", "unknown", "none", "auto temperature"],
)
def test_stages_that_cannot_be_are_refused(stages, words, tiny):
    with pytest.raises(RecipeError, match=words):
        planned(tiny(stages=stages), Given(), {"name": "refused"})


def test_a_stage_reads_a_sparse_guide_at_what_is_written_in_it_too(tiny):
    guide = {"signal": "top-k", "k": 3, "temperatures": [1.0]}
    stage = {"objective": {"method": "soft-targets", "temperature": 2.0}}
    with pytest.raises(RecipeError, match="2 is not written in the guide"):
        planned(tiny(objective="soft-targets", stages=[stage], guide=guide), Given(), {"name": "refused"})


def test_relations_between_answers_need_no_taps(tiny):
    assert planned(tiny(objective=[{"method": "rkd-distance"}]), Given(), {"name": "taken"}).arms[0].role == "student"


def test_input_gradients_are_asked_of_a_live_teacher(tiny, tmp_path, quick):
    terms = [{"method": "gradient-attention", "weight": 0.01}, {"method": "hard-labels"}]
    run_of(tiny, tmp_path / "run", objective=terms)
    assert "train/gradient-attention" in curve(tmp_path / "run")[-1]["values"]
