"""`init` writes recipes that are right and say why; `check` tells what a run would do; the lists are whole."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import limbeck as lk
from limbeck import recipe as recipes
from limbeck.cli.shown import check_lines
from limbeck.errors import DataError, InputError, TrustError
from limbeck.exporting.onnx import to_onnx
from limbeck.objectives import METHODS
from limbeck.recipe.text import parse
from limbeck.training.randomness import states
from limbeck.verbs.init import Look, look, recipe_text

SMALL = {
    "data": {"train": "digits", "keep_labels": 0.1},
    "teacher": {"train": {"width": 4, "depth": 1, "epochs": 2}},
    "student": {"width": 4, "depth": 1},
    "train": {"epochs": 2, "batch_size": 64},
}


def pictures(folder, classes=("cat", "dog"), each=6, side=16):
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            Image.new("RGB", (side, side), (number * 20, 0, 0)).save(folder / name / f"{number}.png")
    return folder


def test_a_recipe_for_digits_says_what_was_seen(tmp_path):
    path = lk.init(data="digits", out=tmp_path / "photos of mine.yaml")
    text = path.read_text()
    assert "uint8 image, 1 x 8 x 8; all labelled" in text
    assert "of 10 classes: 0, 1, 2, 3, 4, 5, ... 9" in text
    found = recipes.load(path)
    assert (found.name, found.data.train, found.student.family) == ("photos-of-mine", "digits", "convnet")
    assert all(line.count("#") or ":" in line or not line for line in text.splitlines())


def test_paths_hold_from_where_the_recipe_lies(tmp_path, monkeypatch):
    pictures(tmp_path / "my photos")
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    path = lk.init(data="my photos", out="recipes/r.yaml")
    assert "train: ../my photos" in path.read_text()
    assert recipes.load(path).data.train == str(tmp_path / "my photos")
    assert recipes.load(lk.init(data=str(tmp_path / "my photos"), out="s.yaml")).data.train == str(
        tmp_path / "my photos"
    )


def test_splits_that_the_data_bring_are_used(tmp_path):
    for split in ("train", "test", "val", "unlabelled"):
        pictures(tmp_path / "data" / split)
    found = recipes.load(lk.init(data=tmp_path / "data", out=tmp_path / "r.yaml"))
    assert found.data.validation == found.data.unlabelled == str(tmp_path / "data")
    assert found.data.test is None
    assert look(str(tmp_path / "data")).splits == ("test", "validation", "unlabelled")


def test_unlabelled_examples_are_counted_and_explained(tmp_path):
    y = np.where(np.arange(60) % 3 == 0, np.arange(60) % 2, -1)
    np.savez(tmp_path / "d.npz", x=np.zeros((60, 5), dtype=np.float32), y=y)
    text = lk.init(data=tmp_path / "d.npz", out=tmp_path / "r.yaml").read_text()
    assert "40 of them without a label" in text
    assert "The 40 unlabelled examples teach only through the teacher" in text
    assert recipes.load(tmp_path / "r.yaml").student.family == "mlp"


@pytest.mark.parametrize("name", ["a\n# evil: 1\nb", "}: [", "'", "\u2028x", "caf\u00e9", "x" * 500, "# c", ": d"])
@pytest.mark.parametrize("where", ["./d", "./no: {[ #'\"", "./a\nb", "-", "~/x"])
def test_no_name_can_break_the_recipe(name, where):
    seen = Look(100, (name, "dog"), (60, 40), 0, (3, 32, 32), "uint8 image, 3 x 32 x 32", ("validation", "unlabelled"))
    values = parse(recipe_text(seen, where=where, name="n", file="r.yaml"), "r.yaml").values
    assert values["data"]["train"] == values["data"]["validation"] == where
    recipes.from_mapping(values)
    assert set(values) == {"name", "data", "teacher", "student", "objective", "train", "verdict", "tune", "export"}


@pytest.mark.parametrize("examples", [2, 40, 1_000, 60_000, 10_000_000])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 224, 224), (7,)])
def test_every_size_of_data_gets_a_recipe_that_is_right(examples, shape):
    seen = Look(examples, ("a", "b"), (examples // 2, examples - examples // 2), 0, shape, "spec", ())
    found = recipes.from_mapping(parse(recipe_text(seen, where="./d", name="n", file="r.yaml"), "r").values)
    assert 16 <= found.train.batch_size <= 256
    assert 20 <= found.train.epochs <= 100


def test_a_table_gets_a_recipe_that_opens_it(tmp_path):
    pytest.importorskip("pyarrow")
    rows = "".join(f"{row * 0.5},{row},{'it' if row % 3 else 'not it'}\n" for row in range(90))
    (tmp_path / "t.csv").write_text("a,b,вид\n" + rows, encoding="utf-8")
    with pytest.raises(DataError, match=r"no column is called label.*'вид'"):
        lk.init(data=tmp_path / "t.csv", out=tmp_path / "r.yaml")
    path = lk.init(data=tmp_path / "t.csv", out=tmp_path / "r.yaml", label="вид")
    found = recipes.load(path)
    assert found.data.train == str(tmp_path / "t.csv")
    assert found.data.columns.label == "вид"
    assert lk.check(recipe=path)
    with pytest.raises(InputError, match="is no table"):
        lk.init(data="digits", out=tmp_path / "s.yaml", label="вид")
    with pytest.raises(InputError, match="no code is run"):
        lk.init(data="mine:make", out=tmp_path / "s.yaml")


def test_init_refuses(tmp_path):
    (tmp_path / "r.yaml").write_text("mine")
    with pytest.raises(InputError, match="not overwritten"):
        lk.init(data="digits", out=tmp_path / "r.yaml")
    with pytest.raises(DataError, match="no such file or folder"):
        lk.init(data="nothing", out=tmp_path / "s.yaml")
    pictures(tmp_path / "one", classes=("cat",))
    with pytest.raises(DataError, match="at least 2"):
        lk.init(data=tmp_path / "one", out=tmp_path / "s.yaml")
    assert not (tmp_path / "s.yaml").exists()


def test_check_counts_what_a_run_would_use():
    found = lk.check(recipe=SMALL)
    count = found.examples
    whole = count["labelled"] + count["unlabelled"] + count["validation"]
    assert count["teacher"] > count["labelled"]
    assert whole + count["test"] == 1797
    assert found.student.params < found.teacher.params
    assert found.student.steps == -(-2 * (count["labelled"] + count["unlabelled"]) // 64)
    assert [arm.role for arm in found.arms] == ["student", "baseline", "teacher-labels"]
    assert len({(arm.candidates, arm.runs, arm.steps) for arm in found.arms}) == 1, "the same budget for every arm"
    assert found.training_memory_mb > 0
    json.loads(found.model_dump_json())


def test_check_says_where_a_run_is_too_short_for_any_student():
    told = "steps are few for any student"
    assert any(told in note for note in lk.check(recipe=SMALL).notes)
    longer = {**SMALL, "train": {"epochs": 20, "batch_size": 64}}
    assert not any(told in note for note in lk.check(recipe=longer).notes)


def test_check_leaves_random_generators_alone():
    before = states()
    lk.check(recipe=SMALL)
    after = states()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_check_tells_of_copies(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x[:40], y=np.arange(40) % 2)
    np.savez(tmp_path / "b.npz", x=np.concatenate([x[40:], x[:40]])[:60:3], y=np.arange(20) % 2)
    np.savez(tmp_path / "c.npz", x=np.concatenate([x[40:], x[:1]]), y=np.arange(21) % 2)
    data = {"train": str(tmp_path / "a.npz"), "validation": str(tmp_path / "c.npz")}
    changes = {"data": data, "student": {"family": "mlp"}, "teacher": {"train": {"family": "wide-mlp"}}}
    found = lk.check(recipe={**SMALL, **changes})
    assert "validation shares 1 of 21 examples with the training data" in found.notes
    with pytest.raises(DataError, match="test shares 13 of 20"):
        lk.check(
            recipe={
                **SMALL,
                **changes,
                "data": {"train": data["train"], "test": str(tmp_path / "b.npz"), "validation": data["validation"]},
            }
        )


def test_check_follows_the_recipe():
    quiet = lk.check(recipe={**SMALL, "verdict": {"seeds": 0}, "tune": {"trials": 0}})
    assert [(arm.role, arm.candidates, arm.runs) for arm in quiet.arms] == [("student", 1, 1)]
    two = lk.check(recipe=SMALL, overrides={"verdict.seeds": 2})
    assert any("always inconclusive" in note for note in two.notes)
    larger = lk.check(recipe=SMALL, overrides={"train.batch_size": 128})
    assert larger.training_memory_mb > two.training_memory_mb


def test_check_counts_the_memory_of_a_piece_and_of_weights_kept_beside():
    def megabytes(**changes):
        return lk.check(recipe={**SMALL, "student": student, "train": {"epochs": 1, **changes}}).training_memory_mb

    student = {"family": "convnet", "width": 4, "depth": 1}
    assert megabytes(batch_size=8000, accumulate=4) < 0.3 * megabytes(batch_size=8000)
    student = {"family": "mlp", "width": 512, "depth": 2}
    weights = lk.check(recipe={**SMALL, "student": student}).student.params * 4 / 2**20
    plain = megabytes(batch_size=8)
    assert megabytes(batch_size=8, ema=0.9) - plain == pytest.approx(weights, abs=0.1)
    assert megabytes(batch_size=8, ema=0.9, patience=1) - plain == pytest.approx(2 * weights, abs=0.1)


def test_check_does_not_guess_what_an_onnx_teacher_costs(tmp_path):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)).eval()
    to_onnx(net, torch.zeros(2, 1, 8, 8), tmp_path / "teacher.onnx")
    found = lk.check(recipe={**SMALL, "teacher": {"from": str(tmp_path / "teacher.onnx")}})
    assert (found.teacher.params, found.teacher.macs) == (650, None)
    assert "650 parameters, multiply-accumulates not counted" in " ".join(check_lines(found))


def test_check_holds_the_student_against_the_device():
    fits = lk.check(recipe=SMALL, overrides={"device": "phone"})
    assert fits.exceeds == []
    assert [line.split(":")[0] for line in fits.fits] == ["size_kb", "memory_kb"]
    tight = lk.check(recipe=SMALL, overrides={"device": {"size_kb": 0.5}})
    assert tight.exceeds[0].startswith("size_kb")


def test_check_refuses_what_distil_would_refuse():
    with pytest.raises(TrustError, match="--trust-code"):
        lk.check(recipe={**SMALL, "teacher": {"from": "my_models:make"}})
    with pytest.raises(InputError, match="at least 1"):
        lk.check(recipe={**SMALL, "student": {"width": 0}})


def test_methods_are_those_of_recipes_and_every_card_is_filled():
    cards = lk.methods()
    assert [card.name for card in cards] == list(METHODS)
    for card in cards:
        assert all(getattr(card, name).strip() for name in card.__dataclass_fields__), card.name


def test_devices_are_those_of_recipes():
    for device in lk.devices():
        found = recipes.from_mapping({**SMALL, "device": device.name})
        assert found.device is not None
        assert found.device.profile == device
