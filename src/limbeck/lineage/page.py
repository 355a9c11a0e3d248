"""`lineage.html`: the page of a finished chain, drawn from `lineage.json` and nothing else. Needs no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limbeck.core.storage import write_text
from limbeck.lineage import record as chains
from limbeck.lineage.figure import over_links
from limbeck.lineage.record import FIRST_TEACHER, TOGETHER, Generation, Lineage
from limbeck.record import Estimate
from limbeck.reporting import numbers
from limbeck.studies import cells, charts
from limbeck.studies.record import Comparison
from limbeck.studies.sheet import sheet
from limbeck.studies.view import Figure, Table, View

FILE_NAME = "lineage.html"


def render(lineage: Lineage) -> str:
    """The page of a chain, as one HTML page that needs no network.

    Args:
        lineage: its record.
    """
    figures = [_quality(lineage), *([_differences(lineage)] if lineage.comparisons else [])]
    tables = [_links(lineage), *([_comparisons(lineage)] if lineage.comparisons else [])]
    if lineage.together is not None:
        tables.append(_ensemble(lineage))
    return sheet("lineage.html", View(figures, tables), {"told": lineage}, created=lineage.created)


def write(folder: Path) -> Path:
    """Renders the page into the chain's folder, whole or not at all.

    Raises:
        BundleError: `folder` holds no readable record.
        StorageError: the disk is full or the folder cannot be written.
    """
    path = folder / FILE_NAME
    write_text(path, render(chains.read(folder)))
    return path


def _quality(lineage: Lineage) -> Figure:
    first, noun = lineage.first_teacher, lineage.noun
    measured = [] if first is None else [("teacher", {"validation": first.validation, "test": first.test})]
    measured += [(each.folder, {"validation": each.validation, "test": each.test}) for each in lineage.generations]
    rows = [row for place, of in measured for split, found in of.items() for row in _row(place, split, found)]
    return Figure(
        f"Quality over {noun}s",
        f"{_covers(lineage)} Teacher: {FIRST_TEACHER}, whose interval covers examples alone.",
        over_links(lineage.metric, noun), rows,
        f"Two lines of quality over {noun}s, on validation and on test; the same numbers stand in the table.", 300,
    )  # fmt: skip


def _row(place: str, split: str, found: Estimate | None) -> Iterator[dict[str, Any]]:
    if found is not None:
        low, high = cells.ends(found)
        yield {"link": place, "line": f"on {split}", "value": found.value, "low": low, "high": high}


def _differences(lineage: Lineage) -> Figure:
    metric = lineage.metric
    rows = [{**charts.forest_row(each, metric), "arm": _short(lineage, each)} for each in lineage.comparisons]
    return Figure(
        "Differences on test",
        f"Each {lineage.noun} against the one before and against the first teacher, with 95% intervals; the band is "
        f"what does not matter ({numbers.difference(lineage.margin, metric).removeprefix('+')}). All students of one "
        f"{lineage.noun} had one teacher, whose luck no interval covers.",
        charts.forest(metric, margin=lineage.margin, height=26 * len(rows)), rows,
        "Dots of differences; the same numbers stand in the table.", 26 * len(rows) + 90,
    )  # fmt: skip


def _short(lineage: Lineage, each: Comparison) -> str:
    """Names that leave room for the plot: "2 against 1", "2 against teacher"."""

    def short(name: str) -> str:
        known = {FIRST_TEACHER: "teacher", TOGETHER: "all"}
        return known.get(name) or name.removeprefix(f"{lineage.noun} ")

    return f"{short(each.arm)} against {short(each.against)}"


def _links(lineage: Lineage) -> Table:
    metric, first = lineage.metric, lineage.first_teacher
    pairs = {(each.arm, each.against): each for each in lineage.comparisons}
    rows, links = [], []
    if first is not None:
        quality = [cells.estimate(each, metric) for each in (first.validation, first.test)]
        rows.append([FIRST_TEACHER, first.about, numbers.ABSENT, numbers.count(first.params), *quality])
        links.append("")
    for place, each in enumerate(lineage.generations):
        rows.append(_link(lineage, each, kept=place == lineage.best))
        links.append(f"{each.folder}/report.html")
    for row in rows:
        name = row[0].removesuffix(" (kept)")
        before = next((each.taught_by for each in lineage.generations if each.name == name), "")
        row += [cells.difference(pairs.get((name, other)), metric) for other in (before, FIRST_TEACHER)]
    head = [lineage.noun.capitalize(), "Model", "Taught by", "Parameters", f"{metric.name.capitalize()} on validation",
            "On test", "Against the one before", "Against the first teacher"]  # fmt: skip
    note = (
        f"Each name leads to its own report. {_covers(lineage)} Differences on test, with 95% intervals "
        f"{'in points' if metric.percent else ''}".rstrip()
        + "."
    )
    return Table(f"All {lineage.noun}s", note, head, rows, links=links)


def _link(lineage: Lineage, each: Generation, *, kept: bool) -> list[str]:
    quality = [cells.estimate(found, lineage.metric) for found in (each.validation, each.test)]
    name = f"{each.name} (kept)" if kept else each.name
    return [name, each.student, each.taught_by, numbers.count(each.params), *quality]


def _covers(lineage: Lineage) -> str:
    """What the qualities are means over, and what their intervals cover."""
    count = lineage.generations[0].seeds
    if count == 1:
        return "One seed, with 95% intervals that cover examples alone."
    return f"Means over {count} seeds, with 95% intervals that cover seeds and examples."


def _comparisons(lineage: Lineage) -> Table:
    metric = lineage.metric
    rows = [
        [f"{each.arm} against {each.against}", cells.difference(each, metric), cells.p_value(each),
         each.outcome.replace("-", " ")]
        for each in lineage.comparisons
    ]  # fmt: skip
    note = (
        f"On test, with 95% intervals; p after Holm's correction over all {len(rows)}. The intervals of one "
        f"{lineage.noun} against another hold for the one teacher that each had, the first student of the "
        f"{lineage.noun} before."
    )
    head = ["Comparison", "Difference" + (", points" if metric.percent else ""), "p", "Outcome"]
    return Table(
        "Differences", note, head, rows,
        tones=[charts.tone(each) for each in lineage.comparisons],
    )  # fmt: skip


def _ensemble(lineage: Lineage) -> Table:
    together, metric = lineage.together, lineage.metric
    assert together is not None, "asked for only where there is one"
    single = next(each for each in lineage.generations if each.name == together.best_single)
    against = next(each for each in lineage.comparisons if each.arm == TOGETHER)
    rows = [
        [f"all {len(together.of)} {lineage.noun}s", cells.estimate(together.test, metric),
         numbers.score(together.shipped_test, metric), cells.difference(against, metric)],
        [f"{single.name}, the best on validation", cells.estimate(single.test, metric), numbers.ABSENT, numbers.ABSENT],
    ]  # fmt: skip
    note = "By the mean of the probabilities of one student of each, once a seed. Shipped: the first students alone."
    head = ["Asked", f"{metric.name.capitalize()} on test", "Shipped students", f"Against {single.name}"]
    return Table("All together", note, head, rows)
