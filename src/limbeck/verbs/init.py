"""`init`: a commented recipe for the data it looked at."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limbeck.core.storage import write_text
from limbeck.data.foreign import names_code
from limbeck.data.hub import PREFIX, is_hub, place
from limbeck.data.open import brings_split, open_source
from limbeck.data.reading import Columns, Reading
from limbeck.data.source import columns_of
from limbeck.errors import DataError, InputError
from limbeck.recipe.load import from_mapping
from limbeck.recipe.text import emit, parse

_STEPS = 3000
"""Roughly what a small student on a small data set needs."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the data.

    Attributes:
        examples: in the training split.
        classes: their names.
        counts: labelled examples of each class.
        unlabelled: training examples without a label.
        shape: of one example.
        spec: of one example, in words.
        splits: other splits that the data bring: "test", "validation", "unlabelled".
    """

    examples: int
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    unlabelled: int
    shape: tuple[int, ...]
    spec: str
    splits: tuple[str, ...]

    @property
    def image(self) -> bool:
        """Whether convolutions make sense."""
        return len(self.shape) == 3

    @property
    def side(self) -> int:
        """The shorter side of an image, in pixels."""
        return min(self.shape[1:])


def init(*, data: str | Path, out: str | Path, label: str | None = None) -> Path:
    """Looks at data and writes a recipe for them, with the reasons for each choice as comments.

    Args:
        data: whatever `data.train` of a recipe may be, apart from `module:function`.
        out: the file to write.
        label: the column of the classes, where the data are a table that does not call it so.

    Returns:
        The file.

    Raises:
        InputError: there is such a file already, or the data cannot be opened.
    """
    data, out = os.fspath(data), Path(out)
    if out.exists():
        raise InputError(f"{out} exists; it is not overwritten: choose another --out, or remove it")
    seen = look(data, label)
    text = recipe_text(seen, where=_from_recipe(data, out), name=_name(out), file=out.name, label=label)
    from_mapping(parse(text, out.name).values)  # what is written here must be right
    write_text(out, text)
    return out


def look(data: str, label: str | None = None) -> Look:
    """Opens the training split and counts."""
    if names_code(data):
        raise InputError(f"{data}: no code is run to write a recipe; write data.train into one by hand")
    source = open_source(data, split="train", reading=Reading(columns=Columns(label=label)))
    if label is not None and columns_of(source) is None:
        raise InputError(f"label: {source.name} is no table, so it has no column {label!r}; leave it out")
    if len(source.classes) < 2:
        raise DataError(
            f"{source.name}: {len(source.classes)} class(es) found, at least 2 are needed; sort the images into one "
            "folder a class, or give labels"
        )
    labels = np.asarray(source.labels)
    return Look(
        examples=len(source),
        classes=tuple(source.classes),
        counts=tuple(np.bincount(labels[labels >= 0], minlength=len(source.classes)).tolist()),
        unlabelled=int((labels < 0).sum()),
        shape=tuple(source.spec.shape),
        spec=str(source.spec),
        splits=_other_splits(data),
    )


def recipe_text(seen: Look, *, where: str, name: str, file: str, label: str | None = None) -> str:
    """The recipe with its reasons.

    Args:
        seen: what the data are like.
        where: the data, as the recipe should name them.
        name: of the run.
        file: what the recipe will be called.
        label: the column of the classes, where it was named.

    Returns:
        YAML with comments.
    """
    parts = (
        _head(seen, name, file),
        _data(seen, where, label),
        _teacher(seen),
        _student(seen),
        _objective(seen),
        _training(seen),
        _judgement(),
    )
    return "\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n"


def _head(seen: Look, name: str, file: str) -> list[str]:
    labels = "all labelled" if not seen.unlabelled else f"{seen.unlabelled:,} of them without a label"
    return [
        f"# A recipe for {seen.examples:,} examples ({seen.spec}; {labels})",
        f"# of {len(seen.classes)} classes: {_shown(seen.classes)} ({_counted(seen.counts)} labels each).",
        f"#   limbeck check {file}             what would be done, before it is done",
        f"#   limbeck distil {file} --out DIR  teacher, student, proof, report",
        "# Keys that are left out have their defaults; the run saves them all in DIR/recipe.yaml.",
        _line("name", name),
    ]


def _data(seen: Look, where: str, label: str | None) -> list[str]:
    lines = ["data:", f"  {_line('train', where)}"]
    if label is not None:
        lines += ["  columns:", f"    {_line('label', label)}  # and input: [...], id: NAME"]
    if "test" in seen.splits:
        lines.append("  # test: the data bring a test split of their own; it is looked at once, at the end")
    else:
        lines.append(
            "  test_fraction: 0.2  # these data bring no test split, so a fifth is put aside; or name one: test: PATH"
        )
    if "validation" in seen.splits:
        lines.append(f"  {_line('validation', where)}  # chooses everything that is chosen")
    else:
        lines.append(
            "  validation_fraction: 0.15  # of the labels, to choose everything that is chosen; or: validation: PATH"
        )
    if "unlabelled" in seen.splits:
        lines.append(f"  {_line('unlabelled', where)}  # only a teacher can use these")
    else:
        lines.append("  # unlabelled: PATH  # more examples; the teacher speaks for them")
    if not seen.unlabelled:
        lines.append(
            "  keep_labels: 1.0  # below 1: the student sees that share of the labels, the teacher speaks for the rest"
        )
    if seen.image and seen.side >= 8:
        pixels = max(1, seen.side // 12)
        lines += [
            f"  views: {{ops: [{{op: shift, pixels: {pixels}}}]}}  # teacher and student see the same shifted pictures",
            "  # add {op: flip} where a mirrored picture means the same; it does not for digits and letters",
        ]
    return lines


def _teacher(seen: Look) -> list[str]:
    family = "{family: resnet, width: 32, depth: 2}" if seen.image else "{family: wide-mlp}"
    return [
        "# Who is imitated. Here one is trained first, on all labels; to bring yours:",
        "#   teacher: {from: my_models:make_teacher, weights: teacher.safetensors}   (then add --trust-code)",
        f"teacher: {{train: {family}}}",
    ]


def _student(seen: Look) -> list[str]:
    if not seen.image:
        return ["# These are rows of numbers, so the student is a small perceptron.", "student: {family: mlp}"]
    depth = 3 if seen.side <= 16 else 4 if seen.side <= 64 else 6
    return [
        f"# {seen.side} pixels need about {depth} blocks; width costs size and time. Yours: {{module: my_models:make}}",
        f"student: {{family: convnet, width: 16, depth: {depth}}}",
        "# What it must fit: a name from `limbeck devices`, or limits: {latency_ms: 5, size_kb: 200, memory_kb: 64}",
        "# device: phone",
    ]


def _objective(seen: Look) -> list[str]:
    why = (
        f"The {seen.unlabelled:,} unlabelled examples teach only through the teacher"
        if seen.unlabelled
        else "All are labelled"
    )
    return [
        f"# {why}; validation chooses the temperature and how much teacher,",
        "# which may be none. `limbeck methods` lists the others.",
        "objective: {method: soft-targets, temperature: auto, weight: auto}",
    ]


def _training(seen: Look) -> list[str]:
    batch = _batch(seen.examples)
    epochs = min(100, max(20, -(-_STEPS * batch // seen.examples)))
    steps = epochs * seen.examples // batch
    return [
        f"# About {steps:,} steps in all, with a teacher and without.",
        f"train: {{epochs: {epochs}, batch_size: {batch}, learning_rate: 0.003}}",
    ]


def _judgement() -> list[str]:
    return [
        "# Does the teacher help? The same student is also trained without it, with the same steps and tuning.",
        "# Differences within the margin do not matter: 0.005 is half a point. Fewer than 3 seeds prove nothing.",
        "verdict: {seeds: 5, margin: 0.005, arms: [teacher-labels]}",
        "tune: {trials: 6, finalists: 2}",
        "export: [onnx]",
    ]


def _batch(examples: int) -> int:
    """A power of two, 16 to 256, that gives at least twenty steps an epoch where it can."""
    return int(min(256, max(16, 2 ** int(np.log2(max(1, examples / 20))))))


def _other_splits(data: str) -> tuple[str, ...]:
    if data == "digits":
        return ("test",)
    return tuple(split for split in ("test", "validation", "unlabelled") if brings_split(data, split))


def _from_recipe(data: str, out: Path) -> str:
    """The data as the recipe names them: built-in names as they are, relative paths relative to the recipe."""
    if data == "digits" or Path(data).expanduser().is_absolute():
        return data
    if is_hub(data):
        at = place(data)
        return PREFIX + _from_recipe(at.name, out) if at.local else data
    relative = os.path.relpath(data, out.parent)
    return relative if relative.startswith(".") else f"./{relative}"


def _name(out: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", out.stem).strip("-._")[:64] or "recipe"


def _line(key: str, value: str) -> str:
    written = emit({key: value}, width=1 << 30).rstrip("\n")
    return written[1:-1] if written.startswith("{") else written


def _counted(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _shown(names: Sequence[str], most: int = 6) -> str:
    """Class names for a comment: escaped, so that no name can end the comment, and not too many."""
    shown = [json.dumps(name)[1:-1][:30] for name in names[:most]]
    return ", ".join(shown) + (f", ... {json.dumps(names[-1])[1:-1][:30]}" if len(names) > most else "")
