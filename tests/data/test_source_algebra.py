"""Subsets, concatenations, hidden labels and mapped classes: the same examples, whichever way they are reached."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.memory import from_arrays
from limbeck.data.subset import Subset, align_classes, concat, same_inputs, without_labels
from limbeck.errors import DataError


def numbers(n, name="numbers/train", classes=None):
    return from_arrays(np.arange(n * 3, dtype=np.float32).reshape(n, 3), np.arange(n) % 3, name=name, classes=classes)


rows_of_ten = st.lists(st.integers(0, 9), unique=True, max_size=10).map(lambda rows: np.array(rows, dtype=np.int64))


@given(rows=rows_of_ten, data=st.data())
def test_a_subset_of_a_subset_is_a_subset(rows, data):
    inner = np.array(data.draw(st.permutations(range(len(rows)))), dtype=np.int64)
    twice, once = Subset(Subset(numbers(10), rows), inner), Subset(numbers(10), rows[inner])
    every = np.arange(len(rows))
    assert np.array_equal(twice.ids, once.ids)
    assert np.array_equal(twice.labels, once.labels)
    assert np.array_equal(twice.read(every), once.read(every))


@given(rows=st.lists(st.integers(0, 16), max_size=30).map(lambda rows: np.array(rows, dtype=np.int64)))
def test_a_concatenation_reads_like_its_parts(rows):
    parts = [numbers(4, "a"), numbers(7, "b"), numbers(6, "c")]
    whole = concat(parts)
    every = np.concatenate([part.read(np.arange(len(part))) for part in parts])
    assert len(whole) == 17
    assert np.array_equal(whole.read(rows), every[rows])
    assert np.array_equal(whole.ids, np.concatenate([part.ids for part in parts]))


def test_halves_of_a_split_put_together_are_the_whole():
    source = numbers(10)
    halves = concat([Subset(source, np.arange(5)), Subset(source, np.arange(5, 10))])
    assert np.array_equal(halves.ids, source.ids)
    assert np.array_equal(halves.read(np.arange(10)), source.read(np.arange(10)))


def test_an_example_twice_is_refused():
    source = numbers(10)
    with pytest.raises(DataError, match="2 examples occur twice"):
        concat([source, Subset(source, np.array([3, 4]))])
    with pytest.raises(DataError, match="a name of its own"):
        concat([numbers(3), numbers(3)])


def test_one_source_is_itself_and_none_is_refused():
    source = numbers(3)
    assert concat([source]) is source
    with pytest.raises(DataError, match="no source"):
        concat([])


def test_parts_must_be_alike():
    wide = from_arrays(np.zeros((2, 5), np.float32), None, name="wide")
    with pytest.raises(DataError, match="make them alike"):
        concat([numbers(3), wide])
    with pytest.raises(DataError, match=r"data\.size"):
        same_inputs(wide, numbers(3))
    with pytest.raises(DataError, match="align_classes"):
        concat([numbers(3, "a"), numbers(3, "b", classes=["x", "y", "z"])])
    unlabelled = from_arrays(np.zeros((2, 3), np.float32), None, name="more", classes=[])
    assert concat([numbers(3), unlabelled]).labels.tolist() == [0, 1, 2, -1, -1]


def test_hidden_labels_hide_and_nothing_else_changes():
    source = numbers(6)
    some, none = without_labels(source, np.array([0, 4])), without_labels(source)
    assert some.labels.tolist() == [-1, 1, 2, 0, -1, 2]
    assert (none.labels == -1).all()
    assert source.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert np.array_equal(some.ids, source.ids)
    assert np.array_equal(some.read(np.array([4])), source.read(np.array([4])))


def test_classes_are_mapped_by_name():
    source = numbers(6, classes=["cat", "dog", "emu"])
    mapped = align_classes(without_labels(source, np.array([0])), ["emu", "yak", "dog", "cat"])
    assert [mapped.classes[label] if label >= 0 else None for label in mapped.labels] == [
        None,
        "dog",
        "emu",
        "cat",
        "dog",
        "emu",
    ]
    assert align_classes(source, source.classes) is source


def test_a_class_without_examples_need_not_be_known():
    source = Subset(numbers(6, classes=["cat", "dog", "emu"]), np.array([0, 1, 3]))
    assert align_classes(source, ["dog", "cat"]).labels.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match=r"'dog' have examples here.*only 'cat'"):
        align_classes(source, ["cat"])


def test_fingerprints_follow_rows_labels_classes_and_order():
    source = numbers(6)
    others = [numbers(6, "other")]
    variants = [
        source, Subset(source, np.arange(5)), Subset(source, np.arange(5)[::-1]), without_labels(source),
        without_labels(source, np.array([1])), align_classes(source, ["2", "1", "0"]), concat([source, *others]),
        concat([*others, source]),
    ]  # fmt: skip
    assert len({variant.fingerprint() for variant in variants}) == len(variants)
    assert Subset(numbers(6), np.arange(5)).fingerprint() == variants[1].fingerprint()


@pytest.mark.parametrize("rows", [[-1], [6], [0, 7]])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(DataError, match="of a source of 6 examples"):
        Subset(numbers(6), np.array(rows))
