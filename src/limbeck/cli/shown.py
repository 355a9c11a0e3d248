"""What people see: results as lines of plain text. Scripts ask for `--json`."""

from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limbeck.guide.verify import Verification
    from limbeck.lineage.record import Lineage
    from limbeck.objectives import MethodCard
    from limbeck.profiles import Profile
    from limbeck.record import Estimate, Export, Latency
    from limbeck.verbs.check import Checked
    from limbeck.verbs.distil import Run
    from limbeck.verbs.measure import Measurement
    from limbeck.verbs.method_sheet import Sheet
    from limbeck.verbs.study import Studied


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side, as wide as they must be.

    Example:
        >>> table([["role", "steps"], ["student", "20"]])
        ['role     steps', 'student  20']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def size(count: int | None) -> str:
    """Bytes for people.

    Example:
        >>> size(512), size(27688), size(3 << 20)
        ('512 B', '27.0 KB', '3.0 MB')
    """
    if count is None:
        return "unknown"
    if count < 1 << 10:
        return f"{count} B"
    return f"{count / (1 << 10):,.1f} KB" if count < 1 << 20 else f"{count / (1 << 20):,.1f} MB"


def run_lines(run: "Run") -> list[str]:
    """The verdict, where everything lies, and what to type next."""
    verdict = run.record.verdict
    said = [verdict.sentence] if verdict is not None else ["No verdict was asked for (verdict.seeds: 0)."]
    explained = [comparison.sentence for comparison in run.record.comparisons]
    places = [
        ["report", str(run.report), f"limbeck report {run.folder} --open"],
        ["student", str(run.student), f"limbeck predict {run.folder} FILE"],
    ]
    if run.lineage is not None:
        places.insert(
            0, ["lineage", str(run.folder.parent / "lineage.html"), f"limbeck report {run.folder.parent} --open"]
        )
    chain = [] if run.lineage is None else [*_chain(run.lineage), ""]
    return [*chain, *said, *explained, "", *table(places)]


def _chain(lineage: "Lineage") -> list[str]:
    """What each link came to, and what its intervals do not cover."""
    from limbeck.studies import cells

    def shown(quality: "Estimate | None") -> str:
        """As the page has it, in letters that every terminal has."""
        return cells.estimate(quality, lineage.metric).replace("\N{EN DASH}", " to ").replace("\xa0", " ")

    rows = [[lineage.noun, "student", f"{lineage.metric.name} on validation", "on test"]]
    for number, each in enumerate(lineage.generations):
        mark = " (kept)" if number == lineage.best else ""
        rows.append([each.folder + mark, each.student, shown(each.validation), shown(each.test)])
    if lineage.together is not None:
        rows.append(["all together", "the mean of their probabilities", "-", shown(lineage.together.test)])
    lines = [*table(rows), "", *(each.sentence for each in lineage.comparisons), "", *lineage.notes]
    return [*lines, lineage.stopped[0].upper() + lineage.stopped[1:] + "."] if lineage.stopped else lines


def study_lines(found: "Studied") -> list[str]:
    """The answer, its comparisons, and where the page is."""
    record = found.record
    explained = [each.sentence for each in record.findings] + [each.sentence for each in record.comparisons]
    return [*record.answer, "", *explained, "", *table([["page", str(found.page)]])]


def check_lines(found: "Checked") -> list[str]:
    """What a run would do."""
    count = found.examples
    facts = [
        ["data", f"{found.input}; {len(found.classes)} classes"],
        ["", f"{count['labelled']:,} labelled and {count['unlabelled']:,} unlabelled examples to learn from"],
        ["", f"{count['validation']:,} to choose on, {count['test']:,} to test on"],
        ["teacher", _teacher(found)],
        ["student", f"{found.student.name}; {_facts(found.student.params, found.student.macs)}"],
        ["", f"{size(found.student.size_bytes)} of weights, {size(found.peak_memory_bytes)} of activations"],
        ["training", f"{found.student.steps:,} steps of {found.batch_size} ({found.epochs} epochs)"],
        ["", f"roughly {found.training_memory_mb:,.0f} MB beside torch itself"],
    ]
    arms = [["arm", "candidates", "full runs", "steps in all"]]
    arms += [[arm.role, str(arm.candidates), str(arm.runs), f"{arm.steps:,}"] for arm in found.arms]
    notes = [*found.exceeds, *found.fits, *(f"note: {note}" for note in found.notes)]
    return [*table(facts), "", *table(arms), *([""] if notes else []), *notes]


def _teacher(found: "Checked") -> str:
    teacher = found.teacher
    if teacher is None:
        return found.taught_by or "labels that were made elsewhere, in a study guide"
    labels = found.examples["teacher"]
    trained = f"trained on {labels:,} labels, {teacher.steps:,} steps" if teacher.steps else "given"
    return f"{teacher.name}, {trained}; {_facts(teacher.params, teacher.macs)}"


