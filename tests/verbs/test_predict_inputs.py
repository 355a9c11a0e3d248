"""What `predict` can be asked about: folders, patterns, streams, tables; each as the array that it stands for."""

import io
import json
import os
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from limbeck.bundle.config import InputConfig
from limbeck.bundle.read import read
from limbeck.errors import DataError, InputError
from limbeck.runtimes.noise import noise
from limbeck.runtimes.onnx import OnnxModel
from limbeck.verbs.predict import predict, stream

COLUMNS = ("age", "größe", "mass, kg", "d", "e", "f")


def paint(folder, *names):
    """Pictures of noise; returns their pixels."""
    raw = noise((1, 8, 8), "uint8", len(names))
    for name, pixels in zip(names, raw, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            Image.fromarray(pixels[0]).save(file, "png")
    return raw


def told(answers):
    """The probabilities, row by row."""
    return np.array([list(answer.probabilities.values()) for answer in answers])


def by_program(student, raw):
    """What the program itself says."""
    logits = OnnxModel(student / "model.onnx")(raw).astype(np.float64)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


@pytest.fixture
def given(monkeypatch):
    """`given(b"...")`: standard input from now on."""

    def put(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


# ---------------------------------------------------------------- files, folders, patterns


def test_a_folder_is_searched_through_in_the_order_of_names(of_pictures, tmp_path, monkeypatch):
    names = ["b.png", "a/z.png", "a/b/y.JPEG", "c/1.png", "c.png"]
    paint(tmp_path / "here", *names, ".hidden/x.png", "__MACOSX/x.png", ".x.png")
    (tmp_path / "here" / "labels.csv").write_text("a,b\n")
    (tmp_path / "here" / "c" / "up").symlink_to(tmp_path / "here", target_is_directory=True)  # and no end of it
    monkeypatch.chdir(tmp_path)
    answers = predict(bundle=of_pictures, inputs=["here"])
    assert [answer.file for answer in answers] == sorted(
        (f"here/{name}" for name in names), key=lambda name: name.split("/")
    )


def test_a_pattern_that_no_shell_expanded(of_pictures, tmp_path, monkeypatch):
    paint(tmp_path, "a/1.png", "a/2.jpg", "b/c/3.png", "odd[1].png")
    monkeypatch.chdir(tmp_path)
    files = [answer.file for answer in predict(bundle=of_pictures, inputs=["**/*.png", "odd[1].png", "[ab]"])]
    assert files == ["a/1.png", "b/c/3.png", "odd[1].png", "odd[1].png", "a/1.png", "a/2.jpg", "b/c/3.png"]
    with pytest.raises(DataError, match=r"\*\.gif matches no file"):
        predict(bundle=of_pictures, inputs=["*.gif"])


def test_names_in_any_script_and_in_none(of_pictures, tmp_path):
    names = ["猫.png", "ελιά.png", "فيل.png", "👩‍🔬.png", "line\nbreak.png", os.fsdecode(b"latin-\xe9\xff.png")]
    raw = paint(tmp_path, *names)
    answers = predict(bundle=of_pictures, inputs=[tmp_path / name for name in names], out=tmp_path / "out.json")
    assert [answer.file for answer in answers] == [str(tmp_path / name) for name in names]
    np.testing.assert_allclose(told(answers), by_program(of_pictures, raw), atol=1e-6)
    for suffix in (".json", ".jsonl", ".csv"):
        predict(bundle=of_pictures, inputs=[tmp_path / name for name in names], out=tmp_path / f"out{suffix}")
    documents = [
        [each["file"] for each in json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))],
        [json.loads(line)["file"] for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()],
    ]
    assert documents == [[answer.file for answer in answers]] * 2
    assert os.fsencode(answers[-1].file) in (tmp_path / "out.csv").read_bytes()


def test_the_first_answer_comes_before_the_last_file_is_there(of_pictures, tmp_path):
    paint(tmp_path, *(f"a{number}.png" for number in range(4)))
    answers = iter(stream(bundle=of_pictures, inputs=[tmp_path / "a0.png", tmp_path / "late"]))
    assert next(answers).file == str(tmp_path / "a0.png")
    paint(tmp_path, "late/b.png")
    assert next(answers).file == str(tmp_path / "late" / "b.png")
    assert list(answers) == []


