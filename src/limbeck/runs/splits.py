"""Who may see which examples: the teacher's, the student's with and without labels, validation, test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.core.identity import fingerprint
from limbeck.data.open import brings_split, checked, is_source, may_stream, open_source
from limbeck.data.reading import Columns, Reading
from limbeck.data.source import Source, columns_of, notes_of
from limbeck.data.split import keep_labels, stratified
from limbeck.data.subset import Subset, concat, without_labels
from limbeck.errors import DataError
from limbeck.recipe.model import GIVEN, Recipe
from limbeck.runs.given import Given
from limbeck.runs.overlap import Overlap, hashes, overlap
from limbeck.task import Task


@dataclass(frozen=True, slots=True)
class Splits:
    """The parts of the data. Validation and test share no row with the others; `overlaps` are copies among the rows.

    Attributes:
        teacher: what a teacher of our own is trained on.
        transfer: everything a student may learn from a teacher; -1 where it may not see the label.
        labelled: the part of `transfer` with labels; all that the baseline has.
        validation: labelled; chooses everything that is chosen.
        test: labelled; read once, at the end.
        overlaps: few examples of validation and test whose contents stand elsewhere, too.
        notes: what the user should know about how the data were read.
    """

    teacher: Source
    transfer: Source
    labelled: Source
    validation: Source
    test: Source
    overlaps: tuple[Overlap, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the labels."""
        return tuple(self.transfer.classes)

    def fingerprint(self) -> str:
        """SHA-256 over all parts."""
        parts = (self.teacher, self.transfer, self.labelled, self.validation, self.test)
        return fingerprint([part.fingerprint() for part in parts])


def open_splits(recipe: Recipe, given: Given, task: Task) -> Splits:
    """Opens the recipe's data and divides them; the division depends on `recipe.seed` alone.

    Args:
        recipe: its `data` section.
        given: data handed over by Python code.
        task: checks the labels.

    Returns:
        The parts.

    Raises:
        DataError: something is missing or does not fit; the message names the mend.
    """
    where = given.data if recipe.data.train == GIVEN else recipe.data.train
    if where is None:
        raise DataError("data.train is 'given', but no data were given; pass data=... to distil()")
    reader = _Reader(recipe, given)
    whole = checked(reader.open(where, "train"), task)
    _refuse_training_data(recipe, given, where)
    _enough(whole)
    rest, test = _test(reader, where, whole, task)
    visible = keep_labels(rest.labels, recipe.data.keep_labels, recipe.seed) & (rest.labels >= 0)
    named = _named("validation", recipe.data.validation, given.validation)
    named = where if named is None and brings_validation(where) else named
    kept, validation = _validation(reader, named, rest, visible, task)
    training = np.sort(np.concatenate([kept, np.flatnonzero(~visible)]))
    known = np.intersect1d(training, np.flatnonzero(rest.labels >= 0))
    transfer: Source = without_labels(Subset(rest, training), np.flatnonzero(~np.isin(training, kept)))
    unlabelled = _named("unlabelled", recipe.data.unlabelled, given.unlabelled)
    if unlabelled is not None:
        transfer = concat([transfer, reader.open(unlabelled, "unlabelled", transfer.classes)])
    reader.check_used()
    train = recipe.teacher.learns
    teacher_rows = kept if train is not None and train.labels == "kept" else known
    splits = Splits(Subset(rest, teacher_rows), transfer, Subset(rest, kept), validation, test)
    _same_inputs(splits)
    more = unlabelled is not None  # it may be anything, so the parts that are split off are no longer safe either
    refused = {"validation_refused": more or named is not None, "test_refused": more or rest is whole}
    overlaps = _overlaps(splits, early=not is_source(given.test), **refused)
    return replace(splits, overlaps=overlaps, notes=tuple(reader.notes))


class _Reader:
    """Opens one part of the data after the other, all in the same way, and keeps what the user should know of them."""

    def __init__(self, recipe: Recipe, given: Given) -> None:
        self.recipe, self.given = recipe, given
        self.notes: dict[str, None] = {}
        self.tables = self.streams = False
        data = recipe.data
        self.reading = Reading(
            columns=Columns(data.columns.label, data.columns.input, data.columns.id),
            streaming=data.streaming,
            take=data.take,
            on_corrupt=data.on_corrupt,
            in_memory=data.in_memory,
            trust_code=given.trust_code,
            folder=given.folder,
        )

    def open(self, where: Any, split: str, classes: Sequence[str] | None = None) -> Source:  # noqa: ANN401
        data = self.recipe.data
        names = data.classes if classes is None else tuple(classes)
        source = open_source(
            where, split=split, classes=names, size=data.size, channels=data.channels, reading=self.reading
        )
        self.notes |= dict.fromkeys(notes_of(source))
        columns = columns_of(source)
        self.tables |= columns is not None
        self.streams |= may_stream(where)
        if split == "train":  # the others' columns are the same ones, wherever they stand
            self.reading = replace(self.reading, columns=columns or self.reading.columns)
        return source

    def check_used(self) -> None:
        """Refuses settings that no part of the data had a use for.

        Raises:
            DataError: columns are named, but nothing is a table; or streaming is asked of what is no stream.
        """
        data = self.recipe.data
        if data.columns != type(data.columns)() and not self.tables:
            raise DataError(
                "data.columns is for tables (CSV, Parquet, Hugging Face), and these data are none; remove it"
            )
        if data.streaming and not self.streams:
            raise DataError("data.streaming is for Hugging Face data sets, and these data are none; remove it")


