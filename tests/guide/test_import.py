"""Labels that others made: matched by example and class name, or refused with the mend."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from limbeck.core.batch import Batch
from limbeck.data.folder import open_folder
from limbeck.data.memory import from_arrays
from limbeck.data.subset import Subset, concat
from limbeck.data.view_ops import Shift
from limbeck.data.views import Views
from limbeck.errors import DataError, GuideError
from limbeck.guide.expect import Expectation
from limbeck.guide.importing import FLOOR, import_guide
from limbeck.guide.info import info
from limbeck.guide.plan import data_facts, view_facts
from limbeck.guide.read import open_guide

CLASSES = ("cat", "dog", "owl")


def source_of(n, name="pets/train"):
    return from_arrays(np.zeros((n, 2, 2), np.uint8), np.arange(n) % 3, name=name, classes=CLASSES)


def predictions(n, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(3), n)


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def imported(file, source, out, **settings):
    import_guide(file, **({"out": out, "source": source, "origin": "an API"} | settings))
    return open_guide(out)


def logits_of(guide, source):
    ids = torch.from_numpy(np.array(source.ids))
    return guide.signals(Batch(ids, torch.zeros_like(ids), torch.zeros(len(ids)))).logits


def test_csv_by_row_number_in_any_order_with_other_columns(tmp_path):
    source, p = source_of(20), predictions(20)
    order = np.random.default_rng(1).permutation(20)
    rows = [["note", number, *p[number][[2, 0, 1]]] for number in order]
    file = write_csv(tmp_path / "p.csv", ["comment", "row", "owl", "cat", "dog"], rows)
    guide = imported(file, source, tmp_path / "guide", licence="CC-BY-4.0")
    assert torch.allclose(logits_of(guide, source).exp().double(), torch.from_numpy(p), atol=1e-6)
    facts = info(tmp_path / "guide")
    assert facts["teacher"]["mode"] == "imported"
    assert (facts["teacher"]["origin"], facts["teacher"]["licence"]) == ("an API", "CC-BY-4.0")
    assert (facts["views"]["path"], facts["views"]["count"]) == ("raw", 1)


def test_csv_without_a_key_is_in_the_order_of_the_data(tmp_path):
    source, p = source_of(5), predictions(5)
    file = write_csv(tmp_path / "p.csv", CLASSES, p.tolist())
    assert torch.allclose(logits_of(imported(file, source, tmp_path / "g"), source).exp().double(), torch.tensor(p))


def test_a_subset_takes_its_own_rows(tmp_path):
    """Row numbers are those of the data's own file, whatever was split off."""
    whole, p = source_of(20), predictions(20)
    part = Subset(whole, np.array([17, 3, 8]))
    file = write_csv(tmp_path / "p.csv", CLASSES, p.tolist())
    guide = imported(file, part, tmp_path / "g")
    assert torch.allclose(logits_of(guide, part).exp().double(), torch.tensor(p[[17, 3, 8]]), atol=1e-6)


@pytest.mark.parametrize("how", ["signed", "unsigned"])
def test_by_example_id(tmp_path, how):
    source, p = source_of(9), predictions(9)
    ids = source.ids if how == "signed" else source.ids.view(np.uint64)
    file = write_csv(tmp_path / "p.csv", ["example", *CLASSES], [[i, *row] for i, row in zip(ids, p, strict=True)])
    guide = imported(file, source, tmp_path / "g", key="example")
    assert torch.allclose(logits_of(guide, source).exp().double(), torch.tensor(p), atol=1e-6)


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("cat/1", "cat/2", "dog/a b", "owl/x")):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), number * 40, np.uint8)).save(path)
    return open_folder(tmp_path / "images", name="images/train", labelled=True)


def test_by_relative_path(tmp_path, folder):
    p = predictions(5)
    keys = ["dog\\a b.png", "./cat/2.png", "owl/x.png", "cat/1.png", "cat/none.png"]
    file = write_csv(tmp_path / "p.csv", ["path", *CLASSES], [[k, *row] for k, row in zip(keys, p, strict=True)])
    guide = imported(file, folder, tmp_path / "g")
    assert torch.allclose(logits_of(guide, folder).exp().double(), torch.tensor(p[[3, 1, 0, 2]]), atol=1e-6)