def test_one_unreadable_among_many(of_pictures, tmp_path):
    paint(tmp_path, *(f"{number}.png" for number in range(9)))
    (tmp_path / "3.png").write_bytes(b"no picture")
    (tmp_path / "5.png").write_bytes((tmp_path / "6.png").read_bytes()[:60])
    (tmp_path / "7a.npy").write_bytes(b"no array")
    inputs = [tmp_path, tmp_path / "none.png", tmp_path / "0.png"]
    answers = predict(bundle=of_pictures, inputs=inputs, strict=False, out=tmp_path / "out.csv")
    assert [n for n, answer in enumerate(answers) if answer.error] == [3, 5, 8, 10]
    assert [answer.label is None for answer in answers] == [bool(answer.error) for answer in answers]
    for place, name in ((3, "3.png"), (5, "5.png"), (8, "7a.npy"), (10, "none.png")):
        assert name in answers[place].error
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + len(answers)
    with pytest.raises(DataError, match=r"3\.png"):
        predict(bundle=of_pictures, inputs=inputs, out=tmp_path / "strict.csv")
    assert not [path for path in tmp_path.iterdir() if "strict" in path.name]


@pytest.mark.parametrize("settings", [{"batch": 1}, {"batch": 7}, {"threads": 3}])
def test_batches_and_threads_change_nothing(of_pictures, tmp_path, settings):
    raw = paint(tmp_path, *(f"{number:02}.png" for number in range(20)))
    (tmp_path / "05x.png").write_bytes(b"")
    answers = predict(bundle=of_pictures, inputs=[tmp_path], strict=False, **settings)
    assert [answer.error is None for answer in answers] == [True] * 6 + [False] + [True] * 14
    np.testing.assert_allclose(told([a for a in answers if not a.error]), by_program(of_pictures, raw), atol=1e-6)


def test_numbers_below_one(of_pictures):
    for name in ("top", "batch", "threads"):
        with pytest.raises(InputError, match=f"{name}: 0 was given"):
            predict(bundle=of_pictures, inputs=["x"], **{name: 0})
    with pytest.raises(InputError, match="use one of: auto, paths"):
        predict(bundle=of_pictures, inputs=["-"], stdin="xml")


def test_top(of_pictures, tmp_path):
    raw = paint(tmp_path, "a.png")
    (whole,) = predict(bundle=of_pictures, inputs=[tmp_path])
    for top in (1, 2, 9):
        (answer,) = predict(bundle=of_pictures, inputs=[tmp_path], top=top, out=tmp_path / "out.csv")
        ordered = sorted(whole.probabilities.items(), key=lambda pair: -pair[1])
        assert list(answer.probabilities.items()) == ordered[:top]
        assert (answer.label, answer.probability) == ordered[0]
        head, row = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
        assert len(head.split(",")) == 6 + 2 * (min(top, 5) - 1)
        assert len(raw) == 1
        assert row.startswith(str(tmp_path / "a.png"))


# ---------------------------------------------------------------- standard input


def encoded(array, save):
    buffer = io.BytesIO()
    save(buffer, array)
    return buffer.getvalue()


def test_arrays_on_standard_input(of_pictures, of_rows, given):
    raw, rows = noise((1, 8, 8), "uint8", 20), noise((6,), "float32", 7)
    for student, array in ((of_pictures, raw), (of_rows, rows)):
        for content in (encoded(array, np.save), encoded(array, lambda file, x: np.savez_compressed(file, x=x))):
            given(content)
            answers = predict(bundle=student, inputs=["-"])
            np.testing.assert_allclose(told(answers), by_program(student, array), atol=1e-6)
            assert {answer.file for answer in answers} == {"-"}
            assert [answer.row for answer in answers] == list(range(len(array)))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "PPM"])
def test_a_picture_on_standard_input(of_pictures, given, kind):
    raw = noise((1, 8, 8), "uint8", 1)
    given(encoded(Image.fromarray(raw[0, 0]), lambda file, image: image.save(file, kind)))
    answers = predict(bundle=of_pictures, inputs=["-"])
    np.testing.assert_allclose(told(answers), by_program(of_pictures, raw), atol=1e-6)
    given(b"\x89PNG and no more")
    with pytest.raises(DataError, match="-: cannot be read as an image"):
        predict(bundle=of_pictures, inputs=["-"])


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\0"])
def test_paths_on_standard_input(of_pictures, given, tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    raw = paint(tmp_path, "a.png", "b/二 c.png", os.fsdecode(b"\xff.png"))
    names = ["a.png", "b", os.fsdecode(b"\xff.png")]
    given(ending.join(os.fsencode(name) for name in names) + ending)
    answers = predict(bundle=of_pictures, inputs=["-"])
    assert [answer.file for answer in answers] == ["a.png", "b/二 c.png", os.fsdecode(b"\xff.png")]
    np.testing.assert_allclose(told(answers), by_program(of_pictures, raw), atol=1e-6)
    given(b"none.png\na.png\n")
    answers = predict(bundle=of_pictures, inputs=["-"], strict=False)
    assert [bool(answer.error) for answer in answers] == [True, False]


def test_answers_come_while_standard_input_is_still_open(of_pictures, tmp_path, monkeypatch):
    paint(tmp_path, "a.png", "b.png")
    reader, writer = os.pipe()
    answers = iter(stream(bundle=of_pictures, inputs=["-"], batch=1))
    with os.fdopen(reader) as stdin, os.fdopen(writer, "wb", buffering=0) as sent:
        monkeypatch.setattr(sys, "stdin", stdin)
        for name in ("a.png", "b.png"):
            sent.write(os.fsencode(tmp_path / name) + b"\n")
            assert next(answers).file == str(tmp_path / name)
        sent.close()
        assert list(answers) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_a_named_pipe_is_read_like_standard_input(of_pictures, tmp_path):
    raw = noise((1, 8, 8), "uint8", 2)
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[encoded(raw, np.save)])
    writer.start()
    answers = predict(bundle=of_pictures, inputs=[tmp_path / "pipe"])
    writer.join()
    np.testing.assert_allclose(told(answers), by_program(of_pictures, raw), atol=1e-6)


