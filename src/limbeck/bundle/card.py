"""The model card: what the student is, what it is worth, where it ends, and how a device runs it."""

from collections.abc import Sequence
from dataclasses import dataclass

from limbeck.bundle.config import BundleConfig, Quality
from limbeck.bundle.read import LABELS, PROGRAM
from limbeck.record import Export, Latency

_SHOWN = 20
"""Longer class lists are cut in the card; `labels.json` has them all."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the card tells beyond the configuration; whatever is empty is left out.

    Attributes:
        teacher: what the student was distilled from, in words: "resnet (a=2, b=3), 98.1% on test".
        method: the objective in words.
        data: what it was trained on, in words.
        verdict: the sentence of the verdict against the same student without a teacher.
        limits: what the reader should beware of, one sentence each.
        machine: name of the processor that latencies were measured on.
    """

    teacher: str = ""
    method: str = ""
    data: str = ""
    verdict: str = ""
    limits: Sequence[str] = ()
    machine: str = ""


def card(config: BundleConfig, facts: Facts, exports: Sequence[Export] = ()) -> str:
    """The Markdown of a bundle's `README.md`.

    Names from outside (classes, teachers, notes) are escaped, since Markdown lets HTML through.
    """
    parts = (
        f"# {_plain(config.name)}",
        _what(config, facts),
        "## Worth\n\n" + _worth(config, facts),
        "## Size and speed\n\n" + _size(config, facts, exports),
        "## Use it\n\nNeeds NumPy and onnxruntime alone. In this folder:\n\n" + f"```python\n{program(config)}```",
        "## Limits\n\n" + _limits(config, facts),
        "## Origin\n\n" + _origin(config),
    )
    return "\n\n".join(parts) + "\n"


def program(config: BundleConfig) -> str:
    """Five lines of Python that a device runs; it needs NumPy and onnxruntime alone."""
    shape = ", ".join(map(str, config.input.shape))
    what = "your images here: values 0 to 255" if config.input.kind == "image" else "your rows here"
    return f"""\
import json, numpy as np, onnxruntime
labels = json.load(open("{LABELS}", encoding="utf-8"))
session = onnxruntime.InferenceSession("{PROGRAM}", providers=["CPUExecutionProvider"])
examples = np.zeros((1, {shape}), np.{config.input.dtype})  # {what}, n x {_times(config.input.shape)}
print([labels[row] for row in session.run(None, {{"input": examples}})[0].argmax(1)])
"""


def _what(config: BundleConfig, facts: Facts) -> str:
    student = ", ".join(f"{name} {value}" for name, value in config.student.items())
    eats = f"{config.input.dtype} {config.input.kind}, {_times(config.input.shape)}"
    names = ", ".join(map(_plain, config.classes[:_SHOWN]))
    more = f" and {len(config.classes) - _SHOWN} more (`{LABELS}`)" if len(config.classes) > _SHOWN else ""
    lines = [
        f"A small {_plain(config.task)} model ({_plain(student)}), made by Limbeck {_plain(config.limbeck_version)}.",
        f"- in: {eats}",
        f"- out: {len(config.classes)} logits: {names}{more}",
    ]
    told = (("distilled from", facts.teacher), ("method", facts.method), ("data", facts.data))
    lines += [f"- {name}: {_plain(text)}" for name, text in told if text]
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _worth(config: BundleConfig, facts: Facts) -> str:
    sentences = [_quality(config.quality)]
    if facts.verdict:
        sentences.append(f"Against the same student trained without a teacher: {_plain(facts.verdict)}")
    return "\n\n".join(sentences)


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return "Not measured."
    interval = ""
    if quality.ci95 is not None:
        interval = f" (95% interval {quality.ci95[0]:.4g} to {quality.ci95[1]:.4g})"
    return f"{_plain(quality.metric)} on {_plain(quality.split)}: {quality.value:.4g}{interval}."


def _size(config: BundleConfig, facts: Facts, exports: Sequence[Export]) -> str:
    lines = [f"{config.params:,} parameters."]
    if exports:
        lines += [
            "",
            "| file | bytes | latency p50 | p99 | agreement with the student as trained |",
            "|---|---|---|---|---|",
        ]
    for export in exports:
        p50, p99 = _times_of(export.latency_ms)
        row = (f"`{export.path}`", f"{export.size_bytes:,}", p50, p99, f"{export.parity.agreement:.2%}")
        lines.append(f"| {' | '.join(row)} |")
    if facts.machine and any(export.latency_ms for export in exports):
        lines += [
            "",
            f"Latency: milliseconds a call on {_plain(facts.machine)}; your device differs, measure it there.",
        ]
    return "\n".join(lines)


def _times_of(latencies: Sequence[Latency]) -> tuple[str, str]:
    if not latencies:
        return "not measured", "not measured"
    first = latencies[0]
    setting = f"ms ({first.threads} thread{'s' * (first.threads > 1)}, batch {first.batch})"
    return f"{first.p50:.3g} {setting}", f"{first.p99:.3g} ms"


def _limits(config: BundleConfig, facts: Facts) -> str:
    own = [
        f"It knows {len(config.classes)} classes and answers with one of them whatever it is shown.",
        "It inherits its teacher's blind spots, and those of the data it was measured on; other data may differ.",
    ]
    return "\n".join(f"- {line}" for line in [*own, *map(_plain, facts.limits)])


def _origin(config: BundleConfig) -> str:
    prints = config.fingerprints
    rows = (("recipe", prints.recipe), ("teacher", prints.teacher), ("data", prints.data))
    return "\n".join(f"- {name}: sha256 `{value}`" for name, value in rows)


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _plain(text: str) -> str:
    """Text that Markdown and HTML show as it is, on one line."""
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*_[]|#":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped
