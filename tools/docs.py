"""Writes the pages of docs/ made from code: keys, methods, signals, schemas. A test fails when one is out of date."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import limbeck as lk
from limbeck.lineage.record import Lineage
from limbeck.objectives.card import CARD_PARTS
from limbeck.objectives.measured import MEASURED
from limbeck.objectives.support import SIGNALS, SUPPORT, Support
from limbeck.recipe import json_schema
from limbeck.recipe.model import Recipe
from limbeck.recipe.settings import SECTIONS, settings_model
from limbeck.record import Record
from limbeck.studies.record import StudyRecord

DOCS = Path(__file__).parents[1] / "docs"
_MADE = "<!-- made by `make docs`; edit the code it comes from -->"


def pages() -> dict[str, str]:
    """File name in docs/ -> contents."""
    return {
        "recipe.schema.json": _json(json_schema()),
        "record.schema.json": _json(Record.model_json_schema()),
        "study.schema.json": _json(StudyRecord.model_json_schema()),
        "lineage.schema.json": _json(Lineage.model_json_schema()),
        "recipe.md": recipe_page(),
        "methods.md": methods_page(),
        "devices.md": devices_page(),
        "signals.md": signals_page(),
    }


def recipe_page() -> str:
    """Every key of a recipe with its default and meaning."""
    lines = [
        "# Keys of `recipe.yaml`", "", _MADE, "",
        "Only `data.train` and `teacher` must be given. Editors that know JSON schema complete and check recipes with",
        "[recipe.schema.json](recipe.schema.json). Values are YAML 1.2's (`1e-3` is a number, `no` is text); tags and",
        "anchors are refused.", "",
        "| key | default | meaning |", "|---|---|---|",
        *(f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _keys(Recipe)),
        "", "## Settings of named things", "",
        "They stand beside the name: `student: {family: convnet, width: 16}`.", "",
        "| section | name | settings and their defaults |", "|---|---|---|",
        *(f"| `{section}` | `{name}` | {settings} |" for section, name, settings in _named()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _keys(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        key = f"{at}{field.alias or name}"
        inner = next((kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)), None)
        default = field.get_default(call_default_factory=True)
        plain = not isinstance(default, BaseModel) and default is not PydanticUndefined
        if field.description:
            yield key, f"`{_yaml(default)}`" if plain else "", field.description.replace("|", r"\|")
        if inner is not None:
            many = "[]" if "tuple" in str(field.annotation) else ""
            yield from _keys(inner, f"{key}{many}.")


def _kinds(annotation: Any) -> Iterator[type]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _kinds(part)


def _named() -> Iterator[tuple[str, str, str]]:
    for section in (each for each in SECTIONS if each.path[0] not in ("stages", "study")):  # as `objective`
        where = ".".join(str(step) for step in section.path).replace(".*", "[]")
        for name, dotted in section.names().items():
            fields = settings_model(dotted).model_fields
            yield where, name, ", ".join(_setting(key, field.default) for key, field in fields.items())


def _setting(key: str, default: Any) -> str:  # noqa: ANN401 - any plain value
    return f"`{key}` (must be given)" if default is PydanticUndefined else f"`{key}: {_yaml(default)}`"


def _yaml(value: Any) -> str:  # noqa: ANN401 - any plain value
    return json.dumps(value).strip('"')


def methods_page() -> str:
    """The method cards."""
    lines = [
        "# Methods",
        "",
        _MADE,
        "",
        "What a student can be asked to imitate (`limbeck methods --full` prints the same, `limbeck",
    ]
    lines.append("methods NAME` one of them with its settings and signals).")
    lines.append("Losses of other toolkits in these terms: [converters.md](converters.md).")
    for card in lk.methods():
        lines += ["", f"## {card.name}", "", card.summary, ""]
        for key in CARD_PARTS:
            lines.append(f"- **{key}**: {getattr(card, key)}")
            if key == "memory" and card.name in MEASURED:
                lines.append(f"- **measured**: {MEASURED[card.name]} ([figures.md](figures.md#objectives))")
    return "\n".join(lines) + "\n"


def devices_page() -> str:
    """The device profiles."""
    lines = ["# Device profiles", "", _MADE, "", "1 KB = 1024 bytes. A latency measured elsewhere is only a hint.", ""]
    lines += [
        "| name | device | runtime | latency ms | size KB | memory KB | where the limits come from |",
        "|---|---|---|---|---|---|---|",
    ]
    for device in lk.devices():
        numbers = " | ".join(f"{limit:g}" for limit in (device.latency_ms, device.size_kb, device.memory_kb) if limit)
        lines.append(f"| `{device.name}` | {device.title} | {device.runtime} | {numbers} | {device.source} |")
    return "\n".join(lines) + "\n"


def signals_page() -> str:
    """Which objective may read which signal."""
    signals = list(SIGNALS)
    lines = [
        "# Objectives and signals", "", _MADE, "",
        "What comes of an objective when a study guide keeps only part of what the teacher says. *Exact*: value and",
        "gradient are those of a live teacher. *Unbiased*: right on average over draws. *Biased*: another number, and",
        "known how it differs. *Refused*: the recipe is, before anything runs.", "",
        "| signal | what is kept |", "|---|---|",
        *(f"| `{name}` | {kept} |" for name, kept in SIGNALS.items()), "",
        f"| objective | {' | '.join(f'`{name}`' for name in signals)} |", f"|---|{'---|' * len(signals)}",
        *(f"| `{name}` | {' | '.join(_cell(cells[each]) for each in signals)} |" for name, cells in SUPPORT.items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _cell(support: Support) -> str:
    return f"**{support.verdict}**: {support.why}"


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes all pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
