"""Presets fill in what a recipe leaves open, and nothing else."""

import jsonschema
import pytest
import yaml

from limbeck import recipe
from limbeck.errors import RecipeError
from limbeck.recipe.presets import PRESETS, filled

LEAST = {"data": {"train": "digits"}, "teacher": "given"}
PATIENT = {**LEAST, "preset": "patient"}
FITNETS = {"name": "fitnets", "student": "body.0", "teacher": "0"}


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


@pytest.mark.parametrize(
    "values", [PATIENT, {**PATIENT, "train": {"epochs": 5}, "objective": "hard-labels"}, {**LEAST, "preset": FITNETS}]
)
def test_the_resolved_recipe_is_the_same_recipe(values, tmp_path):
    first = recipe.from_mapping(values)
    path = tmp_path / "again.yaml"
    path.write_text(recipe.dump(first), encoding="utf-8")
    assert recipe.load(path) == first
    jsonschema.Draft202012Validator(recipe.json_schema()).validate(yaml.safe_load(recipe.dump(first)))


def test_without_a_preset_nothing_is_filled_in():
    assert filled(LEAST) == LEAST
    assert recipe.from_mapping({**LEAST, "preset": None}) == recipe.from_mapping(LEAST)


@pytest.mark.parametrize("preset", ["patience", "Patient", {"name": "patience"}])
def test_a_name_that_is_none_is_answered_with_the_nearest(preset):
    with pytest.raises(RecipeError, match=r"preset.*: there is no '[Pp]atien.*did you mean patient\?"):
        recipe.from_mapping({**LEAST, "preset": preset})


@pytest.mark.parametrize("preset", [3, ["patient"], True])
def test_what_is_no_name_is_refused_in_words(preset):
    with pytest.raises(RecipeError, match=r"preset: got .*expected patient"):
        recipe.from_mapping({**LEAST, "preset": preset})


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("nothing of the kind", "preset: there is no 'nothing of the kind'; known: fitnets, patient"),
        ({"patient": 1}, "preset.name: missing"),
        ({"name": "patient", "epochs": 3}, "preset.epochs: unknown key"),
        ("fitnets", "preset.student: missing.*preset.teacher: missing"),
        ({"name": "fitnets", "student": "a"}, "preset.teacher: missing"),
        ({"name": ["patient"]}, r"preset.name: got a list, expected text"),
        ({"name": {"patient": 1}}, r"preset.name: got a mapping, expected text"),
        ({**FITNETS, "student": 3}, r"preset.student: got 3 \(a whole number\), expected text"),
        ({**FITNETS, "temperature": 0}, "preset.temperature: 0.* is not a positive number"),
        ({**FITNETS, "start": -1}, "preset.start: -1.* is not a finite number of at least 0"),
        ({**FITNETS, "lamda": 1}, "preset.lamda: unknown key"),
        ({**FITNETS, "share": 1.0}, "stages.*share"),
    ],
)
def test_what_is_wrong_with_a_preset_is_said_once(preset, words):
    with pytest.raises(RecipeError, match=words) as raised:
        recipe.from_mapping({**LEAST, "preset": preset})
    assert "objective" not in str(raised.value)


@pytest.mark.parametrize("data", ["digits", None, {"train": "digits", "views": 3}])
def test_sections_that_are_wrong_are_told_as_ever(data):
    with pytest.raises(RecipeError, match="data"):
        recipe.from_mapping({**PATIENT, "data": data})


def test_filling_in_leaves_the_table_alone():
    before = repr(PRESETS)
    made(train={"epochs": 2})
    filled({"preset": {"name": "patient"}})["objective"][0]["temperature"] = 9
    assert repr(PRESETS) == before
    assert filled({"preset": {"name": "patient"}})["objective"][0]["temperature"] == 1


@pytest.mark.parametrize("preset", ["patient", {"name": "patient"}, FITNETS])
def test_every_preset_is_a_recipe(preset):
    name = preset if isinstance(preset, str) else preset["name"]
    assert recipe.from_mapping({**LEAST, "preset": preset}).preset.name == name
    assert {"patient", "fitnets"} == set(PRESETS)


def test_fitnets_is_the_same_as_its_keys_written_out():
    written = {
        **LEAST,
        "stages": {"objective": {"method": "hint", "student": "body.0", "teacher": "0"}, "share": 0.25},
        "objective": [
            {"method": "hard-labels"},
            {"method": "soft-targets", "temperature": 3, "weight": {"kind": "decay", "value": 4 / 9, "end": 1 / 9}},
        ],
    }
    filled_in = recipe.from_mapping({**LEAST, "preset": FITNETS})
    assert filled_in.model_copy(update={"preset": None}) == recipe.from_mapping(written)


def test_what_stands_beside_fitnets_stands():
    stages = {"objective": {"method": "hint", "student": "a", "teacher": "b"}, "share": 0.5, "trains": ["a"]}
    made = recipe.from_mapping({**LEAST, "preset": {**FITNETS, "temperature": 4}, "stages": stages})
    (stage,) = made.stages
    assert (stage.share, stage.trains) == (0.5, ("a",))
    assert made.objective[1].weight.settings == {"value": 0.25, "end": 0.0625}
    assert recipe.from_mapping({**LEAST, "preset": FITNETS}, overrides={"preset.share": 0.4}).stages[0].share == 0.4
