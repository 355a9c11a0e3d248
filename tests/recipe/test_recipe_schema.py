"""The JSON schema agrees with the loader: what is loaded is valid, what it calls unknown is invalid."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from limbeck import recipe
from limbeck.errors import RecipeError
from limbeck.recipe.keys import all_keys

LEAST = {"data": {"train": "digits"}, "teacher": "given"}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def validator():
    schema = recipe.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "values",
    [
        LEAST,
        {**LEAST, "student": None, "train": None, "objective": "hard-labels", "export": "onnx", "device": "phone"},
        {**LEAST, "student": "given", "objective": {"temperature": "auto", "weight": "auto"}},
        {**LEAST, "student": {"width": 3}, "objective": [{"method": "soft-targets", "temperature": 2, "weight": 0.9}]},
        {
            **LEAST,
            "student": {"module": "m:f"},
            "device": {"size_kb": 3},
            "objective": {"weight": {"kind": "decay", "end": 0.1}},
        },
        {
            **LEAST,
            "track": "tensorboard",
            "study": {"methods": ["dkd", {"method": "hint", "student": "a", "teacher": "b"}]},
        },
        {**LEAST, "preset": "patient"},
        {**LEAST, "preset": {"name": "fitnets", "student": "a", "teacher": "b", "temperature": 2}},
        {
            **LEAST,
            "objective": [{"method": "hard-labels"}, {"method": "dkd", "weight": {"kind": "rise", "share": 0.2}}],
        },
        {**LEAST, "track": ["wandb", {"kind": "mlflow", "project": "p"}]},
        {
            "data": {"train": "x", "views": {"ops": ["flip", {"op": "shift", "pixels": 1}]}},
            "teacher": {"train": {"width": 8}},
        },
        {
            "data": {"train": "x", "size": [8, 8]},
            "teacher": {"from": "m:f", "preprocess": {"mean": [0.5]}, "classes": ["a", "b"]},
        },
    ],
)
def test_what_is_loaded_is_valid(values, validator):
    resolved = yaml.safe_load(recipe.dump(recipe.from_mapping(values)))
    validator.validate(values)
    validator.validate(json.loads(json.dumps(resolved)))


@pytest.mark.parametrize(
    "more",
    [
        {"trian": {}},
        {"train": {"epoch": 1}},
        {"student": {"widht": 1}},
        {"objective": {"temprature": 1}},
        {"objective": [{"method": "nothing"}]},
        {"objective": {"weight": {"kind": "frist"}}},
        {"data": {"train": "x", "views": {"ops": ["flop"]}}},
        {"device": "no-such-device"},
        {"teacher": {"train": {"dept": 1}}},
        {"train": {"epochs": "five"}},
        {"trust_code": True},
        {"track": "paper"},
        {"preset": "fitnets"},
        {"preset": {"name": "patient", "student": "a"}},
        {"study": {"methods": ["nothing"]}},
        {"study": {"methods": [{"method": "dkd", "alpa": 1}]}},
    ],
)
def test_what_is_refused_is_invalid(more, validator):
    with pytest.raises(RecipeError):
        recipe.from_mapping({**LEAST, **more})
    assert not validator.is_valid({**LEAST, **more})


def test_every_key_is_described(validator):
    undescribed = [
        (name, key)
        for name, definition in validator.schema["$defs"].items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value and "$ref" not in value
    ]
    assert undescribed == []
    assert ("train", "epochs") in all_keys()
