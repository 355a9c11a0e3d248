"""From a file to a recipe and back: defaults, shorthands, paths, overrides."""

import copy

import pytest
import yaml

from limbeck import recipe
from limbeck.data.preprocess import PreprocessSpec
from limbeck.errors import RecipeError
from limbeck.recipe.model import Recipe, TeacherPreprocess
from limbeck.recipe.settings import SECTIONS, settings_model
from limbeck.recipe.shorthand import expand

LEAST = {"data": {"train": "digits"}, "teacher": "given"}

RICH = {
    "name": "rich",
    "seed": 3,
    "data": {
        "train": "photos",
        "test": "test.npz",
        "unlabelled": "more",
        "classes": ["cat", "dog"],
        "keep_labels": 0.1,
        "size": [32, 48],
        "channels": 3,
        "views": {"count": 4, "ops": ["flip", {"op": "crop", "share": [0.5, 1]}]},
    },
    "teacher": {
        "from": "models:make",
        "weights": "w.safetensors",
        "classes": ["dog", "cat"],
        "preprocess": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "size": [224, 224]},
        "min_quality": 0.9,
    },
    "student": {"family": "mlp", "width": 8},
    "device": {"latency_ms": 5, "memory_kb": 64},
    "objective": [
        {"method": "soft-targets", "temperature": 2, "weight": {"kind": "first", "share": 0.5}},
        {"method": "hard-labels", "weight": 0.1, "label_smoothing": 0.1},
    ],
    "train": {"epochs": 2, "optimiser": "sgd", "learning_rate": 0.1},
    "tune": {"trials": 0},
    "verdict": {"seeds": 3, "arms": []},
    "runtime": {"device": "cuda:1", "mixed_precision": "bf16"},
}


@pytest.fixture
def write(tmp_path):
    def write(text, name="my recipe.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "values", [LEAST, RICH, {**LEAST, "teacher": {"train": {"width": 8}}}, {**LEAST, "device": "phone"}]
)
def test_the_resolved_recipe_is_the_same_recipe_wherever_it_is_put(values, write):
    first = recipe.from_mapping(values)
    path = write(recipe.dump(first), "elsewhere.yaml")
    assert recipe.load(path) == first
    assert recipe.dump(recipe.load(path)) == recipe.dump(first)


def test_every_setting_stands_in_the_resolved_recipe():
    text = recipe.dump(recipe.from_mapping({**LEAST, "teacher": {"train": {}}}))
    values = yaml.safe_load(text)
    assert set(values) == set(Recipe.model_fields)
    assert {"width", "depth"} <= set(values["teacher"]["train"]) & set(values["student"])


def test_the_values_given_are_left_as_they_were():
    before = copy.deepcopy(RICH)
    recipe.from_mapping(RICH, overrides={"train.epochs": 9, "student.width": 4})
    assert before == RICH


def test_defaults():
    found = recipe.from_mapping(LEAST)
    assert (found.name, found.task, found.seed, found.train.epochs, found.verdict.seeds) == (
        "run",
        "multiclass",
        0,
        30,
        5,
    )
    (term,) = found.objective
    assert (term.method, term.settings["temperature"], term.weight.kind) == ("soft-targets", "auto", "auto")
    assert (found.student.family, found.device, found.export) == ("convnet", None, ("onnx",))


def test_without_tuning_nothing_is_left_to_choose():
    (term,) = recipe.from_mapping({**LEAST, "tune": {"trials": 0}}).objective
    assert term.settings["temperature"] == settings_model("limbeck.objectives.soft_targets:SoftTargets")().temperature
    assert term.weight.settings == {"value": 1.0}


def test_the_name_is_the_stem_made_safe(write):
    assert recipe.load(write(yaml.safe_dump(LEAST))).name == "my-recipe"
    assert recipe.load(write(yaml.safe_dump(LEAST), "....yaml")).name == "recipe"


def test_relative_paths_are_relative_to_the_recipe(write, tmp_path, monkeypatch):
    path = write(yaml.safe_dump(RICH))
    monkeypatch.chdir("/")
    found = recipe.load(path)
    assert found.data.train == str(tmp_path / "photos")
    assert found.data.test == str(tmp_path / "test.npz")
    assert found.teacher.weights == str(tmp_path / "w.safetensors")


