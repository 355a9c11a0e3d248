"""Options of `train` and `track`, through whole runs: what the record, its notes and the trackers then say."""

import json

import pytest

import limbeck as lk
from limbeck.errors import MissingDependencyError, OutOfMemoryError, RecipeError
from limbeck.objectives import SoftTargets
from limbeck.recipe import from_mapping, load
from limbeck.runs.given import Given
from limbeck.runs.plan import plan

pytestmark = pytest.mark.usefixtures("quick")


def recipe_of(tmp_path, text):
    path = tmp_path / "r.yaml"
    path.write_text(f"data: {{train: digits}}\nteacher: given\n{text}", encoding="utf-8")
    return load(path)


def test_early_stopping_is_one_rule_for_all_and_the_record_says_what_was_done(tiny, tmp_path):
    out = tmp_path / "run"
    train = {"epochs": 8, "patience": 1, "evaluations": 8, "ema": 0.5, "learning_rate": 0.3, "schedule": "constant"}
    run = lk.distil(recipe=tiny(train=train, tune={"short_share": 1.0}), out=out)
    record, most = run.record, 8 * 1222 // 128 + 8
    done = [json.loads(path.read_text()) for path in out.glob("checkpoints/*/done.json")]
    assert any(each["steps"] < max(d["steps"] for d in done) for each in done)
    students = [model for model in record.models if model.role != "teacher"]
    assert all(model.steps is not None and model.steps <= most for model in students)
    for model in students:
        rows = json.loads((out / model.history.path).read_text())
        assert rows[-1]["step"] == model.steps
        best = max(rows, key=lambda row: (row["values"]["val/accuracy"], -row["values"]["val/nll"]))
        kept = next(d["kept"] for d in done if d["history"] == rows)
        assert best["step"] == kept
        assert model.quality["validation"]["accuracy"].value == pytest.approx(best["values"]["val/accuracy"])
    (note,) = [note for note in record.notes if note.startswith("Training stopped early")]
    assert "after 1 look at validation without gain" in note
    for role in ("student", "baseline", "teacher-labels"):
        steps = [model.steps for model in students if model.role == role]
        assert f"{role} {sum(steps) / len(steps):,.0f}" in note
    assert any("moving averages" in note and "0.5" in note for note in record.notes)


def test_without_options_nothing_is_noted(tiny, tmp_path):
    record = lk.distil(recipe=tiny(), out=tmp_path / "run").record
    assert not [note for note in record.notes if "Training" in note or "averages" in note]


def test_every_training_is_tracked_once_and_tracking_changes_nothing(tiny, tmp_path, trainings):
    pytest.importorskip("tensorboard")
    plain, tracked = tmp_path / "plain", tmp_path / "tracked"
    lk.distil(recipe=tiny(), out=plain)
    lk.distil(recipe=tiny(), out=tracked)
    assert not (tracked / "track").exists()
    lk.distil(recipe=tiny(track="tensorboard"), out=tracked)  # named later: told of what is finished
    assert trainings(plain) == trainings(tracked)
    done = [json.loads(path.read_text()) for path in tracked.glob("checkpoints/*/done.json")]
    runs = sorted(path.name for path in (tracked / "track" / "tensorboard").iterdir())
    assert len(runs) == len(done)
    assert {name.rsplit("-", 1)[0] for name in runs} >= {"teacher-label_smoothing-0.0"}
    before = {path: path.stat().st_mtime_ns for path in (tracked / "track").rglob("*") if path.is_file()}
    lk.distil(recipe=tiny(track="tensorboard"), out=tracked)
    assert before == {path: path.stat().st_mtime_ns for path in (tracked / "track").rglob("*") if path.is_file()}
    assert "track:" in (tracked / "recipe.yaml").read_text()


