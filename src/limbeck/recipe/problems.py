"""What is wrong with a recipe, in words: the key, what came, what was expected, the nearest right name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn

from pydantic import ValidationError

from limbeck.errors import RecipeError
from limbeck.recipe.text import Path, Place


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: where.
        text: what came and what was expected.
        meant: the right key that was probably meant.
    """

    path: Path
    text: str
    meant: Path | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the values came from.

    Attributes:
        name: the file, or "recipe".
        places: line and column of each key as the user wrote it.
        shown: path after shorthands were written out -> path as the user wrote it.
        set: paths that were overridden, so that the file is not to blame.
    """

    name: str = "recipe"
    places: Mapping[Path, Place] = field(default_factory=dict)
    shown: Mapping[Path, Path] = field(default_factory=dict)
    set: frozenset[Path] = frozenset()

    def as_written(self, path: Path) -> Path:
        """The path as the user knows it: shorthands are undone."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.shown:
                return self.as_written(self.shown[path[:length]] + path[length:])
        return path

    def was_set(self, path: Path) -> bool:
        """Whether the value there came from an override."""
        written = self.as_written(path)
        return any(written[: len(other)] == other for other in self.set)

    def place(self, path: Path) -> Place | None:
        """Line and column of the path, or of the nearest thing around it."""
        written = self.as_written(path)
        if self.was_set(path):
            return None
        for length in range(len(written), 0, -1):
            if written[:length] in self.places:
                return self.places[written[:length]]
        return None


def refuse(problems: Sequence[Problem], origin: Origin) -> NoReturn:
    """Raises all problems as one error of one line, in the order of the file.

    Raises:
        RecipeError: always.
    """
    meant = {problem.meant for problem in problems}  # a misspelt required key is one problem, not also a missing key
    kept = [problem for problem in problems if not (problem.text.startswith("missing") and problem.path in meant)]
    kept.sort(key=lambda problem: origin.place(problem.path) or (1 << 30, 0))
    lines = list(dict.fromkeys((_place(problem, origin), _line(problem, origin)) for problem in kept))
    if len(lines) == 1:
        place, line = lines[0]
        raise RecipeError(f"{origin.name}:{place} {line}")
    listed = " ".join(f"({number}) {place.removesuffix(':')} {line}" for number, (place, line) in enumerate(lines, 1))
    raise RecipeError(f"{origin.name}: {len(lines)} problems: {' '.join(listed.split())}")


def _place(problem: Problem, origin: Origin) -> str:
    place = origin.place(problem.path)
    return f"{place[0]}:{place[1]}:" if place else ""


def _line(problem: Problem, origin: Origin) -> str:
    hint = f"; did you mean {dotted(origin.as_written(problem.meant))}?" if problem.meant else ""
    source = "--set " if origin.was_set(problem.path) else ""
    return f"{source}{dotted(origin.as_written(problem.path))}: {problem.text}{hint}"


