"""Tables as people have them: other scripts, other delimiters, gaps, pictures, many files; and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limbeck.data.open import brings_split, open_source
from limbeck.data.reading import Columns, Reading
from limbeck.data.source import notes_of
from limbeck.errors import DataError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROWS = "0.5,1,cat\n1.5,2,dog\n2.5,3,\n"


def _file(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def _named(source):
    return [source.classes[label] if label >= 0 else None for label in source.labels]


def _rows(source):
    return source.read(np.arange(len(source)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "a,b,label\n" + ROWS),
        ("t.csv.gz", "a,b,label\n" + ROWS),
        ("t.v2.tsv", ("a,b,label\n" + ROWS).replace(",", "\t")),
        ("t.csv", ("a,b,label\n" + ROWS).replace(",", ";")),
        ("t.csv", "\ufeffa,b,label\n" + ROWS),
        ("t.csv", ("a,b,label\n" + ROWS).replace("\n", "\r\n")),
        ("t.CSV", "a,b,LABEL\n" + ROWS),
    ],
    ids=["csv", "gz", "tsv", "semicolons", "byte order mark", "windows", "capitals"],
)
def test_the_same_table_in_other_clothes(tmp_path, name, text):
    source = open_source(_file(tmp_path, text, name), split="train")
    np.testing.assert_array_equal(_rows(source), np.array([[0.5, 1], [1.5, 2], [2.5, 3]], np.float32))
    assert _named(source) == ["cat", "dog", None]


def test_names_in_any_script(tmp_path):
    path = _file(tmp_path, "длина,幅,種類\n1,2,猫\n3,4,собака\n", "таблица.csv")
    source = open_source(path, split="train", reading=Reading(columns=Columns(label="種類", input=("幅",))))
    assert _named(source) == ["猫", "собака"]
    np.testing.assert_array_equal(_rows(source), [[2], [4]])


def test_labels_as_numbers_are_in_the_order_of_the_numbers(tmp_path):
    source = open_source(_file(tmp_path, "x,y\n1,10\n2,9\n3,10.0\n4,nan\n5,-1\n"), split="train")
    assert source.classes == ("9", "10")
    assert _named(source) == ["10", "9", "10", None, None]


def test_numbers_index_the_classes_that_the_user_names(tmp_path):
    source = open_source(_file(tmp_path, "x,y\n1,1\n2,0\n"), split="train", classes=("ham", "spam"))
    assert _named(source) == ["spam", "ham"]


def test_a_test_table_is_mapped_by_name(tmp_path):
    train = open_source(_file(tmp_path, "x,label\n1,b\n2,a\n3,c\n", "train.csv"), split="train")
    test = open_source(_file(tmp_path, "label,x\nc,1\n", "test.csv"), split="test", classes=train.classes)
    assert _named(test) == ["c"]
    assert test.classes == train.classes
    with pytest.raises(DataError, match="'d'"):
        open_source(_file(tmp_path, "x,label\n1,d\n", "other.csv"), split="test", classes=train.classes)


def test_text_columns_are_left_out_and_named(tmp_path):
    source = open_source(_file(tmp_path, 'id,x,why,label\n7,1,"a\nb, c",a\n8,2,q,b\n'), split="train")
    np.testing.assert_array_equal(_rows(source), [[1], [2]])
    (note,) = notes_of(source)
    assert "'why'" in note
    assert "'id'" in note


@pytest.mark.parametrize("in_memory", [False, True])
def test_paths_of_pictures_are_relative_to_the_table(tmp_path, monkeypatch, in_memory):
    folder = tmp_path / "наборы"
    (folder / "pics").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    for row, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / "pics" / f"кадр {row}.png")
    lines = "".join(f"pics/кадр {row}.png,{row % 2},{row * 0.1}\n" for row in range(4))
    _file(folder, "file,label,weight\n" + lines)
    monkeypatch.chdir(tmp_path)
    source = open_source("наборы/t.csv", split="train", reading=Reading(in_memory=in_memory))
    monkeypatch.chdir("/")
    assert str(source.spec) == "uint8 image, 3 x 5 x 6"
    np.testing.assert_array_equal(_rows(source), pixels.transpose(0, 3, 1, 2))


def test_a_missing_picture_is_named(tmp_path):
    path = _file(tmp_path, "file,label\nnowhere.png,1\n")
    with pytest.raises(DataError, match=r"nowhere\.png"):
        open_source(path, split="train")


def test_pictures_inside_parquet(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8)
    for row, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"{row}.png")
    encoded = [(tmp_path / f"{row}.png").read_bytes() for row in range(3)]
    path = tmp_path / "p.parquet"
    parquet.write_table(pa.table({"png": encoded, "label": ["a", "b", "a"]}), path)
    np.testing.assert_array_equal(_rows(open_source(path, split="train"))[:, 0], pixels)


def test_arrays_inside_parquet_keep_their_shape(tmp_path):
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    path = tmp_path / "p.parquet"
    parquet.write_table(pa.table({"x": values.tolist(), "label": [0, 1]}), path)
    np.testing.assert_array_equal(_rows(open_source(path, split="train")), values)
    parquet.write_table(pa.table({"x": [[1.0, 2.0], [1.0]], "label": [0, 1]}), path)
    with pytest.raises(DataError, match="differ in shape"):
        open_source(path, split="train")


@pytest.mark.parametrize("where", ["parts", "parts/*.csv", "parts/part-0*.csv"])
def test_many_files_are_one_table(tmp_path, monkeypatch, where):
    (tmp_path / "parts").mkdir()
    for part in range(3):
        _file(tmp_path / "parts", f"x,label\n{part},a\n{part + 0.5},b\n", f"part-0{part}.csv")
    monkeypatch.chdir(tmp_path)
    source = open_source(where, split="train")
    np.testing.assert_array_equal(_rows(source)[:, 0], [0, 0.5, 1, 1.5, 2, 2.5])
    assert len(np.unique(source.ids)) == 6


def test_files_named_after_splits_are_splits(tmp_path):
    for name, rows in (("train-0", "1,a\n2,b\n"), ("train-1", "3,a\n"), ("test", "4,b\n")):
        _file(tmp_path, "x,label\n" + rows, f"{name}.csv")
    assert len(open_source(tmp_path, split="train")) == 3
    assert _rows(open_source(tmp_path, split="test")).tolist() == [[4]]
    assert brings_split(tmp_path, "test")
    assert not brings_split(tmp_path, "validation")
    with pytest.raises(DataError, match=r"no table for 'validation' among test\.csv"):
        open_source(tmp_path, split="validation")


def test_unlabelled_tables_need_no_label(tmp_path):
    source = open_source(_file(tmp_path, "x\n1\n2\n"), split="unlabelled", classes=("a", "b"))
    assert _named(source) == [None, None]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("x,z,label\n1,,a\n", Columns(), r"column 'z' of row 0 is empty; fill it"),
        ("x,label\n1,1.5\n2,0.25\n", Columns(), r"1\.5 is no class"),
        ("0.5,1\n1.5,0\n", Columns(), "first line holds numbers only"),
        ("x,x,label\n1,2,a\n", Columns(), "'x' more than once"),
        ("x,label\n1,a\n2\n", Columns(), r"Row #3: Expected 2 columns, got 1"),
        ("", Columns(), "Empty"),
        ("x,label\n", Columns(), "no examples"),
        ("x,species\n1,a\n", Columns(), r"no column is called label.*'x', 'species'.*data\.columns"),
        ("x,species\n1,a\n", Columns(label="specis"), r"did you mean 'species'\?"),
        ("a,b,label\nred,blue,1\n", Columns(), "text must be encoded"),
        ("k,x,label\na,1,0\n,2,1\n", Columns(id="k"), r"row 1 is empty; give each example its own"),
        ("k,x,label\na,1,0\na,2,1\n", Columns(id="k"), "first: row 1"),
        ("x,label\n1e60,0\n", Columns(), "inf"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, text, columns, said):
    with pytest.raises(DataError, match=said):
        open_source(_file(tmp_path, text), split="train", reading=Reading(columns=columns))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_named_with_the_mend(tmp_path, encoding):
    with pytest.raises(DataError, match="save it as UTF-8"):
        open_source(_file(tmp_path, "x,label\n1,café\n2,thé\n", encoding=encoding), split="train")


def test_text_far_below_numbers_is_named_by_its_row(tmp_path):
    path = _file(tmp_path, "x,label\n" + "1,a\n" * 400_000 + "oops,a\n")
    with pytest.raises(DataError, match=r"Row #400002.*'oops'"):
        open_source(path, split="train")


def test_no_table_matches(tmp_path):
    with pytest.raises(DataError, match="no table matches"):
        open_source(tmp_path / "*.csv", split="train")
