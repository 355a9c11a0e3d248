"""Templates of docs/claims.md, filled in from kept records; tools/claims.py tells how they are written."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import inf
from statistics import fmean

import claims_figures

from limbeck.reporting import numbers
from limbeck.studies import cells
from limbeck.studies.interval import LEVEL
from limbeck.studies.record import ArmRecord, Comparison, Finding, StudyRecord, TeacherRecord
from limbeck.studies.verdict import FEWEST_SEEDS
from limbeck.studies.view import Table
from limbeck.studies.words import in_words

BLOCK = re.compile(r"<!-- claims:(?P<template>.*?)-->(?P<made>.*?)<!-- end of claims -->", re.DOTALL)
BRACES = re.compile(r"\{([\w.-]+): ([^{}]+)\}")
VERDICT = re.compile(r"(?P<what>.+) (?P<how><|>|within) (?P<bound>-?[\d.]+) ?\?(?P<words>.*)")
DECIDED = re.compile(
    r"\*\*\(?(?:yes|no|not|none|open|as good|better|worse|slower|faster|sooner|later)\b", re.IGNORECASE
)
"""Verdicts in bold that somebody wrote."""

Records = Mapping[str, StudyRecord]


class ClaimError(ValueError):
    """A template names what no record holds."""


def filled(page: str, records: Records) -> str:
    """The page with every block made anew."""

    def made(block: re.Match[str]) -> str:
        return f"<!-- claims:{block['template']}-->\n\n{render(block['template'], records)}\n\n<!-- end of claims -->"

    return BLOCK.sub(made, page)


def undecided(page: str) -> list[str]:
    """Verdicts in bold that were written by hand, in a template or outside of blocks."""
    outside = BLOCK.sub("", page)
    written = [BRACES.sub("", block["template"]) for block in BLOCK.finditer(page)]
    lines = [line for text in (outside, *written) for line in text.splitlines()]
    return [line for line in lines if DECIDED.search(line)]


def render(template: str, records: Records) -> str:
    """A template with everything between braces filled in.

    Raises:
        ClaimError: no record holds what it names.
    """

    def said(found: re.Match[str]) -> str:
        name, what = found.groups()
        if name not in records:
            raise ClaimError(f"{found[0]}: docs/claims holds no {name}.json; keep the study with tools/claims.py")
        try:
            return say(records[name], what.strip())
        except ClaimError as error:
            raise ClaimError(
                f"{found[0]}: {error}; python tools/claims.py --names {name} lists what there is"
            ) from error

    return BRACES.sub(said, template.strip())


def say(study: StudyRecord, what: str) -> str:
    """What stands between braces, behind the name of the record."""
    verdict = VERDICT.fullmatch(what)
    if verdict is not None:
        return decided(study, verdict["what"], verdict["how"], float(verdict["bound"]), verdict["words"])
    what, _, how = (part.strip() for part in what.partition("#"))
    if what == "answer":
        return " ".join(study.answer)
    if re.fullmatch(r"table( \d+)?", what):
        made = tables(study)
        place = int(what.removeprefix("table") or 1)
        if not 0 < place <= len(made):
            raise ClaimError(f"there is no table {place}")
        return made[place - 1]
    return _quantity(study, what, how)


def _quantity(study: StudyRecord, what: str, how: str) -> str:
    for teacher in study.teachers:
        if what == f"teacher {teacher.name}":
            return _teacher(study, teacher, how)
    if what.startswith("finding "):
        return _finding(study, _found(study, what.removeprefix("finding ")), how)
    if " vs " in what:
        return _difference(study, _pair(study, what), how)
    for arm in study.arms:
        if arm.name == what:
            return _arm(study, arm, how)
    raise ClaimError(f"there is no arm {what!r}")


def decided(study: StudyRecord, what: str, how: str, bound: float, words: str) -> str:
    """A verdict's word: the claim's where the whole interval is in it, the other where none of it is, else open.

    Args:
        study: the record.
        what: a comparison or a finding.
        how: "<", ">" or "within" (at most `bound` on both sides of 0).
        bound: in the unit that is shown.
        words: "no gain : not alike"; by default "yes : no".
    """
    low, high = ends(study, what, settles=not (how != "within" and bound == 0))
    yes, _, no = (part.strip() for part in words.partition(" : "))
    inside, outside = {
        "<": (high < bound, low >= bound),
        ">": (low > bound, high <= bound),
        "within": (low >= -bound and high <= bound, low > bound or high < -bound),
    }[how]
    return f"**{yes or 'yes'}**" if inside else f"**{no or 'no'}**" if outside else "open"


def ends(study: StudyRecord, what: str, *, settles: bool = True) -> tuple[float, float]:
    """The interval's ends in the unit shown; infinite where they are open, or the number may not settle anything.

    Args:
        study: the record.
        what: a comparison or a finding.
        settles: whether what may be chance after Holm's correction still counts.
    """
    if what.startswith("finding "):
        finding = _found(study, what.removeprefix("finding "))
        scale, few = _scale(study, finding), min(len(arm.seeds) for arm in study.arms) < FEWEST_SEEDS
        unsure = few or (_chance(finding) and not settles)
        low, high = (None, None) if unsure else finding.bounds or finding.ci95 or (None, None)
        return (-inf if low is None else scale * low, inf if high is None else scale * high)
    pair = _pair(study, what)
    if pair.ci95 is None or pair.seeds < FEWEST_SEEDS or (_chance(pair) and not settles):
        return (-inf, inf)
    scale = 100 if study.metric.percent else 1
    return (scale * pair.ci95[0], scale * pair.ci95[1])


def _chance(each: Comparison | Finding) -> bool:
    return each.p_value_holm is not None and each.p_value_holm > LEVEL


def _pair(study: StudyRecord, what: str) -> Comparison:
    """The comparison; turned, where the study made it the other way round."""
    arm, _, other = what.partition(" vs ")
    for each in study.comparisons:
        if (each.arm, each.against) == (arm, other):
            return each
    for each in study.comparisons:
        if (each.against, each.arm) == (arm, other):
            span = None if each.ci95 is None else (-each.ci95[1], -each.ci95[0])
            return each.model_copy(update={"arm": arm, "against": other, "difference": -each.difference, "ci95": span})
    raise ClaimError(f"there is no comparison of {arm!r} with {other!r}")


def _found(study: StudyRecord, name: str) -> Finding:
    for each in study.findings:
        if each.name == name:
            return each
    raise ClaimError(f"there is no finding {name!r}")


def _scale(study: StudyRecord, finding: Finding) -> int:
    shares = ("share", study.metric.name, f"mean {study.metric.name}")
    return 100 if finding.unit in shares and (study.metric.percent or finding.unit == "share") else 1


def _arm(study: StudyRecord, arm: ArmRecord, how: str) -> str:
    show = _shown(study)
    more: dict[str, Callable[[], str]] = {
        "": lambda: show(arm.quality.value),
        "interval": lambda: f"{show(arm.quality.value)} ({_span(arm.quality.ci95, show)})",
        "span": lambda: _span(arm.quality.ci95, show),
        "labelled": lambda: f"{arm.labelled:,}",
        "examples": lambda: f"{arm.examples:,}",
        "steps": lambda: f"{arm.steps:,}",
        "step_ms": lambda: f"{arm.step_ms:.1f} ms",
        "seeds": lambda: str(len(arm.seeds)),
        "agreement": lambda: _mean([seed.agreement for seed in arm.seeds], numbers.share),
        "kl": lambda: _mean([seed.kl for seed in arm.seeds], numbers.significant),
        "at": lambda: "" if arm.at is None else f"{arm.at:g}",
        "chosen": lambda: in_words(arm.settings),
        "objective": lambda: arm.objective,
        "about": lambda: arm.about,
    }
    return _one(more, how)


def _teacher(study: StudyRecord, teacher: TeacherRecord, how: str) -> str:
    show, quality = _shown(study), teacher.quality
    more: dict[str, Callable[[], str]] = {
        "": lambda: numbers.ABSENT if quality is None else show(quality.value),
        "interval": lambda: (
            numbers.ABSENT if quality is None else f"{show(quality.value)} ({_span(quality.ci95, show)})"
        ),
        "span": lambda: numbers.ABSENT if quality is None else _span(quality.ci95, show),
        "params": lambda: numbers.ABSENT if teacher.params is None else f"{teacher.params:,}",
        "labelled": lambda: numbers.ABSENT if teacher.labelled is None else f"{teacher.labelled:,}",
        "train_s": lambda: numbers.ABSENT if teacher.train_s is None else f"{numbers.significant(teacher.train_s)} s",
        "labelling_s": lambda: f"{numbers.significant(teacher.labelling_s)} s",
        "about": lambda: teacher.about,
    }
    return _one(more, how)


def _difference(study: StudyRecord, pair: Comparison, how: str) -> str:
    show = _points(100 if study.metric.percent else 1)
    more: dict[str, Callable[[], str]] = {
        "": lambda: f"{show(pair.difference, signed=True)} ({_span(pair.ci95, show)})",
        "alone": lambda: show(pair.difference, signed=True),
        "span": lambda: _span(pair.ci95, show),
        "p": lambda: cells.p_value(pair),
        "sentence": lambda: pair.sentence,
    }
    return _one(more, how)


def _finding(study: StudyRecord, finding: Finding, how: str) -> str:
    show = _unit(study, finding)
    alone = "not reached" if finding.value is None else show(finding.value)
    low, high = finding.bounds or finding.ci95 or (None, None)
    if low is not None and high is not None:
        span = _span((low, high), show)
    elif low is None and high is None:
        span = "no interval" if finding.bounds is None else "anything"
    else:
        span = f"{_bare(show(low))} or more" if low is not None else f"{_bare(show(high or 0.0))} or less"
    more: dict[str, Callable[[], str]] = {
        "": lambda: f"{alone} ({span})", "alone": lambda: alone, "span": lambda: span,
        "sentence": lambda: finding.sentence,
    }  # fmt: skip
    return _one(more, how)


def _one(more: Mapping[str, Callable[[], str]], how: str) -> str:
    if how not in more:
        raise ClaimError(f"there is no #{how}, but {', '.join(f'#{each}' for each in more if each)}")
    return more[how]().replace(numbers.SPACE, " ").replace("\N{MINUS SIGN}", "-")


def _shown(study: StudyRecord) -> Callable[[float], str]:
    return lambda value: numbers.score(value, study.metric)


def _points(scale: int) -> Callable[..., str]:
    """Differences: points to one decimal, other units to three digits, the sign in front where asked."""

    def show(value: float, *, signed: bool = False) -> str:
        text = f"{scale * value:+.1f}" if scale == 100 else f"{'+' if value > 0 else ''}{numbers.significant(value)}"
        return (
            text.lstrip("+-")
            if float(f"{scale * value:.1f}") == 0 and scale == 100
            else text
            if signed
            else _bare(text)
        )

    return show


def _unit(study: StudyRecord, finding: Finding) -> Callable[[float], str]:
    scale = _scale(study, finding)
    if finding.unit == f"mean {study.metric.name}":
        show = _points(scale)
        return lambda value: show(value, signed=True)
    if scale == 100:
        return numbers.share
    if finding.unit.startswith("%"):
        return lambda value: f"{value:.3g}%"
    if finding.unit == "Spearman's rho":
        return lambda value: f"{value:.2f}"
    return lambda value: f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _span(ci95: tuple[float, float] | None, show: Callable[[float], str]) -> str:
    return "no interval" if ci95 is None else " to ".join(_bare(show(end)) for end in ci95)


def _bare(text: str) -> str:
    return text.removesuffix("%").removeprefix("+")


def _mean(values: Sequence[float | None], show: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    return show(fmean(known)) if known else numbers.ABSENT


def tables(study: StudyRecord) -> list[str]:
    """Those of the study's page, as Markdown."""
    return [_markdown(each) for each in claims_figures.view(study).tables]


def _markdown(shown: Table) -> str:
    rows = [shown.head, ["---"] * len(shown.head), *shown.rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace(numbers.SPACE, " ").replace("|", "\\|") for cell in row) + " |"
        for row in rows
    )


def sayable(name: str, study: StudyRecord) -> list[str]:
    """Everything that may stand between braces, with what it says."""
    whats = [
        "answer", *(f"teacher {each.name}" for each in study.teachers), *(arm.name for arm in study.arms),
        *(f"{each.arm} vs {each.against}" for each in study.comparisons),
        *(f"finding {each.name}" for each in study.findings),
    ]  # fmt: skip
    return [f"{{{name}: {what}}}   {say(study, what)}" for what in whats]
