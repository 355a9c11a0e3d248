"""`limbeck taps`: a table of what can be tapped, and recipe lines for pairs of layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli.printing import echo, echo_json

if TYPE_CHECKING:
    from limbeck.verbs.taps import ModelTaps, TapFacts, Taps

_ROWS = 40
"""Of a table, unless more are asked for."""


def taps(
    model: Annotated[
        str,
        typer.Argument(help="A recipe, a run, timm:NAME, torchvision:NAME, module:function, ...", show_default=False),
    ],
    size: Annotated[
        str | None, typer.Option("--size", help="One example of a single model: 3x64x64.", show_default=False)
    ] = None,
    input_: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]KIND:SHAPE",
            help="One tensor of an example, instead of --size; once for each: int:20 for token ids, "
            "attention_mask=ones:20, float:3x64x64, bool:20.",
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", help="How deep to list.  [default: as deep as 40 rows go]")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the recipe; of one model: settings.width=8."
        ),
    ] = None,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Load module:function names; they run code.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the places whose activations can be read, and pairs of a recipe's student and teacher layers."""
    from limbeck.cli.values import extents, overrides
    from limbeck.verbs.taps import taps as verb

    shape = None if size is None else extents(size)
    found = verb(model=model, size=shape, inputs=input_ or None, overrides=overrides(set_), trust_code=trust_code)
    echo_json(found.model_dump(mode="json")) if json else echo(taps_lines(found, depth))


def taps_lines(found: "Taps", depth: int | None = None) -> list[str]:
    """A table a model, then the pairs."""
    lines = [line for model in found.models for line in [*_model_lines(model, depth), ""]]
    if len(found.models) == 1:
        return lines[:-1]
    if not found.pairs:
        return [*lines, "No layers of the two seem to go together."]
    return [
        *lines,
        "Pairs to try, one term of a recipe's objective each:",
        *(line for pair in found.pairs for line in (f"  - {pair.line}", f"      # {pair.why}")),
    ]


def _model_lines(model: "ModelTaps", depth: int | None) -> list[str]:
    from limbeck.cli.shown import size, table

    title = f"{model.role}: {model.name}, {model.params:,} parameters"
    if not model.places:
        return [f"{title}; nothing in it can be tapped"]
    given = ", ".join(" x ".join(map(str, shape)) for shape in model.input)
    levels = [place.path.count(".") + 1 for place in model.places]
    shown = depth if depth is not None else _fitting(levels)
    rows = [["tap", "part", "kind", "shape", "an example", "parameters so far", "multiply-accumulates so far"]]
    rows += [
        [*_named(place), " x ".join(map(str, place.shape)), size(place.bytes_per_example), f"{place.params:,}",
         f"{place.macs:,}"]
        for place, level in zip(model.places, levels, strict=True) if level <= shown
    ]  # fmt: skip
    hidden = sum(level > shown for level in levels)
    more = [f"{hidden} more lie deeper: --depth {max(levels)} lists all"] if hidden else []
    return [f"{title}, input {given}", *table(rows), *more]


def _named(place: "TapFacts") -> list[str]:
    return [place.path, place.part, place.kind if place.runs == 1 else f"runs {place.runs} times: cannot be tapped"]


def _fitting(levels: Sequence[int]) -> int:
    """The largest depth with at most 40 rows; at least the smallest with any."""
    fitting = [depth for depth in range(1, max(levels) + 1) if sum(level <= depth for level in levels) <= _ROWS]
    return max([*fitting, min(levels)])