def test_nothing_on_standard_input(of_rows, given):
    given(b"")
    with pytest.raises(DataError, match="standard input is empty"):
        predict(bundle=of_rows, inputs=["-"])


# ---------------------------------------------------------------- tables


ROWS = np.array([[1, 2, 3, 4, 5, 6], [-1.5, 2e-3, 0, 0, 1e5, 7]], np.float32)
HEAD = 'age,größe,"mass, kg",d,e,f'
SHUFFLED = "label;f;e;d;mass, kg;größe;age\nx;6;5;4;3;2;1\ny;7;1e5;0;0;2e-3;-1.5\n"

CSV = {
    "in order": "1,2,3,4,5,6\n-1.5,2e-3,0,0,1e5,7\n",
    "header": f"{HEAD}\n1,2,3,4,5,6\n\n-1.5,2e-3,0,0,1e5,7",
    "bom": f"\ufeff{HEAD}\r\n1,2,3,4,5,6\r\n-1.5,2e-3,0,0,1e5,7\r\n",
    "by name": SHUFFLED,
    "tabs": SHUFFLED.replace(";", "\t"),
}


@pytest.mark.parametrize("kind", CSV)
def test_rows_of_csv(of_rows, given, tmp_path, kind):
    (tmp_path / "rows.csv").write_text(CSV[kind], encoding="utf-8")
    from_file = predict(bundle=of_rows, inputs=[tmp_path / "rows.csv"])
    np.testing.assert_allclose(told(from_file), by_program(of_rows, ROWS), atol=1e-6)
    assert [answer.row for answer in from_file] == [0, 1]
    given(CSV[kind].encode())
    from_stream = predict(bundle=of_rows, inputs=["-"])
    assert told(from_stream).tolist() == told(from_file).tolist()
    assert [answer.row for answer in predict(bundle=of_rows, inputs=[tmp_path])] == [0, 1]  # as part of a folder


def test_a_header_that_the_student_does_not_know(of_rows, of_nameless, tmp_path):
    (tmp_path / "rows.csv").write_text("p,q,r,s,t,u\n1,2,3,4,5,6\n")
    answers = predict(bundle=of_nameless, inputs=[tmp_path / "rows.csv"])
    np.testing.assert_allclose(told(answers), by_program(of_nameless, ROWS[:1]), atol=1e-6)
    with pytest.raises(DataError, match=r"rows\.csv, header: lacks age, größe, mass, kg, d, e and more; it has p, q"):
        predict(bundle=of_rows, inputs=[tmp_path / "rows.csv"])


BROKEN_ROWS = {
    "1,2,x,4,5,6": "'x' is no number",
    "1,2,,4,5,6": "a number is missing",
    "1,2,3": "lacks|3 numbers|missing",
    "1,2,nan,4,5,6": "NaN",
    "1,2,1e300,4,5,6": "too large for float32",
}


@pytest.mark.parametrize("row", BROKEN_ROWS)
def test_a_row_that_cannot_be_read_is_named(of_rows, tmp_path, row):
    (tmp_path / "rows.csv").write_text(f"{HEAD}\n1,2,3,4,5,6\n{row}\n1,2,3,4,5,6\n", encoding="utf-8")
    answers = predict(bundle=of_rows, inputs=[tmp_path / "rows.csv"], strict=False)
    assert [bool(answer.error) for answer in answers] == [False, True, False]
    assert answers[1].error.startswith(f"{tmp_path / 'rows.csv'}, line 3: ")
    with pytest.raises(DataError, match=BROKEN_ROWS[row]):
        predict(bundle=of_rows, inputs=[tmp_path / "rows.csv"])


