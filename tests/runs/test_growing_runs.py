"""Whole runs without a teacher: peers and averages, from the recipe and from Python, interrupted, reported, refused."""

import copy
import json

import pytest
import torch

import limbeck as lk
from limbeck.cli.shown import check_lines
from limbeck.errors import InputError, Interrupted, RecipeError
from limbeck.training.sitting import Sitting

GROWN = [{"peers": 2}, {"ema": 0.9}]
each = pytest.mark.parametrize("teacher", GROWN, ids=str)


def recipe_of(tiny, teacher, **changes):
    made = tiny(verdict={"seeds": 1}, tune={"trials": 0}, **changes)
    return {**made, "teacher": teacher}


def run_of(tiny, out, teacher, **changes):
    return lk.distil(recipe=recipe_of(tiny, teacher, **changes), out=out)


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """One whole run of each, nothing left out."""
    return {
        next(iter(teacher)): lk.distil(
            recipe=recipe_of(tiny, teacher) | {"verdict": {"seeds": 3}}, out=tmp_path_factory.mktemp("grown") / "run"
        )
        for teacher in GROWN
    }


@pytest.mark.parametrize("kind", ["peers", "ema"])
def test_record_report_and_card_tell_that_nobody_taught(kind, whole):
    run = whole[kind]
    assert {model.role for model in run.record.models} == {"student", "baseline"}
    assert run.record.verdict is not None
    assert run.record.comparisons == []
    told = {"peers": "2 students learn together", "ema": "listens to the moving average of the student's own weights"}
    assert any(note.startswith("There is no teacher") and told[kind] in note for note in run.record.notes)
    page, card = run.report.read_text("utf-8"), (run.student / "README.md").read_text("utf-8")
    assert "There is no teacher" in page
    assert "the same student alone" in run.verdict.sentence
    for wrong in ("soft targets</", "holds for this teacher", "ratios are against the teacher", "without a teacher ("):
        assert wrong not in page.split('<dl class="words')[0], wrong
    assert run.record.beside in page.replace("&#39;", "'")
    assert "made elsewhere" not in page + card
    assert not (run.folder / "guide").exists()
    assert not (run.folder / "teacher").exists()
    assert {"peers": "1 peer that learns beside", "ema": "moving average"}[kind] in card


@each
def test_done_again_from_the_resolved_recipe_it_is_the_same(teacher, tiny, tmp_path, quick, trainings):
    first = run_of(tiny, tmp_path / "a", teacher)
    lk.distil(recipe=first.folder / "recipe.yaml", out=tmp_path / "b")
    assert trainings(tmp_path / "a") == trainings(tmp_path / "b")
    assert trainings(tmp_path / "a").keys() == {"student, seed 3", "baseline, seed 3"}


def test_how_it_grows_decides_which_training_it_is(tiny, tmp_path, quick, trainings):
    found = [run_of(tiny, tmp_path / str(n), teacher) for n, teacher in enumerate([*GROWN, {"peers": 3}, {"ema": 0.5}])]
    students = [trainings(run.folder)["student, seed 3"][0] for run in found]
    assert len(set(students)) == 4
    assert len({run.record.fingerprints.teacher for run in found}) == 4
    assert len({trainings(run.folder)["baseline, seed 3"][0] for run in found}) == 1
    folders = [{path.name for path in run.folder.glob("checkpoints/*/")} for run in found]
    assert len(set.union(*folders)) == 5


@each
def test_interrupted_and_called_again_it_is_the_same(teacher, tiny, tmp_path, quick, trainings, monkeypatch):
    changes = {"train": {"epochs": 2, "checkpoint_seconds": 0}}
    run_of(tiny, tmp_path / "whole", teacher, **changes)
    step, left = Sitting.step, []

    def stops(self, batch, progress, *, stop=False):
        values = step(self, batch, progress, stop=stop)
        if progress.step == left[-1]:
            self.save(progress)
            raise Interrupted("stopped here")
        return values

    for moment in (3, 5):
        left.append(moment)
        with monkeypatch.context() as patch:
            patch.setattr(Sitting, "step", stops)
            with pytest.raises(Interrupted):
                run_of(tiny, tmp_path / "cut", teacher, **changes)
    run_of(tiny, tmp_path / "cut", teacher, **changes)
    assert trainings(tmp_path / "cut") == trainings(tmp_path / "whole")


