"""Which splits data bring, and that none of them stands in another."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from limbeck.data.memory import from_arrays
from limbeck.data.open import open_source
from limbeck.errors import DataError
from limbeck.recipe import from_mapping
from limbeck.runs import overlap as overlap_module
from limbeck.runs.given import Given
from limbeck.runs.overlap import Overlap, hashes, overlap
from limbeck.runs.splits import brings_test, brings_validation, open_splits
from limbeck.task import named

RNG = np.random.default_rng(0)


def rows(count, start=0):
    """Distinct float rows, in two classes."""
    x = np.stack([np.arange(start, start + count), np.zeros(count)], axis=1).astype(np.float32)
    return x, np.arange(count) % 2


def opened(data, **beside):
    keys = {"train": "given", **dict.fromkeys(beside, "given")}
    recipe = from_mapping({"data": keys, "teacher": {"train": {}}, "student": {"family": "mlp"}})
    return open_splits(recipe, Given(data=data, **beside), named("multiclass"))


def from_paths(**data):
    recipe = from_mapping({"data": {k: str(v) for k, v in data.items()}, "teacher": {"train": {}}})
    return open_splits(recipe, Given(), named("multiclass"))


def idx_folder(folder, *prefixes):
    for prefix in prefixes:
        images = RNG.integers(0, 256, (40, 3, 4), dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", (np.arange(40) % 2).astype(np.uint8))):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))
    return folder


@pytest.mark.parametrize("prefix", ["t10k", "test"])
def test_an_idx_folder_brings_its_test_split(prefix, tmp_path):
    idx_folder(tmp_path, "train", prefix)
    assert brings_test(str(tmp_path))
    assert not brings_validation(str(tmp_path))
    splits = from_paths(train=tmp_path)
    assert splits.test.fingerprint() == open_source(tmp_path, split="test").fingerprint()
    assert len(splits.transfer) + len(splits.validation) == 40


def test_an_idx_folder_brings_its_validation_split(tmp_path):
    idx_folder(tmp_path, "train", "test", "validation")
    splits = from_paths(train=tmp_path)
    assert (len(splits.transfer), len(splits.validation), len(splits.test)) == (40, 40, 40)


def test_labelled_training_images_are_not_taken_for_unlabelled_ones(tmp_path):
    idx_folder(tmp_path, "train", "t10k")
    with pytest.raises(DataError, match=r"data\.unlabelled names the training data themselves"):
        from_paths(train=tmp_path, unlabelled=tmp_path)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz has labels"):
        open_source(tmp_path, split="unlabelled")


# -- copies


def test_what_is_shared_is_counted_by_contents():
    x, y = rows(50)
    one = from_arrays(x, y, name="one")
    other = from_arrays(np.concatenate([x[:7][::-1], x[:3] + 1000]), np.arange(10) % 2, name="other")
    assert overlap(hashes(other), hashes(one), names=("test", "training"), refused=False) == Overlap(
        "test", "training", 7, 10
    )
    assert (
        overlap(hashes(from_arrays(x + 100, y, name="far")), hashes(one), names=("test", "training"), refused=True)
        is None
    )


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_split_that_is_the_training_data_is_refused(part):
    x, y = rows(100)
    with pytest.raises(
        DataError, match=rf"{part} shares \d+ of 100 examples with the training data; name data in data.{part}"
    ):
        opened((x, y), **{part: (x[::-1].copy(), y[::-1].copy())})


def test_one_file_for_two_splits_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(overlap_module, "MOST_ROWS", 10)  # also where contents are too many to be compared
    x, y = rows(100)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    (tmp_path / "b").mkdir()
    for key in ("test", "validation", "unlabelled"):
        with pytest.raises(DataError, match=f"data.{key} names the training data themselves"):
            from_paths(**{"train": tmp_path / "a.npz", key: tmp_path / "b" / ".." / "a.npz"})
    with pytest.raises(DataError, match=r"data\.test names the training data"):
        opened(pair := (x, y), test=pair)


def test_test_that_is_validation_too_is_refused():
    with pytest.raises(DataError, match="test shares 40 of 40 examples with the validation data"):
        opened(rows(100), test=rows(40, 500), validation=rows(40, 500))


def test_unlabelled_data_that_hold_the_test_split_are_refused():
    x, y = rows(100)
    with pytest.raises(DataError, match="test shares 30 of 30 examples with the training data"):
        opened((x, y), test=rows(30, 500), unlabelled=rows(60, 490)[0])
    with pytest.raises(DataError, match="validation shares"):
        opened((x, y), test=rows(30, 500), unlabelled=x.copy())


def test_a_few_copies_are_told():
    copies = opened(rows(100), test=rows(40, 99), validation=rows(20, 300)).overlaps
    assert [str(each) for each in copies] == ["test shares 1 of 40 examples with the training data"]


def test_data_of_few_values_may_be_divided_at_random():
    x = np.tile(np.array([[0, 1], [1, 0]], np.float32), (100, 1))
    copies = opened((x, np.arange(200) % 2)).overlaps
    assert [(each.part, each.beside, each.shared == each.total) for each in copies] == [
        ("validation", "training", True), ("test", "training", True), ("test", "validation", True),
    ]  # fmt: skip


def test_an_array_alone_is_refused_for_its_missing_labels():
    with pytest.raises(DataError, match="no example has a label"):
        opened(rows(20)[0], test=rows(10, 100))


def test_a_test_source_is_not_read_before_the_end():
    x, y = rows(100)
    assert opened((x, y), test=from_arrays(x, y, name="guarded")).overlaps == ()


def test_too_many_examples_are_not_read(monkeypatch):
    monkeypatch.setattr(overlap_module, "MOST_ROWS", 10)
    x, y = rows(100)
    assert opened((x, y), test=(x.copy(), y)).overlaps == ()


def test_digits_have_none():
    assert from_paths(train="digits").overlaps == ()


def test_pictures_left_out_are_told(tmp_path):
    for index in range(40):
        place = tmp_path / "photos" / "ab"[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(place / f"{index}.png")
    (tmp_path / "photos" / "a" / "broken.png").write_bytes(b"")
    recipe = {"data": {"train": str(tmp_path / "photos")}, "teacher": {"train": {}}}
    with pytest.raises(DataError, match=r"broken\.png: .*the file is empty.*data\.on_corrupt: skip"):
        open_splits(from_mapping(recipe), Given(), named("multiclass"))
    plain = open_splits(from_mapping(recipe, overrides={"data.on_corrupt": "skip"}), Given(), named("multiclass"))
    held = from_mapping(recipe, overrides={"data.on_corrupt": "skip", "data.in_memory": True})
    for splits in (plain, open_splits(held, Given(), named("multiclass"))):
        assert len(splits.notes) == 1
        assert "1 of 41 images" in splits.notes[0]
        assert splits.fingerprint() == plain.fingerprint()


def table(path, count, start=0):
    lines = [f"{row},{row % 7},{'odd' if row % 2 else 'even'}\n" for row in range(start, start + count)]
    path.write_text("a,b,parity\n" + "".join(lines))
    return path


def test_columns_of_the_training_table_hold_for_all(tmp_path):
    pytest.importorskip("pyarrow")
    train, test = table(tmp_path / "one.csv", 60), table(tmp_path / "two.csv", 20, start=100)
    (tmp_path / "three.csv").write_text("b,c,a\n" + "".join(f"{row % 7},9,{row}\n" for row in range(200, 230)))
    data = {"train": str(train), "test": str(test), "unlabelled": str(tmp_path / "three.csv")}
    data["columns"] = {"label": "parity", "input": ["a", "b"]}
    for in_memory in (False, True):
        recipe = from_mapping({"data": {**data, "in_memory": in_memory}, "teacher": {"train": {}}})
        splits = open_splits(recipe, Given(), named("multiclass"))
        assert splits.classes == ("even", "odd")
        assert len(splits.test) == 20
        assert sorted(splits.transfer.read(np.arange(len(splits.transfer)))[:, 0].tolist())[-30:] == list(
            range(200, 230)
        )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"columns": {"label": "kind"}}, r"data\.columns is for tables"),
        ({"columns": {"id": "key"}, "streaming": True}, r"data\.columns is for tables"),
    ],
)
def test_settings_that_nothing_has_a_use_for_are_refused(data, said):
    recipe = from_mapping({"data": {"train": "digits", **data}, "teacher": {"train": {}}})
    with pytest.raises(DataError, match=said):
        open_splits(recipe, Given(), named("multiclass"))


def test_streaming_is_refused_where_nothing_streams(tmp_path):
    pytest.importorskip("pyarrow")
    where = table(tmp_path / "one.csv", 60)
    columns = {"label": "parity", "id": "a"}
    data = {"train": str(where), "streaming": True, "take": 5, "columns": columns}
    with pytest.raises(DataError, match=r"data\.streaming is for Hugging Face"):
        open_splits(from_mapping({"data": data, "teacher": {"train": {}}}), Given(), named("multiclass"))


def test_a_saved_data_set_brings_its_splits(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    parts = {
        name: datasets.Dataset.from_dict({"x": [float(row) for row in rows], "label": [row % 2 for row in rows]})
        for name, rows in (("train", range(60)), ("validation", range(60, 80)), ("test", range(80, 110)))
    }
    both = datasets.DatasetDict(parts)
    both.save_to_disk(tmp_path / "d")
    given = from_mapping({"data": {"train": "given"}, "teacher": {"train": {}}})
    for splits in (from_paths(train=tmp_path / "d"), open_splits(given, Given(data=both), named("multiclass"))):
        assert (len(splits.transfer), len(splits.validation), len(splits.test)) == (60, 20, 30)


def test_transfer_data_far_more_than_labels_stay_on_disk(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "few.npz", x=rng.normal(size=(200, 256)).astype(np.float32), y=np.arange(200) % 2)
    many = np.lib.format.open_memmap(tmp_path / "many.npy", "w+", np.float32, (100_000, 256))  # 102 MB
    for start in range(0, len(many), 10_000):
        many[start : start + 10_000] = rng.standard_normal((10_000, 256), dtype=np.float32)
    many.flush()
    del many
    tracemalloc.start()
    splits = from_paths(train=tmp_path / "few.npz", unlabelled=tmp_path / "many.npy")
    splits.fingerprint()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(splits.transfer) > 100_000
    assert (splits.transfer.labels >= 0).sum() < 200
    assert peak < 30e6
