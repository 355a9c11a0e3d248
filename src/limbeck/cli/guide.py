"""`limbeck guide ...`: look into a study guide, verify it, make one of labels that others made."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli.printing import echo, echo_json

guide = typer.Typer(
    help="Study guides: what a teacher said, written down.", no_args_is_help=True, rich_markup_mode=None
)

Folder = Annotated[str, typer.Argument(help="The guide's folder, or a URL that fsspec opens.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@guide.command()
def info(folder: Folder, json: Json = False) -> None:
    """Say what is inside: teacher, data, views, signals, size."""
    from limbeck.cli.shown import guide_lines
    from limbeck.verbs.guide import guide_info as verb

    facts = verb(guide=folder)
    echo_json(facts) if json else echo(guide_lines(facts))


@guide.command()
def verify(
    folder: Folder,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="Of the teacher to ask again.  [default: the guide's own]")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", help="Rows that the teacher is asked about again.")] = 1024,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Load module:function names of the recipe; they run code.")
    ] = False,
    json: Json = False,
) -> None:
    """Hash every file again, and ask the teacher again about a sample of rows."""
    from dataclasses import asdict

    from limbeck.cli.shown import verification_lines
    from limbeck.core.progress import Terminal
    from limbeck.verbs.guide import verify_guide as verb

    found = verb(guide=folder, recipe=recipe, sample=sample, trust_code=trust_code, progress=Terminal())
    echo_json({"ok": found.ok, **asdict(found)}) if json else echo(verification_lines(found))
    if not found.ok:
        raise typer.Exit(1)


@guide.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or npz of probabilities.", show_default=False)],
    origin: Annotated[str, typer.Option("--origin", help="Who made the labels, and how.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The guide's folder.", show_default=False)],
    licence: Annotated[str | None, typer.Option("--licence", help="What they may be used for.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Column that says which example a row is about.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="The training examples they are about.")] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="Instead of --data: the transfer set of this recipe.")
    ] = None,
) -> None:
    """Make a guide of labels that others made: a teacher behind an API, another team's spreadsheet."""
    from limbeck.cli.shown import guide_lines
    from limbeck.core.progress import Terminal
    from limbeck.verbs.guide import import_guide as verb

    facts = verb(
        file=file, data=data, origin=origin, out=out, licence=licence, key=key, recipe=recipe, progress=Terminal()
    )
    echo(guide_lines(facts))
