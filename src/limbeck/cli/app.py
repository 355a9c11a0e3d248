"""The verbs as commands. Each imports what it needs when it is called, so that `--help` answers at once."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli.guide import guide
from limbeck.cli.predict import predict
from limbeck.cli.printing import echo, echo_json, say
from limbeck.cli.taps import taps

app = typer.Typer(
    name="limbeck",
    help="Distil your model for your device, and prove what was kept and what was lost.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the run failed and can be resumed, 2 the input was wrong, 130 interrupted.",
)

Recipe = Annotated[Path, typer.Argument(help="The recipe file.", show_default=False)]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one setting; repeatable.")]
Trust = Annotated[bool, typer.Option("--trust-code", help="Load module:function names of the recipe; they run code.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)]


def usage_error(error: Exception) -> str | None:
    """What a mistake on the command line is called; empty where the user broke off, `None` for any other error."""
    if isinstance(error, typer.Abort):
        return ""
    if not hasattr(error, "format_message"):
        return None
    context = getattr(error, "ctx", None)
    where = f" (see {context.command_path} --help)" if context is not None else ""
    return " ".join(str(error.format_message()).split()).rstrip(".") + where


def _version(value: bool) -> None:
    if value:
        import limbeck

        say(f"limbeck {limbeck.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Distil your model for your device, and prove what was kept and what was lost."""
    del version, debug  # both are looked at before: one by its callback, one by `main`


@app.command()
def demo(out: Out) -> None:
    """Distil a small student on scikit-learn's digits: the whole road, in minutes."""
    from limbeck.cli.shown import run_lines
    from limbeck.core.processes import speaks
    from limbeck.core.progress import Terminal
    from limbeck.verbs.demo import demo as verb

    run = verb(out=out, progress=Terminal())
    if speaks():
        echo(run_lines(run))


@app.command()
def init(
    data: Annotated[
        str,
        typer.Option(
            "--data", help="digits, a table, .npz, an IDX or image folder, hf:owner/name.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Recipe file to write.", show_default=False)],
    label: Annotated[str | None, typer.Option("--label", help="Column of the classes, of a table.")] = None,
) -> None:
    """Look at data and write a commented recipe for them."""
    from limbeck.verbs.init import init as verb

    path = verb(data=data, out=out, label=label)
    say(f"{path} is written. Next: limbeck check {path}")


@app.command()
def check(recipe: Recipe, set_: Sets = None, trust_code: Trust = False, json: Json = False) -> None:
    """Say what a recipe would do, without doing it."""
    from limbeck.cli.shown import check_lines
    from limbeck.cli.values import overrides
    from limbeck.verbs.check import check as verb

    found = verb(recipe=recipe, overrides=overrides(set_), trust_code=trust_code)
    echo_json(found.model_dump(mode="json")) if json else echo(check_lines(found))
    if found.exceeds:
        raise typer.Exit(2)


@app.command()
def distil(
    recipe: Recipe,
    out: Annotated[Path | None, typer.Option("--out", help="The run's folder.  [default: runs/NAME]")] = None,
    set_: Sets = None,
    trust_code: Trust = False,
    seeds: Annotated[int | None, typer.Option("--seeds", help="The same as --set verdict.seeds=N.")] = None,
) -> None:
    """Distil: teacher, student, proof, export, report. The same command resumes a run that was interrupted."""
    from limbeck.cli.shown import run_lines
    from limbeck.cli.values import overrides
    from limbeck.core.processes import speaks
    from limbeck.core.progress import Terminal
    from limbeck.verbs.distil import distil as verb

    changes = overrides(set_) | ({} if seeds is None else {"verdict.seeds": seeds})
    run = verb(recipe=recipe, out=out, overrides=changes, trust_code=trust_code, progress=Terminal())
    if speaks():
        echo(run_lines(run))


app.command("distill", hidden=True)(distil)


@app.command()
def measure(
    file: Annotated[Path, typer.Argument(help="A student's or a run's folder, or an .onnx file.", show_default=False)],
    threads: Annotated[int, typer.Option("--threads", help="Threads of the runtime.")] = 1,
    batch: Annotated[int, typer.Option("--batch", help="Examples a call.")] = 1,
    json: Json = False,
) -> None:
    """Measure size and speed of a finished student on this machine. Needs no torch."""
    from limbeck.cli.shown import measure_lines
    from limbeck.verbs.measure import measure as verb

    found = verb(file=file, threads=threads, batch=batch)
    echo_json(found.model_dump(mode="json")) if json else echo(measure_lines(found))


