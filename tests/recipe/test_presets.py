"""Presets fill in what a recipe leaves open, and nothing else."""

import jsonschema
import pytest
import yaml

from limbeck import recipe
from limbeck.errors import RecipeError
from limbeck.recipe.presets import PRESETS, filled

LEAST = {"data": {"train": "digits"}, "teacher": "given"}
PATIENT = {**LEAST, "preset": "patient"}


def made(**keys):
    return recipe.from_mapping({**PATIENT, **keys})


def test_patient_is_the_same_as_its_keys_written_out():
    written = {
        "data": {"train": "digits", "views": {"ops": ["crop", "mixup"]}},
        "teacher": "given",
        "objective": {"method": "soft-targets", "temperature": 1, "weight": 1},
        "train": {"epochs": 300},
    }
    assert recipe.from_mapping(PATIENT).model_copy(update={"preset": None}) == recipe.from_mapping(written)


def test_patient_uses_no_labels():
    (term,) = recipe.from_mapping(PATIENT).objective
    assert (term.method, term.settings["temperature"], term.weight.settings["value"]) == ("soft-targets", 1.0, 1.0)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"train": {"epochs": 5}}, lambda r: r.train.epochs == 5),
        ({"train": {"batch_size": 64}}, lambda r: (r.train.epochs, r.train.batch_size) == (300, 64)),
        ({"train": None}, lambda r: r.train.epochs == 300),
        ({"objective": "hard-labels"}, lambda r: [term.method for term in r.objective] == ["hard-labels"]),
        ({"data": {"train": "digits", "views": {"ops": ["shift"]}}}, lambda r: len(r.data.views.ops) == 1),
        ({"data": {"train": "digits", "views": {"ops": []}}}, lambda r: r.data.views.ops == ()),
        (
            {"data": {"train": "digits", "views": {"seed": 3}}},
            lambda r: (len(r.data.views.ops), r.data.views.seed) == (2, 3),
        ),
    ],
)
def test_what_the_user_writes_stands(keys, told):
    assert told(made(**keys))


def test_what_is_set_at_the_command_line_stands():
    assert recipe.from_mapping(PATIENT, overrides={"train.epochs": 7}).train.epochs == 7
    assert recipe.from_mapping(LEAST, overrides={"preset": "patient"}).train.epochs == 300


@pytest.mark.parametrize("values", [PATIENT, {**PATIENT, "train": {"epochs": 5}, "objective": "hard-labels"}])
def test_the_resolved_recipe_is_the_same_recipe(values, tmp_path):
    first = recipe.from_mapping(values)
    path = tmp_path / "again.yaml"
    path.write_text(recipe.dump(first), encoding="utf-8")
    assert recipe.load(path) == first
    jsonschema.Draft202012Validator(recipe.json_schema()).validate(yaml.safe_load(recipe.dump(first)))


def test_without_a_preset_nothing_is_filled_in():
    assert filled(LEAST) == LEAST
    assert recipe.from_mapping({**LEAST, "preset": None}) == recipe.from_mapping(LEAST)


@pytest.mark.parametrize("preset", ["patience", "Patient"])
def test_a_name_that_is_none_is_answered_with_the_nearest(preset):
    with pytest.raises(RecipeError, match=r"preset: got .*expected patient.*did you mean patient\?"):
        recipe.from_mapping({**LEAST, "preset": preset})


@pytest.mark.parametrize("preset", [3, ["patient"], {"patient": 1}, True, "nothing of the kind"])
def test_what_is_no_name_is_refused_in_words(preset):
    with pytest.raises(RecipeError, match=r"preset: got .*expected patient"):
        recipe.from_mapping({**LEAST, "preset": preset})


@pytest.mark.parametrize("data", ["digits", None, {"train": "digits", "views": 3}])
def test_sections_that_are_wrong_are_told_as_ever(data):
    with pytest.raises(RecipeError, match="data"):
        recipe.from_mapping({**PATIENT, "data": data})


def test_filling_in_leaves_the_table_alone():
    before = repr(PRESETS)
    made(train={"epochs": 2})
    filled(PATIENT)["objective"][0]["temperature"] = 9
    assert repr(PRESETS) == before


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_recipe(name):
    assert recipe.from_mapping({**LEAST, "preset": name}).preset == name