def test_names_are_no_paths():
    found = recipe.from_mapping({"data": {"train": "digits"}, "teacher": {"from": "package.module:make"}})
    assert (found.data.train, found.teacher.from_) == ("digits", "package.module:make")
    assert recipe.from_mapping({"data": {"train": "./digits"}, "teacher": "given"}).data.train.endswith("/digits")


def test_shorthands_are_written_out():
    full, _ = expand({**LEAST, "device": "phone", "student": "given", "objective": {"weight": 0.5}, "export": "onnx"})
    assert full["teacher"] == {"from": "given"}
    assert full["student"] == {"module": "given"}
    assert full["device"] == {"name": "phone"}
    assert full["export"] == ["onnx"]
    assert full["objective"][0]["weight"] == {"kind": "constant", "value": 0.5}


def test_the_long_form_is_its_own_long_form():
    once, _ = expand(RICH)
    assert expand(once)[0] == once


def test_sections_may_stand_empty(write):
    text = "data: {train: digits}\nteacher: given\nstudent:\ntrain:\n  # epochs: 3\nobjective:\n"
    assert recipe.load(write(text)).train.epochs == 30


def test_overrides_reach_every_depth():
    sets = {
        "train.epochs": 5,
        "objective.temperature": 3,
        "data.views.ops": ["shift"],
        "device": "phone",
        "student.width": 4,
    }
    found = recipe.from_mapping(LEAST, overrides=sets)
    assert (found.train.epochs, found.objective[0].settings["temperature"], found.student.settings["width"]) == (
        5,
        3,
        4,
    )
    assert found.device is not None
    assert found.device.profile.name == "phone"
    walked = recipe.from_mapping(RICH, overrides={"objective.1.weight": 0.7})
    assert walked.objective[1].weight.settings == {"value": 0.7}


@pytest.mark.parametrize("key", ["data.train.x", "objective.7.weight", "", ".", "train.", "name.x"])
def test_an_override_that_leads_nowhere_is_refused(key):
    with pytest.raises(RecipeError, match="--set"):
        recipe.from_mapping({**RICH}, overrides={key: 1})


def test_a_recipe_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        recipe.from_mapping(LEAST).seed = 1


def test_named_sections_cover_their_own_keys_and_never_hide_a_setting():
    models = {"student": "Student", "teacher": "TeacherTraining", "objective": "ObjectiveTerm"}
    for section in SECTIONS:
        for where in section.names().values():
            assert not set(settings_model(where).model_fields) & (section.own | {section.key}), where
        name = models.get(str(section.path[0]))
        if name is not None and section.key != "kind":
            model = getattr(__import__("limbeck.recipe.model", fromlist=[name]), name)
            assert set(model.model_fields) == section.own | {section.key}


def test_preprocessing_has_the_fields_of_the_thing_it_fills():
    assert set(TeacherPreprocess.model_fields) == set(PreprocessSpec.__dataclass_fields__)


def test_files_that_are_no_recipes(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    (tmp_path / "huge.yaml").write_bytes(b"# " + b"x" * (1 << 21))
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + yaml.safe_dump(LEAST).encode())
    for name, said in {
        "latin.yaml": "UTF-8",
        "huge.yaml": "longer than",
        "no.yaml": "limbeck init",
        ".": "cannot be read",
    }.items():
        with pytest.raises(RecipeError, match=said):
            recipe.load(tmp_path / name)
    assert recipe.load(tmp_path / "bom.yaml").data.train == "digits"


def test_what_names_data_elsewhere_is_no_path(tmp_path, write):
    for where in ("hf:owner/name", "hf:owner/name/config@v1", "my_data:make"):
        assert recipe.load(write(f"data: {{train: '{where}'}}\nteacher: {{train: {{}}}}\n")).data.train == where
    local = recipe.load(write("data: {train: 'hf:./photos'}\nteacher: {train: {}}\n"))
    assert local.data.train == f"hf:{tmp_path / 'photos'}"
    pattern = recipe.load(write("data: {train: 'parts/*.csv'}\nteacher: {train: {}}\n"))
    assert pattern.data.train == str(tmp_path / "parts/*.csv")


def test_one_input_column_needs_no_list(write):
    found = recipe.load(write("data: {train: t.csv, columns: {label: kind, input: file}}\nteacher: {train: {}}\n"))
    assert (found.data.columns.label, found.data.columns.input, found.data.columns.id) == ("kind", ("file",), None)