@app.command()
def export(
    bundle: Annotated[Path, typer.Argument(help="A student's or a run's folder.", show_default=False)],
    to: Annotated[str, typer.Option("--to", help="Formats, separated by commas: onnx.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write.  [default: the bundle's exports]")] = None,
    json: Json = False,
) -> None:
    """Export a finished student, and compare each file with it."""
    from limbeck.cli.shown import export_lines
    from limbeck.cli.values import names
    from limbeck.verbs.export import export as verb

    found = verb(bundle=bundle, to=names(to), out=out)
    echo_json([each.model_dump(mode="json") for each in found]) if json else echo(export_lines(found))


@app.command()
def label(
    recipe: Recipe,
    out: Annotated[Path, typer.Option("--out", help="The guide's folder.", show_default=False)],
    set_: Sets = None,
    engine: Annotated[str, typer.Option("--engine", help="local (torchrun starts several), or ray.")] = "local",
    workers: Annotated[int, typer.Option("--workers", help="Actors of the ray engine.")] = 2,
    trust_code: Trust = False,
) -> None:
    """Let the teacher speak once: write the study guide that every student reads. The same command goes on."""
    from limbeck.cli.shown import guide_lines
    from limbeck.cli.values import overrides
    from limbeck.core.progress import Terminal
    from limbeck.verbs.label import label as verb

    found = verb(
        recipe=recipe, out=out, overrides=overrides(set_), engine=engine, workers=workers, trust_code=trust_code,
        progress=Terminal(),
    )  # fmt: skip
    echo(guide_lines(found.facts) if found.facts is not None else ["this process's shards are written"])


@app.command()
def study(
    kind: Annotated[
        str,
        typer.Argument(
            help="methods, data, time, schedule, temperature, fidelity, missing-class, teachers, ensembles, "
            "born-again.",
            show_default=False,
        ),
    ],
    recipe: Recipe,
    out: Annotated[Path | None, typer.Option("--out", help="The study's folder.  [default: studies/NAME-KIND]")] = None,
    set_: Sets = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="The same as --set verdict.seeds=N.")] = None,
    methods: Annotated[str | None, typer.Option("--methods", help="methods: a,b,c.  [default: all that fit]")] = None,
    shares: Annotated[
        str | None,
        typer.Option("--shares", help="data: shares of the labels, as in 0.01,0.1,1; schedule: shares of training."),
    ] = None,
    without: Annotated[str | None, typer.Option("--without", help="missing-class: the class left out.")] = None,
    teachers: Annotated[str | None, typer.Option("--teachers", help="teachers: a,b,c, families or models.")] = None,
    generations: Annotated[
        int | None, typer.Option("--generations", help="born-again: how many.  [default: 3]")
    ] = None,
    trust_code: Trust = False,
    json: Json = False,
) -> None:
    """Ask a question about distillation on your data: many trainings, intervals, plots. The same command goes on."""
    from limbeck.cli.shown import study_lines
    from limbeck.cli.values import names, numbers, overrides
    from limbeck.core.processes import speaks
    from limbeck.core.progress import Terminal
    from limbeck.verbs.study import study as verb

    found = verb(
        kind=kind, recipe=recipe, out=out, methods=None if methods is None else names(methods, "--methods"),
        shares=None if shares is None else numbers(shares, "--shares"),
        without=without, teachers=None if teachers is None else names(teachers, "--teachers"), generations=generations,
        overrides=overrides(set_) | ({} if seeds is None else {"verdict.seeds": seeds}), trust_code=trust_code,
        progress=Terminal(),
    )  # fmt: skip
    if speaks():
        echo_json(found.record.model_dump(mode="json")) if json else echo(study_lines(found))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run, study or lineage.", show_default=False)],
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the page of a run, study or lineage again, and say where it is."""
    from limbeck.verbs.report import report as verb

    say(str(verb(run=run, open_browser=open_)))


app.command()(predict)
app.command()(taps)


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(help="Only this one, with its settings and signals.")] = None,
    full: Annotated[bool, typer.Option("--full", help="All cards: when each helps, when it hurts, its cost.")] = False,
    json: Json = False,
) -> None:
    """List what a student can be asked to imitate, a line each; NAME or --full tells when each helps and hurts."""
    from dataclasses import asdict

    from limbeck.cli.shown import methods_lines, sheet_lines
    from limbeck.verbs.method_sheet import sheet
    from limbeck.verbs.methods import methods as verb

    if name is not None:
        one = sheet(name)
        echo_json(asdict(one)) if json else echo(sheet_lines(one))
        return
    found = verb()
    echo_json([asdict(card) for card in found]) if json else echo(methods_lines(found, full=full))


@app.command()
def devices(json: Json = False) -> None:
    """List device profiles: the limits a student can be asked to meet."""
    from limbeck.cli.shown import devices_lines
    from limbeck.verbs.devices import devices as verb

    found = verb()
    echo_json([device.model_dump(mode="json") for device in found]) if json else echo(devices_lines(found))


app.add_typer(guide, name="guide")
