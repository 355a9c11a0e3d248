"""Tables as data: CSV, TSV and Parquet give the same examples."""

from pathlib import Path

import numpy as np
import pytest

from limbeck.data.open import open_source
from limbeck.data.reading import Columns, Reading
from limbeck.errors import DataError

pa = pytest.importorskip("pyarrow")
ROWS = 40


def _write(folder: Path, ending: str) -> Path:
    path = folder / f"rows{ending}"
    columns = {
        "key": [f"k{i}" for i in range(ROWS)],
        "a": [float(i) for i in range(ROWS)],
        "b": [i * 0.5 for i in range(ROWS)],
        "label": ["odd" if i % 2 else "even" for i in range(ROWS)],
    }
    if ending == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.table(columns), path)
        return path
    mark = "\t" if ending == ".tsv" else ","
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    path.write_text("".join(mark.join(map(str, line)) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_columns_of_numbers_are_rows(tmp_path: Path, ending: str) -> None:
    source = open_source(_write(tmp_path, ending), split="train")
    expected = np.stack([np.arange(ROWS), np.arange(ROWS) * 0.5], axis=1).astype(np.float32)
    rows = np.asarray(source.read(np.arange(ROWS)))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, expected)
    assert [source.classes[label] for label in source.labels] == ["odd" if i % 2 else "even" for i in range(ROWS)]
    assert len(set(np.asarray(source.ids).tolist())) == ROWS


def test_an_id_column_makes_ids_independent_of_the_order(tmp_path: Path) -> None:
    path = _write(tmp_path, ".csv")
    reading = Reading(columns=Columns(id="key"))
    before = np.array(open_source(path, split="train", reading=reading).ids)
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *reversed(lines)]) + "\n", encoding="utf-8")
    np.testing.assert_array_equal(np.array(open_source(path, split="train", reading=reading).ids), before[::-1])


def test_named_input_columns_keep_their_order(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path, ".csv"), split="train", reading=Reading(columns=Columns(input=("b", "a"))))
    np.testing.assert_array_equal(np.asarray(source.read(np.array([4]))), [[2.0, 4.0]])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns(label="lable"), "lable"),
        (Columns(input=("key",)), "'key' holds text"),
        (Columns(input=("label",)), "label"),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, columns: Columns, said: str) -> None:
    with pytest.raises(DataError, match=said):
        open_source(_write(tmp_path, ".csv"), split="train", reading=Reading(columns=columns))