def dotted(path: Path) -> str:
    """The path as people write it.

    Example:
        >>> dotted(("objective", 0, "temperature"))
        'objective[0].temperature'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def came(value: object) -> str:
    """What came, for "got ...".

    Example:
        >>> came("five"), came(True), came(None)
        ("'five' (text)", 'true', 'nothing (null)')
    """
    match value:
        case None:
            said = "nothing (null)"
        case bool():
            said = str(value).lower()
        case str():
            said = f"{value if len(value) <= 40 else value[:37] + '...'!r} (text)"
        case int():
            said = f"{value} (a whole number)"
        case float():
            said = f"{value} (a decimal number)"
        case Mapping():
            said = "a mapping"
        case Sequence():
            said = "a list"
        case _:
            said = f"a {type(value).__name__}"
    return said


def nearest(name: str, right: Iterable[str]) -> str | None:
    """The right name that was probably meant.

    Example:
        >>> nearest("learning-rate", ["learning_rate", "epochs"])
        'learning_rate'
    """
    table = {candidate.casefold().replace("-", "_"): candidate for candidate in right}
    match = get_close_matches(name.casefold().replace("-", "_"), table, n=1, cutoff=0.6)
    return table[match[0]] if match else None


def unknown_key(path: Path, right: Sequence[str], elsewhere: Iterable[Path] = ()) -> Problem:
    """An unknown key, with the nearest right one: beside it, else of the same name elsewhere in the recipe.

    Args:
        path: of the unknown key.
        right: keys that are right at its place.
        elsewhere: paths of all keys of a recipe.
    """
    name = str(path[-1])
    near = nearest(name, right)
    if near is not None:
        return Problem(path, "unknown key", meant=(*path[:-1], near))
    same = min((other for other in elsewhere if str(other[-1]).casefold() == name.casefold()), key=len, default=None)
    if same is not None:
        return Problem(path, "unknown key", meant=same)
    return Problem(path, f"unknown key; known here: {', '.join(right) or 'none'}")


def unknown_name(path: Path, name: str, right: Sequence[str]) -> Problem:
    """A name that is in no table.

    Args:
        path: where it stands.
        name: what came.
        right: names of the table.
    """
    near = nearest(name, right)
    hint = f"did you mean {near}?" if near else f"known: {', '.join(right)}"
    return Problem(path, f"there is no {name!r}; {hint}")


_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "some text",
    "tuple_type": "a list",
    "list_type": "a list",
    "is_instance_of": "a list",
    "model_type": "a mapping of settings",
    "dict_type": "a mapping of settings",
}

_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("of at most", "le"),
}

_EXPECTED: Mapping[Path, str] = {
    ("name",): "letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit",
    ("runtime", "device"): "auto, cpu, cuda, cuda:N or mps",
    ("teacher",): "given, {train: {family: resnet}} or {from: module:function}",
    ("student",): "given, {family: convnet} or {module: module:function}",
    ("device",): "a profile's name or {latency_ms, size_kb, memory_kb}",
    ("preset",): "patient, or {name: fitnets, student: ..., teacher: ...}",
    ("objective",): "{method: soft-targets} or a list of such",
}

_MISSING: Mapping[Path, str] = {
    ("data",): "missing; say where the examples are, for instance data: {train: digits}",
    ("data", "train"): "missing; give digits, a folder or an .npz file",
    ("teacher",): "missing; give {train: {family: resnet}}, {from: module:function} or given",
}


def explain(error: ValidationError, at: Path = ()) -> list[Problem]:
    """A validation error's findings in words; unknown keys are left to `unknown_key`, whoever knows the right ones.

    Args:
        error: what the validator raised.
        at: path of the value that was validated.
    """
    found = error.errors(include_url=False)
    return [_explained((*at, *detail["loc"]), detail) for detail in found if detail["type"] != "extra_forbidden"]


def _explained(path: Path, detail: Mapping[str, Any]) -> Problem:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind in ("missing", "too_long", "too_short"):
        return _counted(path, kind, context, value)
    if kind == "literal_error":
        return _literal(path, value, context["expected"])
    expected = _EXPECTED.get(path) or _KINDS.get(kind)
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        expected = f"a number {words} {context[key]:g}"
    if expected is None:
        return Problem(path, f"got {came(value)}: {detail['msg']}")
    return Problem(path, f"got {came(value)}, expected {expected}")


def _counted(path: Path, kind: str, context: Mapping[str, Any], value: object) -> Problem:
    """A key that is missing, or a list of the wrong length."""
    if kind == "too_long":
        return Problem(path, f"got a list of {context['actual_length']}, expected {context['max_length']} entries")
    if kind == "too_short":
        return Problem(
            path, f"got a list of {context['actual_length']}, expected at least {context['min_length']} entries"
        )
    if isinstance(path[-1], int) and isinstance(value, Sequence):
        return Problem(path[:-1], f"got a list of {len(value)}, expected a longer one")
    return Problem(path, _MISSING.get(path, "missing"))


def _literal(path: Path, value: object, expected: str) -> Problem:
    names = [name.strip().strip("'") for name in expected.replace(" or ", ", ").split(",")]
    near = nearest(value, names) if isinstance(value, str) else None
    hint = f"; did you mean {near}?" if near else ""
    mend = ' (write "no" in quotes)' if value is False and "no" in names else ""
    return Problem(path, f"got {came(value)}, expected {_either(names)}{hint}{mend}")


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