def test_parquet(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    source, p = source_of(12), predictions(12)
    columns = {name: p[::-1, column].astype(np.float32) for column, name in enumerate(CLASSES)}
    table = arrow.table({"id": source.ids.view(np.uint64)[::-1], **columns, "text": ["x"] * 12})
    parquet.write_table(table, tmp_path / "p.parquet")
    guide = imported(tmp_path / "p.parquet", source, tmp_path / "g")
    assert torch.allclose(logits_of(guide, source).exp().double(), torch.tensor(p), atol=1e-6)
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        imported(tmp_path / "bad.parquet", source, tmp_path / "g2")


def test_npz_of_probabilities_and_of_logits(tmp_path):
    source, p = source_of(6), predictions(6).astype(np.float32)
    np.savez(tmp_path / "p.npz", probabilities=p, rows=np.arange(6))
    guide = imported(tmp_path / "p.npz", source, tmp_path / "a")
    assert torch.allclose(logits_of(guide, source).exp(), torch.from_numpy(p), atol=1e-6)
    z = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32) * 9
    np.savez(tmp_path / "z.npz", logits=z, classes=np.array(["owl", "elk", "cat", "dog"]))
    guide = imported(tmp_path / "z.npz", source, tmp_path / "b")
    assert torch.equal(logits_of(guide, source), torch.from_numpy(z[:, [2, 3, 0]])), "as they are, by name"
    np.savez(tmp_path / "n.npz", logits=z)
    guide = imported(tmp_path / "n.npz", source, tmp_path / "c", classes=["owl", "elk", "cat", "dog"])
    assert torch.equal(logits_of(guide, source), torch.from_numpy(z[:, [2, 3, 0]]))


def test_zeros_are_taken_for_the_floor_and_sums_for_one(tmp_path):
    source = source_of(2)
    file = write_csv(tmp_path / "p.csv", CLASSES, [[1, 0, 0], [0.33, 0.33, 0.33]])
    logits = logits_of(imported(file, source, tmp_path / "g"), source)
    assert torch.allclose(logits[0, 1:].double(), torch.full((2,), np.log(FLOOR)).double())
    assert torch.allclose(logits[1].exp(), torch.full((3,), 1 / 3))


def test_it_is_of_the_raw_examples(tmp_path):
    source = source_of(4)
    file = write_csv(tmp_path / "p.csv", CLASSES, predictions(4).tolist())
    imported(file, source, tmp_path / "g")
    raw = Expectation(data=data_facts(source), views=view_facts(Views(), 1))
    open_guide(tmp_path / "g", expect=raw)
    augmented = view_facts(Views((Shift(1),)), 3)
    with pytest.raises(GuideError, match=r"its views are others \(raw\)"):
        open_guide(tmp_path / "g", expect=Expectation(views=augmented))
    open_guide(tmp_path / "g", expect=Expectation(views=augmented, any_view=True))


def test_the_same_file_gives_the_same_guide_and_another_is_refused(tmp_path):
    source = source_of(4)
    file = write_csv(tmp_path / "p.csv", CLASSES, predictions(4).tolist())
    one = imported(file, source, tmp_path / "g").fingerprint()
    assert imported(file, source, tmp_path / "g").fingerprint() == one
    write_csv(file, CLASSES, predictions(4, seed=1).tolist())
    with pytest.raises(GuideError, match="another teacher"):
        imported(file, source, tmp_path / "g")