def test_peers_begin_apart_and_the_student_as_it_does_alone(tiny):
    from limbeck.recipe import from_mapping
    from limbeck.runs.given import Given
    from limbeck.runs.growing import growth_of
    from limbeck.runs.plan import plan

    made = plan(from_mapping(recipe_of(tiny, {"peers": 3})), Given())
    growth = growth_of(made.recipe)
    models = [made.student.prepared(0), *growth.beside(made.student, 0).models, *growth.beside(made.student, 1).models]
    weights = [next(model.core.parameters()) for model in models]
    assert len({tuple(each.flatten().tolist()) for each in weights}) == 5
    again = growth.beside(made.student, 0).models
    assert all(torch.equal(a, next(b.core.parameters())) for a, b in zip(weights[1:3], again, strict=True))


@each
def test_from_python_with_modules_of_ones_own(teacher, net, digits, tmp_path, quick):
    key, value = next(iter(teacher.items()))
    run = lk.distil(
        student=lambda: net.kind(width=8), data=digits, out=tmp_path / "run",
        overrides={f"teacher.{key}": value, "train.epochs": 1, "tune.trials": 0, "verdict.seeds": 1},
    )  # fmt: skip
    assert "HardLabels" in run.record.objective
    assert "SoftTargets(temperature=1)" in run.record.objective


@each
def test_unlabelled_examples_serve(teacher, tiny, tmp_path, quick):
    run = run_of(tiny, tmp_path / "run", teacher)
    assert run.record.data.unlabelled > run.record.data.labelled


@each
@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ("soft-targets", "no term on the labels"),
        ([{"method": "dkd"}, {"method": "hard-labels", "weight": 0.0}], "no term on the labels"),
        ("hard-labels", "listens to nobody"),
        ([{"method": "hard-labels"}, {"method": "hint", "student": "1", "teacher": "1"}], "gives answers only"),
    ],
    ids=str,
)
def test_objectives_that_make_no_sense_are_refused(teacher, objective, said, tiny, tmp_path):
    with pytest.raises(RecipeError, match=said):
        run_of(tiny, tmp_path / "run", teacher, objective=objective)
    assert not (tmp_path / "run").exists()


def test_an_objective_from_python_is_looked_at_too(tiny, tmp_path):
    with pytest.raises(RecipeError, match="no term on the labels"):
        lk.distil(recipe=recipe_of(tiny, {"peers": 2}), objective=lk.SoftTargets(1.0), out=tmp_path / "run")


def test_a_module_as_student_has_no_peers(net, digits, tmp_path):
    overrides = {"teacher.peers": 2, "train.epochs": 1, "tune.trials": 0, "verdict.seeds": 1}
    with pytest.raises(RecipeError, match="nothing to tell one another; pass a function"):
        lk.distil(student=net(), data=digits, overrides=overrides, out=tmp_path / "run")


def test_a_teacher_beside_peers_is_refused(net, digits, tmp_path):
    with pytest.raises(InputError, match="is for those who have no teacher"):
        lk.distil(teacher=net(), student=net.kind, data=digits, overrides={"teacher.peers": 2}, out=tmp_path / "run")


@each
def test_nothing_to_label_or_to_study(teacher, tiny, tmp_path):
    with pytest.raises(RecipeError, match="there is none to label with"):
        lk.label(recipe=recipe_of(tiny, teacher), out=tmp_path / "guide")
    with pytest.raises(RecipeError, match="studies compare what a finished teacher does"):
        lk.study(kind="methods", recipe=recipe_of(tiny, teacher), out=tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


@each
def test_check_and_taps_speak_of_it(teacher, tiny):
    recipe = recipe_of(tiny, teacher)
    found = lk.check(recipe=recipe)
    lines = "\n".join(check_lines(found))
    assert {"peers": "1 peer that learns beside the student", "ema": "decay 0.9"}[next(iter(teacher))] in lines
    assert any("a step costs" in note.lower() for note in found.notes)
    alone = lk.check(recipe=copy.deepcopy(tiny()))
    assert found.training_memory_mb >= alone.training_memory_mb
    assert [each.role for each in lk.taps(model=recipe).models] == ["student"]


def test_the_record_can_be_read_without_a_teacher(whole):
    record = json.loads((whole["peers"].folder / "record.json").read_text())
    assert all(model["fidelity"] is None for model in record["models"])