OBJECTS = [dict(zip(COLUMNS, row.tolist(), strict=True)) for row in ROWS]
JSON = {
    "objects": "\n".join(map(json.dumps, OBJECTS)),
    "objects in another order": "\n".join(json.dumps(dict(reversed(each.items()))) for each in OBJECTS),
    "lists": "\n".join(json.dumps(row) for row in ROWS.tolist()),
    "x": "\n".join(json.dumps({"id": 7, "x": row}) for row in ROWS.tolist()),
    "document": json.dumps(OBJECTS, indent=2),
    "document of lists": json.dumps(ROWS.tolist()),
}


@pytest.mark.parametrize("kind", JSON)
def test_rows_of_json(of_rows, of_nameless, given, tmp_path, kind):
    (tmp_path / "rows.json").write_text(JSON[kind], encoding="utf-8")
    from_file = predict(bundle=of_rows, inputs=[tmp_path / "rows.json"])
    np.testing.assert_allclose(told(from_file), by_program(of_rows, ROWS), atol=1e-6)
    given(JSON[kind].encode())
    assert told(predict(bundle=of_rows, inputs=["-"])).tolist() == told(from_file).tolist()
    if "order" not in kind:
        assert told(predict(bundle=of_nameless, inputs=[tmp_path / "rows.json"])).tolist() == told(from_file).tolist()


def test_lines_of_json_that_are_none(of_rows, tmp_path):
    lines = ["{broken", json.dumps(OBJECTS[0]), "7", '{"age": 1}', '["a", 2, 3, 4, 5, 6]', "", json.dumps(OBJECTS[1])]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    answers = predict(bundle=of_rows, inputs=[tmp_path / "rows.jsonl"], strict=False)
    assert [bool(answer.error) for answer in answers] == [True, False, True, True, True, False]
    assert "line 1: no JSON" in answers[0].error
    assert "line 4: lacks größe" in answers[3].error
    assert "line 5: 'a' is no number" in answers[4].error
    (tmp_path / "rows.json").write_text("[1, 2")
    with pytest.raises(DataError, match=r"rows\.json: no JSON"):
        predict(bundle=of_rows, inputs=[tmp_path / "rows.json"])


TABLES_OF_PATHS = {
    "a.csv": "label,file\n1,p/a.png\n2,p/二.png\n",
    "b.csv": "img_name\tsplit\np/a.png\ttest\np/二.png\ttest\n",
    "c.csv": "p/a.png\np/二.png\n",
    "d.csv": "p/a.png;cat\np/二.png;dog\n",
    "e.jsonl": '{"file": "p/a.png"}\n"p/二.png"\n',
    "f.json": '["p/a.png", {"path": "p/二.png"}]',
}


@pytest.mark.parametrize("name", TABLES_OF_PATHS)
def test_tables_of_paths_are_relative_to_themselves(of_pictures, tmp_path, name):
    raw = paint(tmp_path / "there" / "p", "a.png", "二.png")
    (tmp_path / "there" / name).write_text(TABLES_OF_PATHS[name], encoding="utf-8")
    answers = predict(bundle=of_pictures, inputs=[tmp_path / "there" / name])
    assert [answer.file for answer in answers] == [str(tmp_path / "there" / "p" / n) for n in ("a.png", "二.png")]
    np.testing.assert_allclose(told(answers), by_program(of_pictures, raw), atol=1e-6)


def test_a_table_whose_paths_cannot_be_found(of_pictures, tmp_path):
    (tmp_path / "t.csv").write_text("what,why\na,b\n")
    with pytest.raises(DataError, match="which column holds the paths of pictures"):
        predict(bundle=of_pictures, inputs=[tmp_path / "t.csv"])
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(DataError, match=r"t\.csv: no rows"):
        predict(bundle=of_pictures, inputs=[tmp_path / "t.csv"])


def test_pixels_in_tables(of_pictures, tmp_path):
    raw = noise((1, 8, 8), "uint8", 3)
    (tmp_path / "t.csv").write_text("\n".join(",".join(map(str, each.ravel())) for each in raw))
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(each[0].tolist()) for each in raw))
    for name in ("t.csv", "t.jsonl"):
        answers = predict(bundle=of_pictures, inputs=[tmp_path / name])
        np.testing.assert_allclose(told(answers), by_program(of_pictures, raw), atol=1e-6)
    (tmp_path / "t.csv").write_text(",".join(["256"] * 64))
    with pytest.raises(DataError, match="whole numbers from 0 to 255"):
        predict(bundle=of_pictures, inputs=[tmp_path / "t.csv"])


def test_names_of_columns_are_sealed_and_travel_with_the_file(of_rows, of_nameless):
    assert read(of_rows).config.input.columns == COLUMNS
    spec = InputConfig(kind="array", shape=(2,), dtype="float32")
    assert "columns" not in spec.model_dump()  # so that older students stay as they were sealed
    assert "columns" not in OnnxModel(of_nameless / "model.onnx").metadata["limbeck"]
    assert "größe" in OnnxModel(of_rows / "model.onnx").metadata["limbeck"]
