"""Runs that read a study guide: when one is written, that nothing changes by it, and who may label whom."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import limbeck as lk
from limbeck.core.batch import Batch
from limbeck.core.progress import Silent
from limbeck.data.loader import evaluation_batches
from limbeck.data.memory import from_arrays
from limbeck.data.preprocess import PreprocessSpec
from limbeck.errors import GuideError, RecipeError
from limbeck.guide.write import rows_at_once
from limbeck.recipe import from_mapping
from limbeck.runs.given import Given
from limbeck.runs.guided import hear, rows_asked, views_needed
from limbeck.runs.plan import plan
from limbeck.runs.teacher import raise_teacher
from limbeck.teachers.crossfit import CrossFitted, folds_of
from limbeck.teachers.live import LiveTeacher
from limbeck.teachers.turns import TakingTurns

RECIPE = {
    "name": "guided",
    "data": {"train": "digits", "keep_labels": 0.2, "views": {"count": 2, "ops": [{"op": "shift", "pixels": 1}]}},
    "teacher": {"train": {"family": "resnet", "width": 8, "depth": 1, "epochs": 1}},
    "student": {"family": "convnet", "width": 8, "depth": 1},
    "objective": {"method": "soft-targets", "temperature": 2.0},
    "train": {"epochs": 3, "batch_size": 128, "learning_rate": 0.01},
    "tune": {"trials": 0},
    "verdict": {"seeds": 2, "arms": []},
    "export": ["onnx"],
}


def made(**overrides):
    return plan(
        from_mapping(RECIPE, overrides={key.replace("__", "."): value for key, value in overrides.items()}), Given()
    )


def weights(run):
    return json.loads((run.student / "config.json").read_text())["sha256"]["model.safetensors"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guided")
    return {
        use: lk.distil(recipe=RECIPE, out=folder / use, overrides={"guide.use": use}) for use in ("never", "always")
    }


def test_a_float32_guide_changes_no_bit_of_what_is_learnt(runs):
    assert weights(runs["never"]) == weights(runs["always"])
    never, always = ([m.quality for m in run.record.models] for run in runs.values())
    assert never == always


def test_the_guide_lies_in_the_run_and_the_reader_is_told(runs):
    assert lk.guide_info(guide=runs["always"].folder / "guide")["finished"]
    assert not (runs["never"].folder / "guide").exists()
    assert any("spoke once" in note for note in runs["always"].record.notes)
    assert any("runs at every step" in note for note in runs["never"].record.notes)


def test_the_teacher_of_a_run_is_asked_again(runs):
    found = lk.verify_guide(guide=runs["always"].folder / "guide", sample=200)
    assert found.ok
    assert found.rows == found.exact == 200


def test_one_is_written_when_it_pays():
    few, many = made(verdict__seeds=1), made(verdict__seeds=5)
    written = len(few.splits.transfer) * views_needed(few)
    assert views_needed(few) == 2
    assert rows_asked(few) == few.steps * 128
    assert rows_asked(many) == 5 * rows_asked(few)
    assert rows_asked(many) > 1.2 * written


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"data__views__count": None, "verdict__seeds": 1}, "would not pay"),
        ({"guide__max_gb": 1e-9}, "more than guide.max_gb"),
        ({"guide__max_gb": 1e-3, "guide__features": {"stem": "float16"}}, "name fewer guide.features"),
        ({"guide__use": "never"}, "guide.use: never"),
    ],
    ids=["would-not-pay", "too-large", "activations-too-large", "never"],
)
def test_the_teacher_is_asked_live_where_a_guide_does_not_pay(tmp_path, overrides, said):
    chosen = made(**overrides)
    teacher = LiveTeacher(
        chosen.teacher.make(0), preprocess=chosen.teacher.preprocess, classes=chosen.splits.classes, chunk=128,
        taps=tuple(chosen.recipe.guide.features),
    )  # fmt: skip
    heard = hear(chosen, teacher, tmp_path, Silent())
    assert heard.source is teacher
    assert said in heard.note
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            {"guide.signal": "sampled", "guide.draws": 5, "guide.temperature": 2.0, "verdict.arms": ["teacher-labels"]},
            "cannot read",
        ),
        ({"guide.signal": "top-k", "guide.k": 3, "guide.temperatures": [1.0]}, "2 is not written in the guide"),
        ({"guide.use": "never", "guide.signal": "top-k", "guide.k": 3}, "a guide is described"),
        ({"guide.signal": "topk"}, "top-k"),
        ({"teacher": "guide"}, "say where that is"),
    ],
)
def test_what_a_guide_cannot_teach_is_refused(overrides, said):
    with pytest.raises(RecipeError, match=said):
        from_mapping(RECIPE, overrides=overrides)


@pytest.mark.parametrize(
    "signal",
    [
        {"guide.signal": "top-k", "guide.k": 3, "guide.temperatures": [2.0]},
        {"guide.signal": "sampled", "guide.draws": 8, "guide.temperature": 2.0},
        {"guide.dtype": "float16"},
    ],
)
@pytest.mark.usefixtures("quick")
def test_students_learn_from_every_signal(tmp_path, signal):
    run = lk.distil(
        recipe=RECIPE, out=tmp_path / "run", overrides={**signal, "guide.use": "always", "verdict.seeds": 0}
    )
    student = next(model for model in run.record.models if model.role == "student")
    losses = [
        row["values"]["train/soft-targets"] for row in json.loads((run.folder / student.history.path).read_text())
    ]
    assert losses[-1] < 0.8 * losses[0]
    assert (run.folder / "guide" / "manifest.json").exists()


@pytest.mark.usefixtures("quick")
def test_a_guide_of_label_is_read_and_its_teacher_is_not_trained_again(tmp_path):
    facts = lk.label(recipe=RECIPE, out=tmp_path / "guide").facts
    assert facts["views"]["count"] == 2
    overrides = {"guide.from": str(tmp_path / "guide"), "verdict.seeds": 0}
    run = lk.distil(recipe=RECIPE, out=tmp_path / "run", overrides=overrides)
    trained = [json.loads(path.read_text())["name"] for path in (run.folder / "checkpoints").glob("*/done.json")]
    assert trained == ["student, seed 0"]
    again = lk.label(recipe=RECIPE, out=tmp_path / "guide").facts
    assert again["fingerprint"] == facts["fingerprint"]


def test_a_guide_of_another_teacher_is_refused_by_name(tmp_path):
    lk.label(recipe=RECIPE, out=tmp_path / "guide")
    overrides = {"guide.from": str(tmp_path / "guide"), "verdict.seeds": 0, "teacher.train.width": 4}
    with pytest.raises(GuideError, match="another teacher"):
        lk.distil(recipe=RECIPE, out=tmp_path / "run", overrides=overrides)


def test_labels_that_others_made_teach_without_a_teacher(tmp_path):
    recipe = {**RECIPE, "teacher": "guide", "guide": {"from": str(tmp_path / "guide")}, "verdict": {"seeds": 3}}
    recipe["data"] = {"train": "digits", "keep_labels": 0.2}
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe))
    from limbeck.data.open import open_source

    whole = open_source("digits", split="train")
    sure = np.full((len(whole), 10), 0.02)
    sure[np.arange(len(whole)), whole.labels] = 0.82
    np.savez(tmp_path / "api.npz", probabilities=sure)
    lk.import_guide(file=tmp_path / "api.npz", origin="a test", out=tmp_path / "guide", recipe=file)
    run = lk.distil(recipe=file, out=tmp_path / "run")
    assert {model.role for model in run.record.models} == {"student", "baseline", "teacher-labels"}
    assert all(model.fidelity is None for model in run.record.models)
    assert "made elsewhere" in (run.student / "README.md").read_text()
    assert run.verdict.difference > 0


def test_imported_labels_do_not_teach_augmented_views_unless_told(tmp_path):
    source = from_arrays(np.zeros((8, 1, 8, 8), np.uint8), np.arange(8) % 2, name="few/train", classes=("a", "b"))
    np.savez(tmp_path / "p.npz", probabilities=np.full((8, 2), 0.5))
    lk.import_guide(file=tmp_path / "p.npz", origin="a test", out=tmp_path / "guide", data=source)
    recipe = {**RECIPE, "teacher": "guide", "guide": {"from": str(tmp_path / "guide")}}
    with pytest.raises(GuideError, match="views are others"):
        lk.distil(recipe=recipe, out=tmp_path / "run")


def small_teacher(seed: int) -> LiveTeacher:
    torch.manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    return LiveTeacher(module, preprocess=PreprocessSpec(), classes=("a", "b", "c"), chunk=16)


def test_cross_fitting_asks_the_teacher_that_left_the_fold_out():
    whole, parts = small_teacher(0), [small_teacher(seed) for seed in (1, 2, 3)]
    ids = np.arange(100, 160, dtype=np.int64)
    crossed = CrossFitted(whole, parts, ids=ids, seed=5)
    asked = np.concatenate([ids, [7, 8]])
    inputs = torch.randn(len(asked), 4)
    batch = Batch(torch.from_numpy(asked), torch.zeros(len(asked), dtype=torch.long), inputs)
    said = crossed.signals(batch).logits
    folds = folds_of(ids, 3, 5)
    assert set(folds) == {0, 1, 2}
    for row, fold in enumerate([*folds, 3, 3]):
        alone = Batch(batch.ids[row : row + 1], batch.views[row : row + 1], inputs[row : row + 1])
        assert torch.equal(said[row], (whole if fold == 3 else parts[fold]).signals(alone).logits[0])
    assert crossed.fingerprint() != CrossFitted(whole, parts, ids=ids, seed=6).fingerprint()


def test_turns_are_drawn_by_example_and_view_with_their_shares():
    together, parts = small_teacher(0), [small_teacher(seed) for seed in (1, 2, 3)]
    turns = TakingTurns(together, parts, weights=[0.5, 0.5, 0.0], seed=5)
    ids, views = np.repeat(np.arange(300, dtype=np.int64), 4), np.tile(np.arange(4, dtype=np.int64), 300)
    drawn = turns.drawn(ids, views)
    assert 0.45 < (drawn == 0).mean() < 0.55
    assert set(drawn) == {0, 1}, "who has no weight is never asked"
    assert any(len(set(row)) == 2 for row in drawn.reshape(300, 4)), "another view, another turn"
    order = np.random.default_rng(0).permutation(len(ids))
    assert (turns.drawn(ids[order], views[order]) == drawn[order]).all()
    few = slice(0, 40)
    batch = Batch(torch.from_numpy(ids[few]), torch.from_numpy(views[few]), torch.randn(40, 4))
    said = turns.signals(batch).logits
    for row, number in enumerate(drawn[few]):
        alone = Batch(batch.ids[row : row + 1], batch.views[row : row + 1], batch.inputs[row : row + 1])
        assert torch.equal(said[row], parts[number].signals(alone).logits[0])
    others = (TakingTurns(together, parts, weights=[0.5, 0.5, 0.0], seed=6),
              TakingTurns(together, parts, weights=[0.4, 0.6, 0.0], seed=5))  # fmt: skip
    assert len({turns.fingerprint(), *(other.fingerprint() for other in others)}) == 3


def test_a_guide_of_turns_costs_about_one_teacher():
    """Rows that teachers compute, filled-up chunks included, over rows that are written."""
    together, parts = small_teacher(0), [small_teacher(seed) for seed in (1, 2, 3, 4)]
    computed = []
    for part in parts:
        part.module.register_forward_hook(lambda _module, inputs, _output: computed.append(len(inputs[0])))
    turns = TakingTurns(together, parts, weights=[0.25] * 4, seed=0)
    rows = SimpleNamespace(spec=SimpleNamespace(shape=(4,), dtype="float32"))
    at_once = rows_at_once(None, turns, turns.chunk, rows)
    for start in range(0, 8192, at_once):
        ids = torch.arange(start, min(start + at_once, 8192))
        turns.signals(Batch(ids, torch.zeros_like(ids), torch.zeros(len(ids), 4)))
    assert sum(computed) < 1.15 * 8192
    large = SimpleNamespace(spec=SimpleNamespace(shape=(3, 128, 128), dtype="uint8"))
    assert rows_at_once(None, turns, 128, large) == 16 * 128, "four chunks a teacher"
    assert rows_at_once(None, together, 128, large) == 128


def test_no_teacher_of_a_fold_was_trained_on_what_it_labels(tmp_path):
    chosen = made(teacher__train__folds=2)
    raised = raise_teacher(chosen, chosen.shop(tmp_path, Silent()))
    assert isinstance(raised.speaker, CrossFitted)
    own = folds_of(chosen.splits.teacher.ids, 2, chosen.recipe.seed)
    names = sorted(json.loads(p.read_text())["name"] for p in (tmp_path / "checkpoints").glob("*/done.json"))
    assert names == ["teacher", "teacher without fold 1 of 2", "teacher without fold 2 of 2"]
    batch = next(evaluation_batches(chosen.splits.teacher, 64))
    said = raised.speaker.signals(batch).logits
    for fold, part in enumerate(raised.speaker.parts):
        rows = np.flatnonzero(own[:64] == fold)
        assert torch.equal(said[rows], part.signals(batch).logits[rows])


def test_a_recipe_beside_a_guide_is_not_the_guides_own(tmp_path):
    source = from_arrays(np.zeros((8, 1, 8, 8), np.uint8), np.arange(8) % 2, name="few/train", classes=("a", "b"))
    np.savez(tmp_path / "p.npz", probabilities=np.full((8, 2), 0.5))
    lk.import_guide(file=tmp_path / "p.npz", origin="a test", out=tmp_path / "guide", data=source)
    (tmp_path / "recipe.yaml").write_text(json.dumps(RECIPE))
    before = sorted(path.name for path in tmp_path.iterdir())
    found = lk.verify_guide(guide=tmp_path / "guide")
    assert found.ok
    assert found.rows == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_label_needs_no_student(tmp_path):
    x = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    recipe = {"data": {"train": "given"}, "teacher": {"train": {"family": "wide-mlp", "width": 8, "epochs": 1}}}
    facts = lk.label(recipe=recipe, data=(x, np.arange(120) % 3), out=tmp_path / "guide").facts
    assert facts["outputs"] == 3
    found = lk.verify_guide(guide=tmp_path / "guide")
    assert found.ok
    assert found.rows == 0


@pytest.mark.parametrize("written", [(3.0,), (1.5, 3.0, 6.0)])
def test_a_sparse_guide_is_tried_at_what_is_written_in_it(written):
    overrides = {"guide.signal": "top-k", "guide.k": 3, "guide.temperatures": list(written), "tune.trials": 6}
    recipe = {**RECIPE, "objective": {"method": "soft-targets", "weight": "auto"}}
    arms = plan(from_mapping(recipe, overrides=overrides), Given()).arms
    heard = [settings["temperature"] for settings in arms[0].candidates if settings["teacher_share"]]
    assert set(heard) == set(written)
    assert arms[0].candidates[0]["teacher_share"] == 1
    assert {len(arm.candidates) for arm in arms} == {len(arms[0].candidates)}


def test_label_refuses_a_folder_before_it_trains(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(GuideError, match="other files"):
        lk.label(recipe=RECIPE, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_bad_guide_is_refused_before_the_run_begins(tmp_path):
    lk.label(recipe=RECIPE, out=tmp_path / "guide")
    overrides = {"guide.from": str(tmp_path / "guide"), "data.views.seed": 9}
    with pytest.raises(GuideError, match="seed"):
        lk.distil(recipe=RECIPE, out=tmp_path / "run", overrides=overrides)
    assert not (tmp_path / "run").exists()