def _named(key: str, name: str | None, given: Any) -> Any:  # noqa: ANN401
    """What was handed over in Python, or what the recipe names."""
    if name == GIVEN and given is None:
        raise DataError(f"data.{key} is 'given', but none was given; pass {key}=... to distil()")
    return given if name in (None, GIVEN) else name


def _refuse_training_data(recipe: Recipe, given: Given, where: Any) -> None:  # noqa: ANN401
    """The training data under another key, however large they are, unless they hold a split of that name."""
    for key in ("test", "validation", "unlabelled"):
        named = _named(key, getattr(recipe.data, key), getattr(given, key))
        if named is None or _is_digits(where) or brings_split(where, key):
            continue
        if isinstance(named, str | Path) and isinstance(where, str | Path):
            same = Path(named).expanduser().resolve() == Path(where).expanduser().resolve()
        else:
            same = named is where
        if same:
            raise DataError(f"data.{key} names the training data themselves; name other data, or leave it out")


def _test(reader: _Reader, where: Any, whole: Source, task: Task) -> tuple[Source, Source]:  # noqa: ANN401
    """Training examples without the test split, and the test split."""
    recipe, given = reader.recipe, reader.given
    named = _named("test", recipe.data.test, given.test)
    if named is None and brings_test(where):
        named = where
    if named is not None:
        return whole, checked(reader.open(named, "test", whole.classes), task)
    try:
        kept, held = stratified(whole.labels, recipe.data.test_fraction, recipe.seed)
    except DataError as error:
        raise DataError(
            f"{whole.name}: too few labelled examples to split off a test set; label more, or name one in data.test"
        ) from error
    return Subset(whole, kept), Subset(whole, held)


def brings_test(where: Any) -> bool:  # noqa: ANN401
    """Whether data come with a test split of their own: digits, an IDX folder, a folder of split folders."""
    return _is_digits(where) or brings_split(where, "test")


def brings_validation(where: Any) -> bool:  # noqa: ANN401
    """Whether data come with a validation split of their own: an IDX folder and a folder of split folders may."""
    return brings_split(where, "validation")


def _is_digits(where: Any) -> bool:  # noqa: ANN401
    return isinstance(where, str) and where == "digits"  # arrays compare element by element


def _validation(reader: _Reader, named: Any, rest: Source, visible: Any, task: Task) -> tuple[Any, Source]:  # noqa: ANN401
    """Rows whose labels the student may see, without validation's; and the validation split, named or split off."""
    rows = np.flatnonzero(visible)
    if named is not None:
        return rows, checked(reader.open(named, "validation", rest.classes), task)
    try:
        kept, held = stratified(rest.labels[rows], reader.recipe.data.validation_fraction, reader.recipe.seed)
    except DataError as error:
        raise DataError(
            f"{rest.name}: the {len(rows)} labels that may be seen are too few to split off a validation set; raise "
            "data.keep_labels, or name one in data.validation"
        ) from error
    return rows[kept], Subset(rest, rows[held])


def _enough(whole: Source) -> None:
    if not (whole.labels >= 0).any():
        raise DataError(
            f"{whole.name}: no example has a label, so nothing can be validated or tested; label a few, and pass the "
            "others as data.unlabelled"
        )


def _same_inputs(splits: Splits) -> None:
    expected = splits.transfer.spec
    for part in (splits.teacher, splits.validation, splits.test):
        if part.spec != expected:
            raise DataError(
                f"{part.name} holds examples of {part.spec}, the training data of {expected}; set data.size and "
                "data.channels, so that all are alike"
            )


def _overlaps(splits: Splits, *, early: bool, validation_refused: bool, test_refused: bool) -> tuple[Overlap, ...]:
    """Copies that stand in two splits. Those that a random division makes are a property of the data, and only told.

    A test set handed over as a `Source` may be guarded: it is not read before the end (`early` is false).
    """
    training, validation = hashes(splits.transfer), hashes(splits.validation)
    test = hashes(splits.test) if early else None
    found = (
        overlap(validation, training, names=("validation", "training"), refused=validation_refused),
        overlap(test, training, names=("test", "training"), refused=test_refused),
        overlap(test, validation, names=("test", "validation"), refused=test_refused),
    )
    return tuple(each for each in found if each is not None)
