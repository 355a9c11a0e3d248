"""Hugging Face data sets: saved, by folder, as objects, as streams; and what happens where there is no hub."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limbeck.data.hub import Place, place
from limbeck.data.open import brings_split, may_stream, open_source
from limbeck.data.reading import Columns, Reading
from limbeck.errors import DataError

datasets = pytest.importorskip("datasets")

CLASSES = ["кот", "dog"]


@pytest.fixture(autouse=True)
def _no_bars():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def _pictures(count, first=0):
    rng = np.random.default_rng(first)
    pixels = rng.integers(0, 256, (count, 6, 5, 3), dtype=np.uint8)
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES), "key": datasets.Value("string")}
    )
    columns = {
        "image": [Image.fromarray(picture) for picture in pixels],
        "label": [row % 2 for row in range(count)],
        "key": [f"k{first + row}" for row in range(count)],
    }
    return datasets.Dataset.from_dict(columns, features=features), pixels.transpose(0, 3, 1, 2)


def _rows(source):
    return source.read(np.arange(len(source)))


@pytest.mark.parametrize("form", ["object", "saved", "hf:", "parquet"])
def test_pictures_are_the_same_in_every_form(tmp_path, form):
    found, pixels = _pictures(7)
    where = found
    if form == "parquet":
        where = tmp_path / "p.parquet"
        found.to_parquet(where)
    elif form != "object":
        found.save_to_disk(tmp_path / "saved")
        where = tmp_path / "saved" if form == "saved" else f"hf:{tmp_path / 'saved'}"
    source = open_source(where, split="train")
    np.testing.assert_array_equal(_rows(source), pixels)
    assert list(source.classes) == CLASSES
    assert source.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_chosen_and_shuffled_rows_are_those(tmp_path):
    found, pixels = _pictures(7)
    np.testing.assert_array_equal(_rows(open_source(found.select([5, 2]), split="train")), pixels[[5, 2]])


def test_saved_splits_are_found_by_their_meaning(tmp_path):
    train, test = _pictures(6)[0], _pictures(4, first=100)[0]
    both = datasets.DatasetDict({"train": train, "dev": test})
    both.save_to_disk(tmp_path / "d")
    for where in (tmp_path / "d", f"hf:{tmp_path / 'd'}", both):
        assert len(open_source(where, split="train")) == 6
        assert len(open_source(where, split="validation")) == 4
        assert brings_split(where, "validation")
        assert not brings_split(where, "test")
        with pytest.raises(DataError, match="no split for 'test' among train, dev"):
            open_source(where, split="test")
    assert not brings_split(train, "test")


def test_a_folder_of_files_is_read_by_its_builder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    Path("mine").mkdir()
    Path("mine/train.csv").write_text("x,label\n1,a\n2,b\n")
    Path("mine/test.csv").write_text("x,label\n3,b\n")
    assert _rows(open_source("hf:./mine", split="test")).tolist() == [[3]]
    assert brings_split("hf:./mine", "test")


@pytest.mark.parametrize("take", [None, 3, 300])
def test_a_stream_with_an_id_column_is_read_once_through(take):
    def rows():
        yield from ({"x": float(row), "label": row % 2, "id": f"r{row}"} for row in range(9))

    stream = datasets.IterableDataset.from_generator(rows)
    source = open_source(stream, split="train", reading=Reading(columns=Columns(id="id"), take=take))
    expected = min(9, take or 9)
    np.testing.assert_array_equal(_rows(source)[:, 0], np.arange(expected))
    np.testing.assert_array_equal(_rows(source)[:, 0], np.arange(expected))
    assert len(np.unique(source.ids)) == expected


def test_a_stream_of_a_saved_data_set_gives_its_examples(tmp_path):
    found, pixels = _pictures(7)
    found.save_to_disk(tmp_path / "saved")
    reading = Reading(columns=Columns(id="key"), streaming=True, take=4)
    source = open_source(tmp_path / "saved", split="train", reading=reading)
    np.testing.assert_array_equal(_rows(source), pixels[:4])
    whole = open_source(tmp_path / "saved", split="train", reading=Reading(columns=Columns(id="key")))
    np.testing.assert_array_equal(source.ids, whole.ids[:4])


def test_a_stream_without_ids_is_refused():
    stream = datasets.IterableDataset.from_generator(lambda: iter([{"x": 1.0, "label": 0}]))
    with pytest.raises(DataError, match=r"data\.columns\.id"):
        open_source(stream, split="train")


def test_what_may_stream(tmp_path):
    found, _ = _pictures(2)
    found.save_to_disk(tmp_path / "saved")
    assert all(map(may_stream, ("hf:a/b", "mine:make", found, tmp_path / "saved")))
    assert not any(map(may_stream, ("digits", tmp_path, np.zeros((2, 2)))))


def test_arrays_of_a_fixed_shape():
    kind = datasets.Features({"x": datasets.Array2D((2, 3), "float32"), "label": datasets.ClassLabel(names=["a", "b"])})
    values = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    found = datasets.Dataset.from_dict({"x": values, "label": [1, 0]}, features=kind)
    np.testing.assert_array_equal(_rows(open_source(found, split="train")), values)


def test_a_failing_generator_is_named():
    def rows():
        yield {"x": 1.0, "label": 0, "id": 1}
        raise RuntimeError("the scanner is off")

    stream = datasets.IterableDataset.from_generator(rows)
    with pytest.raises(DataError, match="the scanner is off"):
        open_source(stream, split="train", reading=Reading(columns=Columns(id="id")))


def test_names_of_the_hub():
    assert place("hf:mnist") == Place("mnist")
    assert place("hf:a/b/c@v1") == Place("a/b", "c", "v1")
    for wrong in ("hf:", "hf:a//b", "hf:a/b/c/d", "hf:a/b@"):
        with pytest.raises(DataError, match="expected hf:owner/name"):
            place(wrong)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_source(f"hf:{tmp_path / 'none'}", split="train")


def test_without_a_network_the_mend_is_named(tmp_path):
    code = "from limbeck.data.open import open_source; open_source('hf:owner/photos', split='train')"
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert "DataError: hf:owner/photos: the hub cannot be reached" in done.stderr
    assert 'datasets.load_dataset("owner/photos").save_to_disk("folder")' in done.stderr
