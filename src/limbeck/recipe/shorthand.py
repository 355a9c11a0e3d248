"""Shorthands of a recipe, written out: after this each key has one shape. Nothing is judged here."""

from typing import Any

from limbeck.recipe import growing
from limbeck.recipe.model import GIVEN, GUIDE
from limbeck.recipe.overrides import student_word
from limbeck.recipe.paths import is_path
from limbeck.recipe.presets import filled
from limbeck.recipe.text import Path

_SECTIONS = (
    "student", "objective", "train", "guide", "tune", "verdict", "runtime", "export", "task", "seed", "name", "track",
    "stages", "study",
)  # fmt: skip
"""Keys that may stand empty (null): their default holds."""
_V2 = "v2:"


def expand(values: dict[str, Any]) -> tuple[dict[str, Any], dict[Path, Path]]:
    """Writes shorthands out.

    Args:
        values: as the user wrote them; left as they are.

    Returns:
        The long form, and a table from its paths to the paths the user wrote.

    Example:
        >>> values, shown = expand({"device": "phone", "student": "given", "objective": {"weight": 0.5}})
        >>> values["device"], values["student"], values["objective"][0]["weight"]
        ({'name': 'phone'}, {'module': 'given'}, {'kind': 'constant', 'value': 0.5})
        >>> shown[("objective", 0)]
        ('objective',)
    """
    full = {key: value for key, value in values.items() if not (value is None and key in _SECTIONS)}
    shown: dict[Path, Path] = {}
    _name(full, "preset", "name", shown)
    full = filled(full)
    _name(full, "device", "name", shown)
    if _names_a_model(full.get("teacher")):
        _name(full, "teacher", "from", shown)
    if isinstance(full.get("teacher"), list):
        members = full["teacher"]
        shown.update({("teacher", "ensemble", number): ("teacher", number) for number in range(len(members))})
        full["teacher"] = {"ensemble": members}
    full["teacher"] = _teacher(full.get("teacher"), ("teacher",), shown)
    if full["teacher"] is None:
        del full["teacher"]
    if _names_a_model(full.get("student")):
        _name(full, "student", student_word(full["student"]), shown)
    _student(full)
    _lineage(full)
    _guide(full, shown)
    growing.filled(full)
    _objectives(full, shown)
    _stages(full, shown)
    _views(full, shown)
    _columns(full, shown)
    _trackers(full, shown)
    _study(full)
    if isinstance(full.get("export"), str):
        full["export"] = [full["export"]]
        shown["export", 0] = ("export",)
    return full, shown


def _name(full: dict[str, Any], key: str, inner: str, shown: dict[Path, Path]) -> None:
    """`key: word` means `key: {inner: word}`."""
    if isinstance(full.get(key), str):
        full[key] = {inner: full[key]}
        shown[key, inner] = (key,)


def _names_a_model(word: object) -> bool:
    """Whether a section's single word can be a model: `given`, something with a colon, or a path."""
    return isinstance(word, str) and (word in (GIVEN, GUIDE) or ":" in word or is_path(word))


def _teacher(teacher: Any, path: Path, shown: dict[Path, Path]) -> Any:  # noqa: ANN401 - not yet judged
    if not isinstance(teacher, dict):
        return teacher
    teacher = dict(teacher)
    if isinstance(teacher.get("train"), dict):
        teacher["train"] = {"family": "resnet", **teacher["train"]}
    if isinstance(teacher.get("adapt"), str):
        teacher["adapt"] = {"what": teacher["adapt"]}
        shown[*path, "adapt", "what"] = (*path, "adapt")
    if isinstance(teacher.get("ensemble"), list):
        teacher["ensemble"] = [
            _member(member, (*path, "ensemble", number), shown) for number, member in enumerate(teacher["ensemble"])
        ]
    return teacher


def _member(member: Any, path: Path, shown: dict[Path, Path]) -> Any:  # noqa: ANN401 - not yet judged
    """One teacher of several; a single word is where it is from."""
    if _names_a_model(member):
        shown[*path, "from"] = path
        member = {"from": member}
    return _teacher(member, path, shown)


def _student(full: dict[str, Any]) -> None:
    student = full.setdefault("student", {})
    if isinstance(student, dict) and not student.get("module"):
        full["student"] = {"family": "convnet", **student}


def _lineage(full: dict[str, Any]) -> None:
    """Students in between are students: `convnet` unless they name a family or a module."""
    lineage = full.get("lineage")
    via = lineage.get("via") if isinstance(lineage, dict) else None
    if isinstance(lineage, dict) and isinstance(via, list):
        told = [
            {"family": "convnet", **each} if isinstance(each, dict) and not each.get("module") else each for each in via
        ]
        full["lineage"] = {**lineage, "via": told}


def _guide(full: dict[str, Any], shown: dict[Path, Path]) -> None:
    """`guide: never` means its use, any other word where it is; the signal is all logits unless said otherwise."""
    _name(full, "guide", "use" if full.get("guide") in ("auto", "always", "never") else "from", shown)
    guide = full.setdefault("guide", {})
    if isinstance(guide, dict):
        full["guide"] = {"signal": "logits", **guide}


