"""YAML text <-> plain values, with the line and column of each.

Only what a settings file needs is read: mappings, lists, text, numbers, true, false and null, by the YAML 1.2 core
schema (so `no` is text and `1e-3` is a number; YAML 1.1, PyYAML's default, has it the other way round). Tags, anchors,
duplicate keys and deep nesting are refused: none can build an object, or expand a few bytes into gigabytes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from limbeck.errors import RecipeError

Path = tuple[str | int, ...]
"""Keys and list positions from the top: `("objective", 0, "temperature")`."""

Place = tuple[int, int]
"""Line and column, from 1."""

MAX_DEPTH = 12

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """Plain values and where they stood.

    Attributes:
        values: dicts, lists, str, int, float, bool and None.
        places: path -> place of the key (of a mapping's entry) or of the item (of a list).
    """

    values: Any
    places: Mapping[Path, Place]


def parse(text: str, origin: str) -> Parsed:
    """Reads one YAML document; empty text is null.

    Args:
        text: the document.
        origin: what to call it in errors, usually the file's name.

    Raises:
        RecipeError: broken YAML, a tag, an anchor, a duplicate key, a key that is no text, or deep nesting; the message
            names line and column.

    Example:
        >>> parse("train: {learning_rate: 1e-3}", "recipe.yaml").values
        {'train': {'learning_rate': 0.001}}
    """
    try:
        return _Reader(yaml.parse(text, Loader=yaml.SafeLoader), origin).document()
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        place = f"{where.line + 1}:{where.column + 1}" if where else "1:1"
        raise RecipeError(f"{origin}:{place}: broken YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        raise RecipeError(
            f"{origin}:{line}:{column}: character {error.character!r} is not allowed; save the file as plain UTF-8 text"
        ) from error
    except (ValueError, OverflowError) as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(f"{origin}: broken YAML: {error}") from error


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain word means.

    Example:
        >>> [scalar(word) for word in ("no", "true", "1e-3", "012", "~", "2026-01-01")]
        ['no', True, 0.001, 12, None, '2026-01-01']
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


@dataclass
class _Reader:
    """Builds values straight from the parser's events; what is not in the subset is never built."""

    events: Iterator[yaml.Event]
    origin: str
    places: dict[Path, Place] = field(default_factory=dict)
    ahead: yaml.Event | None = None

    def next(self) -> yaml.Event:
        event, self.ahead = self.peek(), None
        return event

    def peek(self) -> yaml.Event:
        if self.ahead is None:
            self.ahead = next(self.events)
        return self.ahead

    def document(self) -> Parsed:
        self.next()  # the stream starts
        if isinstance(self.peek(), yaml.StreamEndEvent):
            return Parsed(None, {})
        self.next()  # the document starts
        values = self.value((), 0)
        self.next()  # the document ends
        if not isinstance(self.peek(), yaml.StreamEndEvent):
            self.refuse(self.peek(), "a second document; a recipe is one: remove the line ---")
        return Parsed(values, self.places)

    def value(self, path: Path, depth: int) -> Any:  # noqa: ANN401 - any plain value
        event = self.next()
        if depth > MAX_DEPTH:
            self.refuse(event, f"nested deeper than {MAX_DEPTH} levels; a recipe never is")
        self.check_plain(event)
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.style is None else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self.items(path, depth)
        return self.entries(path, depth)

    def items(self, path: Path, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(self.peek(), yaml.SequenceEndEvent):
            here = (*path, len(values))
            self.places[here] = _place(self.peek())
            values.append(self.value(here, depth + 1))
        self.next()
        return values

    def entries(self, path: Path, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(self.peek(), yaml.MappingEndEvent):
            event = self.peek()
            key = self.value(path, depth + 1)
            if not isinstance(key, str):
                self.refuse(event, f"key {key!r} is no text; keys are words, put quotes around it if you mean one")
            if key in values:
                self.refuse(event, f"{key} is given twice; keep one")
            self.places[(*path, key)] = _place(event)
            values[key] = self.value((*path, key), depth + 1)
        self.next()
        return values

    def check_plain(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self.refuse(event, "anchors and aliases (& and *) are not allowed; write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.refuse(event, f"the tag {_short_tag(tag)} is not allowed; write a plain value")

    def refuse(self, event: yaml.Event, why: str) -> None:
        line, column = _place(event)
        raise RecipeError(f"{self.origin}:{line}:{column}: {why}")


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 *or* our own reader would take for something else than text."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """Text with line breaks or control characters is escaped: plain quotes would fold rare breaks into spaces."""
    style = None if value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"({_FLOAT.pattern})$"), list("-+.0123456789"))


def emit(values: Any, *, width: int = 100) -> str:  # noqa: ANN401 - any plain value
    """YAML text that `parse` reads back as the same values; small lists and mappings stay on one line.

    Example:
        >>> print(emit({"size": [8, 8], "mixed_precision": "no"}), end="")
        size: [8, 8]
        mixed_precision: 'no'
    """
    text: str = yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=None
    )
    return text