def test_a_missing_tracker_is_said_before_anything_is_written(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("limbeck.tracking.tracking._PACKAGES", {"wandb": ("no_such_package",)})
    with pytest.raises(MissingDependencyError, match=r"limbeck\[track\]"):
        lk.distil(recipe=tiny(track={"kind": "wandb", "project": "x"}), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("track: wandb", [("wandb", None)]),
        ("track: {kind: mlflow, project: x}", [("mlflow", "x")]),
        ("track: [tensorboard, {kind: wandb, project: y}]", [("tensorboard", None), ("wandb", "y")]),
        ("track:", []),
        ("", []),
    ],
)
def test_trackers_are_named_shortly_or_at_length(text, kinds, tmp_path):
    assert [(track.kind, track.project) for track in recipe_of(tmp_path, text).track] == kinds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("track: tensorbord", "track"),
        ("track: [wandb, wandb]", "track[1]: wandb is named more than once"),
        ("track: {kind: tensorboard, project: x}", "track.project: tensorboard knows no projects"),
        ("train: {schedule: step, milestones: [0.5, 0.2]}", "train.milestones: must ascend"),
        ("train: {milestones: [0.5]}", "train.milestones: belongs to schedule: step, not cosine"),
        ("train: {step_factor: 0.5}", "train.step_factor: belongs to schedule: step"),
        ("train: {schedule: constant, final_share: 0.5}", "train.final_share: schedule: constant has no end"),
        ("train: {batch_size: 8, accumulate: 9}", "train.accumulate: a batch of 8 cannot be computed in 9 pieces"),
        ("train: {patience: 0}", "train.patience: got 0"),
        ("train: {ema: 1}", "train.ema: got 1"),
    ],
)
def test_what_does_not_go_together_is_named(text, said, tmp_path):
    with pytest.raises(RecipeError) as refused:
        recipe_of(tmp_path, text)
    assert said in str(refused.value)


def test_a_resolved_recipe_with_all_options_is_read_back_as_it_was(tmp_path):
    from limbeck.recipe import dump

    text = (
        "train: {schedule: step, milestones: [0.3, 0.9], step_factor: 0.5, accumulate: 4, ema: 0.99, patience: 3, "
        "compile: true}\ntrack: [mlflow, tensorboard]"
    )
    first = recipe_of(tmp_path, text)
    path = tmp_path / "resolved.yaml"
    path.write_text(dump(first), encoding="utf-8")
    assert load(path).model_dump(exclude={"name"}) == first.model_dump(exclude={"name"})


def test_pieces_of_a_coupled_objective_are_refused_before_the_run(tiny, tmp_path):
    class Relations(SoftTargets):
        couples_batch = True

    recipe = from_mapping(tiny(train={"accumulate": 2}))
    with pytest.raises(RecipeError, match="compares the examples of a batch"):
        plan(recipe, Given(objective=Relations()))


def test_memory_that_runs_out_names_the_training_and_a_batch_size(tiny, tmp_path, monkeypatch):
    import torch

    from limbeck.training.sitting import Sitting

    step = Sitting.step

    def hungry(self, batch, progress, **more):
        if progress.step == 2:
            self.rows = len(batch)
            torch.empty(2**60, dtype=torch.uint8)
        return step(self, batch, progress, **more)

    recipe = tiny(train={"checkpoint_seconds": 0})
    with monkeypatch.context() as scarce:
        scarce.setattr(Sitting, "step", hungry)
        with pytest.raises(OutOfMemoryError, match=r"teacher: a step with 128 .* train.batch_size: 64") as said:
            lk.distil(recipe=recipe, out=tmp_path / "run")
    assert "the same command goes on from step 2" in str(said.value)
    assert lk.distil(recipe=recipe, out=tmp_path / "run").record.models


def test_memory_that_runs_out_elsewhere_names_a_batch_size_too(tiny, tmp_path, monkeypatch):
    import torch

    def hungry(*_args, **_more):
        torch.empty(2**60, dtype=torch.uint8)

    with monkeypatch.context() as scarce:
        scarce.setattr("limbeck.runs.measured.predict", hungry)
        with pytest.raises(OutOfMemoryError, match=r"measuring does not fit into memory; .* train.batch_size: 64"):
            lk.distil(recipe=tiny(), out=tmp_path / "run")
    assert lk.distil(recipe=tiny(), out=tmp_path / "run").record.models