def _objectives(full: dict[str, Any], shown: dict[Path, Path]) -> None:
    tuned = _tuned(full)
    terms = full.get("objective")
    if terms is None:
        full["objective"] = [
            {"method": "soft-targets", "weight": {"kind": "auto"}} if tuned else {"method": "soft-targets"}
        ]
        shown["objective", 0] = ("objective",)
    elif isinstance(terms, dict | str):
        full["objective"] = [{"method": "soft-targets", **terms} if isinstance(terms, dict) else {"method": terms}]
        shown["objective", 0] = ("objective",)
    if not isinstance(full["objective"], list):
        return
    full["objective"] = [
        _term(term, ("objective", number), shown, tuned=tuned) for number, term in enumerate(full["objective"])
    ]


def _stages(full: dict[str, Any], shown: dict[Path, Path]) -> None:
    """One stage without a list, and one term of it likewise."""
    stages = full.get("stages")
    if isinstance(stages, dict):
        full["stages"] = stages = [stages]
        shown["stages", 0] = ("stages",)
    if isinstance(stages, list):
        full["stages"] = [_stage(stage, ("stages", number), shown) for number, stage in enumerate(stages)]


def _stage(stage: Any, path: Path, shown: dict[Path, Path]) -> Any:  # noqa: ANN401 - not yet judged
    if not isinstance(stage, dict):
        return stage
    terms = stage.get("objective")
    if isinstance(terms, dict | str):
        terms = [{"method": terms} if isinstance(terms, str) else terms]
        shown[*path, "objective", 0] = (*path, "objective")
    if isinstance(terms, list):
        at = (*path, "objective")
        terms = [_term(term, (*at, number), shown, tuned=False) for number, term in enumerate(terms)]
    return {**stage, "objective": terms}


def _tuned(full: dict[str, Any]) -> bool:
    tune = full.get("tune")
    return not (isinstance(tune, dict) and tune.get("trials") == 0)


def _term(term: Any, path: Path, shown: dict[Path, Path], *, tuned: bool) -> Any:  # noqa: ANN401 - not yet judged
    if not isinstance(term, dict):
        return term
    term = dict(term)
    if term.get("method") == "soft-targets" and tuned:
        term.setdefault("temperature", "auto")
    weight = term.get("weight", 1.0)
    if weight == "auto":
        term["weight"] = {"kind": "auto"}
    elif isinstance(weight, int | float) and not isinstance(weight, bool):
        term["weight"] = {"kind": "constant", "value": weight}
        shown[*path, "weight", "value"] = (*path, "weight")
    elif isinstance(weight, dict):
        term["weight"] = {"kind": "constant", **weight}
    return term


def _trackers(full: dict[str, Any], shown: dict[Path, Path]) -> None:
    """`track: tensorboard` means `track: [{kind: tensorboard}]`."""
    track = full.get("track")
    if isinstance(track, str | dict):
        full["track"] = track = [track]
        shown["track", 0] = ("track",)
    if isinstance(track, list):
        full["track"] = [{"kind": each} if isinstance(each, str) else each for each in track]


def _study(full: dict[str, Any]) -> None:
    """`methods: [dkd]` means `methods: [{method: dkd}]`."""
    study = full.get("study")
    if isinstance(study, dict) and isinstance(study.get("methods"), list):
        methods = [{"method": each} if isinstance(each, str) else each for each in study["methods"]]
        full["study"] = {**study, "methods": methods}


def _views(full: dict[str, Any], shown: dict[Path, Path]) -> None:
    data = full.get("data")
    views = data.get("views") if isinstance(data, dict) else None
    ops = views.get("ops") if isinstance(views, dict) else None
    if not (isinstance(data, dict) and isinstance(views, dict) and isinstance(ops, list)):
        return
    written = [_view(op, ("data", "views", "ops", number), shown) for number, op in enumerate(ops)]
    full["data"] = {**data, "views": {**views, "ops": written}}


def _columns(full: dict[str, Any], shown: dict[Path, Path]) -> None:
    """`input: NAME` means a list of one."""
    data = full.get("data")
    columns = data.get("columns") if isinstance(data, dict) else None
    if isinstance(data, dict) and isinstance(columns, dict) and isinstance(columns.get("input"), str):
        shown["data", "columns", "input", 0] = ("data", "columns", "input")
        full["data"] = {**data, "columns": {**columns, "input": [columns["input"]]}}


def _view(op: Any, path: Path, shown: dict[Path, Path]) -> Any:  # noqa: ANN401 - not yet judged
    """`flip` means `{op: flip}`; `{op: "v2:Name", key: value}` names a transform of torchvision and its arguments."""
    if isinstance(op, str):
        shown[*path, "op"] = path
        op = {"op": op}
    if not (isinstance(op, dict) and isinstance(op.get("op"), str) and op["op"].startswith(_V2)):
        return op
    arguments = {key: value for key, value in op.items() if key != "op"}
    shown[*path, "transform"] = shown.get((*path, "op"), (*path, "op"))
    shown.update({(*path, "arguments", key): (*path, key) for key in arguments})
    return {"op": "v2", "transform": op["op"].removeprefix(_V2), "arguments": arguments}