THIRD = ["0.3", "0.3", "0.4"]


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        (["row", *CLASSES], [[0, *THIRD], [1, *THIRD]], r"no row for 1 of 3 examples, among them row 2"),
        (["row", *CLASSES], [[n, *THIRD] for n in (0, 1, 2, 1)], r"rows 1 and 3 are about the same example, '1'"),
        (["row", *CLASSES], [[n, "nan", "0", "1"] for n in range(3)], r"row 0 has an empty field, NaN or infinity \(3"),
        (["row", *CLASSES], [[0, *THIRD], [1, *THIRD], [2, "", "0", "1"]], r"row 2 has an empty field"),
        (["row", *CLASSES], [[0, *THIRD], [1, "30", "30", "40"], [2, *THIRD]], r"row 1 .*sum 100.*divide percentages"),
        (["row", *CLASSES], [[n, "1.5", "-2", "1.5"] for n in range(3)], r"row 0 .*smallest -2.*kind: logits"),
        (["row", *CLASSES], [[n, "0.5", "0.5", "0.1"] for n in range(3)], r"sum 1.1"),
        (["row", "cat", "dog"], [[n, "0.5", "0.5"] for n in range(3)], r"no column for 'owl'.*'row', 'cat', 'dog'"),
        (["row", "cat", "dog", "owl", "cat"], [], r"names 'cat' more than once"),
        (["row", *CLASSES], [[0, "0.3", "many", "0.4"]], r"line 2: 'many' is not a number"),
        (["row", *CLASSES], [[0, *THIRD, "more"]], r"line 2 has 5 fields, the header 4"),
        (
            ["path", *CLASSES],
            [["cat/1.png", *THIRD]],
            r"none of its 1 keys \(the first: 'cat/1.png'\).*row numbers from 0",
        ),
        (["row", *CLASSES], [[n + 3, *THIRD] for n in range(3)], r"none of its 3 keys"),
        (["row", *CLASSES], [], r"no row for 3 of 3 examples"),
        ([], [], "no column for"),
    ],
)
def test_tables_that_are_refused(tmp_path, header, rows, says):
    file = write_csv(tmp_path / "p.csv", header, rows)
    with pytest.raises(DataError, match=says):
        imported(file, source_of(3), tmp_path / "g")
    assert not (tmp_path / "g").exists()


def test_files_that_are_refused(tmp_path):
    source = source_of(3)
    (tmp_path / "bad.npz").write_bytes(b"PK no")
    np.savez(tmp_path / "none.npz", scores=np.zeros((3, 3)))
    np.savez(tmp_path / "object.npz", logits=np.array([{}], dtype=object))
    np.savez(tmp_path / "wide.npz", logits=np.zeros((3, 4)))
    np.savez(tmp_path / "twice.npz", logits=np.zeros((3, 3)), classes=np.array(["cat", "cat", "owl"]))
    np.savez(tmp_path / "keyless.npz", logits=np.zeros((3, 3)))
    write_csv(tmp_path / "keyless.csv", CLASSES, [THIRD] * 3)
    cases = {
        "absent.csv": "no such file",
        "p.xlsx": r"expected .csv, .parquet or .npz, got .xlsx",
        "bad.npz": "cannot be read as npz",
        "none.npz": r"named probabilities or logits; found scores \(3, 3\)",
        "object.npz": "cannot be read as npz",
        "wide.npz": "4 columns for 3 classes",
        "twice.npz": "one column of its name",
    }
    for name, says in cases.items():
        with pytest.raises(DataError, match=says):
            imported(tmp_path / name, source, tmp_path / "g")
    for name in ("keyless.npz", "keyless.csv"):
        with pytest.raises(DataError, match="'example' for the key"):
            imported(tmp_path / name, source, tmp_path / "g", key="example")


def test_folders_are_keyed_by_path(tmp_path, folder):
    file = write_csv(tmp_path / "p.csv", ["row", *CLASSES], [[n, *THIRD] for n in range(4)])
    with pytest.raises(DataError, match=r"keys are relative paths such as 'cat/1.png'"):
        imported(file, folder, tmp_path / "g")
    keys = ["cat/1.png", "dog/a b.png", "owl/x.png"]
    file = write_csv(tmp_path / "p.csv", ["path", *CLASSES], [[key, *THIRD] for key in keys])
    with pytest.raises(DataError, match=r"no row for 1 of 4 examples, among them row 1 of images/train \(cat/2.png\)"):
        imported(file, folder, tmp_path / "g")


def test_keys_that_several_parts_know(tmp_path):
    both = concat([source_of(3), source_of(3, "more/train")])
    file = write_csv(tmp_path / "p.csv", ["row", *CLASSES], [[n, *THIRD] for n in range(3)])
    with pytest.raises(DataError, match=r"key '0' occurs in several parts"):
        imported(file, both, tmp_path / "g")
    file = write_csv(tmp_path / "p.csv", ["id", *CLASSES], [[i, *THIRD] for i in both.ids])
    imported(file, both, tmp_path / "g")