def guide_lines(facts: "Mapping[str, Any]") -> list[str]:
    """What is inside a guide."""
    from limbeck.guide.estimate import size

    teacher, views, data = facts["teacher"], facts["views"], facts["data"]
    state = "finished" if facts["finished"] else f"unfinished: {facts['shards_done']} of {facts['shards']} shards"
    rows = [
        ["guide", state],
        ["teacher", f"{teacher['mode']}, {teacher['fingerprint'][:12]}"],
        ["", f"origin: {teacher['origin'] or 'not stated'}; licence: {teacher['licence'] or 'not stated'}"],
        ["data", f"{data['examples']:,} examples, {data['fingerprint'][:12]}"],
        ["views", f"{views['count']} of each example ({views['path']}), seed {views['seed']}"],
        ["signals", f"{facts['signals_in_words']}, {facts['outputs']} outputs"],
        ["size", f"{size(facts['bytes'])}: {facts['bytes_per_example']:,} B an example, {facts['shards']} shards"],
    ]
    return list(table(rows))


def verification_lines(found: "Verification") -> list[str]:
    """What is wrong with a guide, or that nothing is."""
    asked = "" if not found.rows else f"; {found.exact:,} of {found.rows:,} rows asked again are the same bits"
    if found.ok:
        return [f"all {found.files} files are whole{asked}"]
    return [f"{finding.where}: {finding.what}" for finding in found.findings]


def _facts(params: int, macs: int | None) -> str:
    work = "multiply-accumulates not counted" if macs is None else f"{macs:,} multiply-accumulates an example"
    return f"{params:,} parameters, {work}"


def measure_lines(found: "Measurement") -> list[str]:
    """Size and speed, and the machine they belong to."""
    params = "unknown" if found.params is None else f"{found.params:,}"
    rows = [
        ["file", found.file],
        ["input", found.input],
        ["size", f"{size(found.size_bytes)}, {params} parameters"],
        ["latency", _latency(found.latency_ms)],
        ["machine", f"{found.machine.cpu}, {found.machine.cores} cores, {found.machine.os}"],
    ]
    return table(rows)


def _latency(found: "Latency") -> str:
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    times = f"p50 {found.p50:.3g} ms, p90 {found.p90:.3g}, p99 {found.p99:.3g}, max {found.max:.3g}"
    return f"{times} ({found.runtime}, {threads}, batch {found.batch}, {found.repeats} calls)"


def export_lines(found: Sequence["Export"]) -> list[str]:
    """Files, and how well each agrees with the student."""
    rows = [["format", "size", "largest difference", "same answers", "file"]]
    for each in found:
        parity = each.parity
        rows.append(
            [each.format, size(each.size_bytes), f"{parity.max_abs_error:.2g}", f"{parity.agreement:.2%}", each.path]
        )
    return table(rows)


def methods_lines(cards: Sequence["MethodCard"], *, full: bool) -> list[str]:
    """A line each, or the cards, one paragraph each."""
    from limbeck.objectives.card import CARD_PARTS

    lines: list[str] = []
    if not full:
        more = "limbeck methods NAME: one in full, with its settings; --full: all cards"
        lines = [*table([[card.name, card.summary] for card in cards]), "", more]
    for card in cards if full else ():
        rows = [[f"  {key}", getattr(card, key)] for key in CARD_PARTS]
        lines += [card.name, f"  {card.summary}", *table(rows), ""]
    return [*lines, "DeiT's, ModelOpt's, torchdistill's and mdistiller's losses in these terms: docs/converters.md"]


def sheet_lines(found: "Sheet") -> list[str]:
    """One method in full, in lines that fit the terminal."""
    from limbeck.objectives.card import CARD_PARTS

    card = found.card
    fitted = TextWrapper(max(60, min(get_terminal_size().columns, 100)), break_long_words=False, break_on_hyphens=False)

    def put(indent: int, label: str, text: str) -> list[str]:
        fitted.initial_indent, fitted.subsequent_indent = label.ljust(indent), " " * indent
        return fitted.wrap(text)

    lines = [card.name, *put(2, "", card.summary), ""]
    if found.also_called:
        lines += put(13, "  also", ", ".join(found.also_called))
    for key in CARD_PARTS:
        lines += put(13, f"  {key}", getattr(card, key))
        if key == "memory" and found.measured is not None:
            lines += put(13, "  measured", str(found.measured))
    lines += put(13, "  tasks", ", ".join(found.tasks)) + put(13, "  Python", found.python)
    lines += ["", "settings" if found.settings else "no settings"]
    for each in found.settings:
        default = "must be given" if each.default is None else f"default {each.default}"
        lines += [f"  {each.name}: {each.kind}, {default}", *put(4, "", each.meaning)]
    lines += ["", "from a study guide that keeps"]
    for signal, cell in found.signals.items():
        lines += put(13, f"  {signal}", f"{cell.verdict}: {cell.why}")
    return [*lines, "", "in a recipe", f"  {found.recipe}"]


def devices_lines(found: Sequence["Profile"]) -> list[str]:
    """Limits side by side, then where they come from."""
    rows = [["name", "latency ms", "size KB", "memory KB", "runtime", "device"]]
    for device in found:
        limits = (device.latency_ms, device.size_kb, device.memory_kb)
        numbers = ["-" if limit is None else f"{limit:g}" for limit in limits]
        rows.append([device.name, *numbers, device.runtime or "-", device.title])
    return [*table(rows), "", *(f"{device.name}: {device.source}" for device in found)]
