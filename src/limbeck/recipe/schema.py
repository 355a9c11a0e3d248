"""The JSON schema of `recipe.yaml`, for editors: completion, descriptions, and red lines while one types."""

from typing import Any

from limbeck import profiles
from limbeck.core.libraries import LIBRARIES
from limbeck.exporting.formats import EXPORTERS
from limbeck.recipe.model import Recipe
from limbeck.recipe.settings import AUTO, SECTIONS, Section, settings_model

Schema = dict[str, Any]

_MAY_BE_EMPTY = (
    "train",
    "guide",
    "tune",
    "verdict",
    "runtime",
    "student",
    "objective",
    "stages",
    "export",
    "task",
    "seed",
    "name",
)

_V2: tuple[Schema, ...] = (
    {"type": "string", "pattern": "^v2:"},
    {"type": "object", "properties": {"op": {"type": "string", "pattern": "^v2:"}}, "required": ["op"]},
)
"""Transforms of torchvision by name, which take whatever their constructors do."""


def json_schema() -> Schema:
    """JSON schema (draft 2020-12) of a recipe as people write it: with shorthands, named things with their settings.

    Whatever `load` accepts is valid and unknown keys are not; contradictions are found by `load` alone.
    """
    schema = Recipe.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Limbeck recipe"
    schema["required"] = ["data", "teacher"]
    definitions, properties = schema["$defs"], schema["properties"]
    student, _, teacher, _, objective, weight, _, _, op, guide, method, preset = SECTIONS
    definitions["Student"] = {
        "anyOf": [*_branches(definitions["Student"], student, default="convnet"), *_foreign(definitions["Student"])]
    }
    definitions["TeacherTraining"] = {"anyOf": _branches(definitions["TeacherTraining"], teacher, default="resnet")}
    definitions["Weight"] = {
        "anyOf": [{"type": "number", "minimum": 0}, {"const": AUTO}, *_branches({}, weight, default="constant")]
    }
    definitions["Weight"]["anyOf"].append(_closed({"kind": {"const": AUTO}}, ["kind"]))
    definitions["ObjectiveTerm"] = {"anyOf": _branches(definitions["ObjectiveTerm"], objective, default="soft-targets")}
    definitions["GuidePlan"] = {"anyOf": _branches(definitions["GuidePlan"], guide, default="logits")}
    definitions["Preset"] = {"anyOf": _branches({}, preset, default=None)}
    definitions["ViewOp"] = {"anyOf": [{"enum": sorted(op.names())}, *_branches({}, op, default=None), *_V2]}
    _may_also(definitions["Columns"]["properties"], "input", {"type": "string", "minLength": 1})
    one_of_several = {"anyOf": [{"$ref": "#/$defs/OneTeacher"}, {"type": "string"}]}
    _may_also(properties, "teacher", {"type": "string"}, {"type": "array", "minItems": 2, "items": one_of_several})
    _may_also(
        definitions["Teacher"]["properties"], "ensemble", {"type": "array", "minItems": 2, "items": one_of_several}
    )
    for teachers in ("Teacher", "OneTeacher"):
        _may_also(definitions[teachers]["properties"], "adapt", {"enum": ["head", "all"]})
    _may_also(properties, "student", {"type": "string"})
    alone = [name for name, where in preset.names().items() if not settings_model(where).model_fields]
    _may_also(properties, "preset", {"enum": alone})
    _may_also(properties, "guide", {"type": "string"})
    _may_also(properties, "device", {"enum": list(profiles.names())})
    _may_also(properties, "objective", {"$ref": "#/$defs/ObjectiveTerm"}, {"enum": sorted(objective.names())})
    stage_objective = definitions["EarlierStage"]["properties"]
    _may_also(stage_objective, "objective", {"$ref": "#/$defs/ObjectiveTerm"}, {"enum": sorted(objective.names())})
    _may_also(properties, "stages", {"$ref": "#/$defs/EarlierStage"})
    shares = {key: {"type": "number", "minimum": 0} for key in sorted(method.own)}
    definitions["StudyPlan"]["properties"]["methods"]["items"] = {
        "anyOf": [{"enum": sorted(method.names())}, *_branches({"properties": shares}, method, default=None)]
    }
    track = {"enum": definitions["Track"]["properties"]["kind"]["enum"]}
    properties["track"]["items"] = {"anyOf": [properties["track"]["items"], track]}
    _may_also(properties, "track", {"$ref": "#/$defs/Track"}, track)
    properties["export"]["items"] = {"enum": sorted(EXPORTERS)}
    _may_also(properties, "export", {"enum": sorted(EXPORTERS)})
    for name in _MAY_BE_EMPTY:
        _may_also(properties, name, {"type": "null"})
    return schema


def _branches(own: Schema, section: Section, *, default: str | None) -> list[Schema]:
    """One alternative a name: the section's own keys, the name, and the settings of what is named."""
    branches = []
    for name, where in section.names().items():
        settings = settings_model(where).model_json_schema()
        properties = {section.key: {"const": name}, **settings.get("properties", {})}
        properties |= {key: value for key, value in own.get("properties", {}).items() if key in section.own}
        for key in section.auto.get(name, ()):
            properties[key] = {"anyOf": [properties[key], {"const": AUTO}]}
        required = [] if name == default else [section.key]
        branches.append(_closed(properties, required + settings.get("required", [])))
    return branches


def _closed(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _foreign(student: Schema) -> list[Schema]:
    """A module of the user's; a library's model, whose settings the library judges."""
    own = student["properties"]
    module = _closed({**own, "family": {"type": "null"}}, ["module"])
    name = {"type": "string", "pattern": f"^({'|'.join(LIBRARIES)}):."}
    library = {"type": "object", "properties": {**own, "family": name}, "required": ["family"]}
    return [module, library]


def _may_also(properties: Schema, name: str, *others: Schema) -> None:
    """The property may also be any of the others; its description and default stay outside."""
    outside = {key: properties[name].pop(key) for key in ("description", "default") if key in properties[name]}
    alternatives = properties[name].pop("anyOf", None) or [properties[name]]
    properties[name] = {"anyOf": [*alternatives, *others], **outside}
