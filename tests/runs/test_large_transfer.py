"""A transfer set far larger than the labelled one: who learns from it, who never sees it, and what memory it takes."""

import gc
import tracemalloc

import numpy as np
import pytest

import limbeck as lk
from limbeck.data.loader import TrainingBatches
from limbeck.data.open import open_source
from limbeck.data.views import Views
from limbeck.guide.read import open_guide
from limbeck.recipe import from_mapping, load
from limbeck.runs.given import Given
from limbeck.runs.splits import open_splits
from limbeck.task import named

LABELLED, MANY, FEW = 200, 100_000, 3_000


def shifted(pictures, rows, seed):
    """So many pictures made of a few: moved by up to a pixel, with a little noise, so that no two are alike."""
    random = np.random.default_rng(seed)
    chosen = np.pad(pictures[random.integers(0, len(pictures), rows)], [(0, 0), (1, 1), (1, 1)])
    made = np.empty((rows, 8, 8), np.uint8)
    moves = random.integers(0, 3, (rows, 2))
    for down, right in np.ndindex(3, 3):
        here = (moves == (down, right)).all(1)
        noise = random.integers(-8, 9, (here.sum(), 8, 8))
        made[here] = (chosen[here, down : down + 8, right : right + 8] + noise).clip(0, 255)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """200 digits with labels, 100,000 pictures made of the others without, and the test split."""
    folder = tmp_path_factory.mktemp("large")
    digits = open_source("digits", split="train")
    x, y = digits.read(np.arange(len(digits)))[:, 0], np.array(digits.labels)
    order = np.random.default_rng(0).permutation(len(x))
    np.savez(folder / "labelled.npz", x=x[order[:LABELLED]], y=y[order[:LABELLED]])
    many = shifted(x[order[LABELLED:]], MANY, seed=1)
    np.save(folder / "many.npy", many)
    np.savez_compressed(folder / "many.npz", x=many)
    np.save(folder / "few.npy", many[:FEW])
    many[FEW - 1] = many[FEW - 1, :, ::-1]  # mean and deviation, by which both sides' inputs are normalised, stay
    np.save(folder / "last_row_differs.npy", many[:FEW])
    held = open_source("digits", split="test")
    np.savez(folder / "test.npz", x=held.read(np.arange(len(held)))[:, 0], y=held.labels)
    return folder


def opened(files, unlabelled):
    data = {"train": files / "labelled.npz", "test": files / "test.npz", "unlabelled": files / unlabelled}
    recipe = from_mapping({"data": {key: str(path) for key, path in data.items()}, "teacher": {"train": {}}})
    return open_splits(recipe, Given(), named("multiclass"))


@pytest.fixture(scope="module")
def large(files):
    return opened(files, "many.npy")


def test_the_student_has_all_rows_and_nobody_else_has_an_unlabelled_one(large):
    assert (len(large.transfer), len(large.labelled), len(large.validation)) == (MANY + 170, 170, 30)
    assert (np.asarray(large.transfer.labels) >= 0).sum() == 170
    ids = {name: np.asarray(getattr(large, name).ids) for name in ("transfer", "labelled", "validation", "teacher")}
    assert np.isin(ids["labelled"], ids["transfer"]).all()
    assert np.array_equal(np.sort(ids["teacher"]), np.sort(ids["labelled"]))
    assert not np.isin(ids["validation"], ids["transfer"]).any()
    assert len(np.unique(ids["transfer"])) == MANY + 170
    for part in (large.labelled, large.validation, large.teacher):
        assert (np.asarray(part.labels) >= 0).all()


def test_validation_is_a_stratified_share_of_the_few_labels(files, large):
    labels = open_source(files / "labelled.npz", split="train").labels
    held = np.bincount(large.validation.labels, minlength=10)
    assert np.abs(held - 0.15 * np.bincount(labels, minlength=10)).max() <= 0.5


def test_how_the_unlabelled_are_stored_makes_no_difference(files, large):
    packed = opened(files, "many.npz")
    assert packed.labelled.fingerprint() == large.labelled.fingerprint()
    rows = np.random.default_rng(2).integers(0, len(large.transfer), 64)
    assert np.array_equal(packed.transfer.read(rows), large.transfer.read(rows))


def test_one_pass_shows_every_row_once(large):
    batches = TrainingBatches(large.transfer, views=Views(), batch_size=1024, seed=0).from_step(0)
    steps = len(large.transfer) // 1024
    seen = np.concatenate([next(batches).ids.numpy() for _ in range(steps + 1)])[: len(large.transfer)]
    assert np.array_equal(np.sort(seen), np.sort(large.transfer.ids))


@pytest.mark.parametrize("unlabelled", ["many.npy", "many.npz"])
def test_at_most_sixteen_bytes_an_example_stay(files, unlabelled):
    def training(unlabelled):
        splits = opened(files, unlabelled)
        batches = TrainingBatches(splits.transfer, views=Views(), batch_size=256, seed=0).from_step(0)
        next(batches)
        return splits, batches

    training("few.npy")  # imports are not theirs
    gc.collect()
    tracemalloc.start()
    try:
        kept = training(unlabelled)
        gc.collect()
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert size / len(kept[0].transfer) <= 16


@pytest.fixture
def run(tiny, files, tmp_path, quick):
    """A run whose unlabelled rows stand in that file."""

    def distilled(unlabelled):
        data = {"train": "labelled.npz", "test": "test.npz", "unlabelled": unlabelled}
        changes = {
            "data": {key: str(files / name) for key, name in data.items()} | {"keep_labels": 1.0},
            "train": {"epochs": 2},
            "tune": {"trials": 0, "finalists": 1},
            "objective": {"method": "soft-targets", "temperature": 2},
            "verdict": {"seeds": 1},
            "guide": {"use": "always"},
        }
        return lk.distil(recipe=tiny(**changes), out=tmp_path / unlabelled).folder

    return distilled


def test_the_last_unlabelled_row_teaches_the_student_and_nobody_else(run, trainings):
    """Not a pixel of it reaches the baseline, or a teacher trained on the labels; the student learns from it."""
    one, other = run("few.npy"), run("last_row_differs.npy")
    before, after = trainings(one), trainings(other)
    assert set(before) == {"teacher", "student, seed 3", "baseline, seed 3", "teacher-labels, seed 3"}
    assert {name for name in before if before[name] != after[name]} == {"student, seed 3", "teacher-labels, seed 3"}
    transfer = open_splits(load(one / "recipe.yaml"), Given(), named("multiclass")).transfer
    assert len(transfer) == FEW + 170
    assert np.array_equal(np.sort(open_guide(one / "guide").ids), np.sort(transfer.ids))
