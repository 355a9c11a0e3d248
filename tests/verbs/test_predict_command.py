"""`limbeck predict`: what is printed where, and the exit code."""

import csv
import io
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from limbeck import cli
from limbeck.runtimes.noise import noise

HEAD = ["file", "row", "label", "probability", "null", "eins", "二", "ثلاثة", "four, 4", "note", "error"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def limbeck(capsys, of_pictures):
    """Asks the student of pictures in this process: exit code, standard output, standard error."""

    def run(*arguments, bundle=of_pictures):
        with pytest.raises(SystemExit) as left:
            cli.main(["predict", str(bundle), *map(str, arguments)])
        streams = capsys.readouterr()
        return left.value.code, streams.out, streams.err

    return run


def paint(folder, count):
    folder.mkdir()
    for number, pixels in enumerate(noise((1, 8, 8), "uint8", count)):
        Image.fromarray(pixels[0]).save(folder / f"{number:03}.png")


def test_a_table_for_people(here, limbeck):
    paint(here / "p", 300)
    (here / "p" / "red\x1b[31m.png").write_bytes((here / "p" / "000.png").read_bytes())
    code, out, err = limbeck("p")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["file", "label", "probability", "note"]
    assert len(lines) == 302
    assert "\x1b" not in out
    assert lines[-1].startswith("p/red\\x1b[31m.png  ")
    code, out, _ = limbeck("p/000.png", "--top", 3)
    assert out.splitlines()[0].split() == ["file", "label", "probability", "others", "note"]
    assert out.splitlines()[1].count(", ") >= 1


def test_the_formats_say_the_same(here, limbeck):
    paint(here / "p", 5)
    document = json.loads(limbeck("p", "--json")[1])
    code, out, err = limbeck("p", "--jsonl", "--out", "also.csv")
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == document
    code, out, _ = limbeck("p", "--csv", "--out", "also.json")
    assert out.replace("\r\n", "\n") == (here / "also.csv").read_text(encoding="utf-8").replace("\r\n", "\n")
    assert json.loads((here / "also.json").read_text(encoding="utf-8")) == document
    table = list(csv.DictReader(io.StringIO(out)))
    assert list(table[0]) == HEAD
    assert [float(row["二"]) for row in table] == [answer["probabilities"]["二"] for answer in document]
    assert limbeck("p", "--json", "--csv")[0] == 2


def test_one_corrupt_file_among_many(here, limbeck):
    paint(here / "p", 9)
    (here / "p" / "004.png").write_bytes(b"no picture")
    code, out, err = limbeck("p")
    assert code == 1
    assert len(out.splitlines()) == 1 + 8
    first, last = err.splitlines()
    assert first.startswith("limbeck: p/004.png: cannot be read as an image")
    assert last == "limbeck: 1 of 9 inputs could not be read; the others are answered"
    code, out, _ = limbeck("p", "missing.png", "--jsonl", "--out", "out.csv")
    assert code == 1
    assert [bool(json.loads(line)["error"]) for line in out.splitlines()] == [n in (4, 9) for n in range(10)]
    assert len((here / "out.csv").read_text().splitlines()) == 11


def test_strict(here, limbeck):
    paint(here / "p", 9)
    (here / "p" / "004.png").write_bytes(b"no picture")
    code, _, err = limbeck("p", "--strict", "--out", "out.csv")
    assert code == 2
    assert err.startswith("limbeck: p/004.png: cannot be read as an image")
    assert err.count("\n") == 1
    assert [path.name for path in here.iterdir()] == ["p"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.png"], "missing.png does not exist"),
        (["empty"], "empty holds no picture"),
        (["*.gif"], r"*.gif matches no file"),
        (["empty", "--top", "0"], "top: 0 was given"),
        (["empty", "--stdin", "xml"], "stdin: 'xml' was given"),
        (["empty", "--out", "a.xlsx"], "use .json or .csv or .jsonl"),
        (["missing.png", "empty"], "none of the 2 inputs could be read"),
        (["/dev/null"], "neither a file nor a folder"),
    ],
)
def test_nothing_to_answer_is_wrong_input(here, limbeck, arguments, words):
    (here / "empty").mkdir()
    code, out, err = limbeck(*arguments)
    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err
    assert [path.name for path in here.iterdir()] == ["empty"]


# ---------------------------------------------------------------- in a process of its own


def started(bundle, *arguments, **keywords):
    command = [sys.executable, "-m", "limbeck", "predict", str(bundle), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)


def test_standard_input_and_names_that_are_no_text(here, of_pictures):
    paint(here / "p", 2)
    strange = b"p/\xff\xe9.png"
    (here / "p" / "001.png").rename(here / os.fsdecode(strange))
    command = started(of_pictures, "-", "--csv", stdin=subprocess.PIPE)
    out, err = command.communicate(b"p/000.png\0" + strange + b"\0")
    assert (command.returncode, err) == (0, b"")
    assert out.splitlines()[2].startswith(strange + b",,")
    command = started(of_pictures, strange, "--json")
    out, err = command.communicate()
    assert (command.returncode, err) == (0, b"")
    assert os.fsencode(json.loads(out.decode("utf-8"))[0]["file"]) == strange


def test_answer_by_answer(here, of_pictures):
    """Another program writes a name, waits for the answer, and writes the next."""
    paint(here / "p", 3)
    command = started(of_pictures, "-", "--jsonl", "--batch", "1", stdin=subprocess.PIPE)
    watch = threading.Timer(120, command.kill)
    watch.start()
    for number in range(3):
        command.stdin.write(b"p/%03d.png\n" % number)
        command.stdin.flush()
        assert json.loads(command.stdout.readline())["file"] == f"p/{number:03}.png"
    _, err = command.communicate()
    watch.cancel()
    assert (command.returncode, err) == (0, b"")


def test_a_reader_that_left_ends_it(here, of_pictures):
    """`limbeck predict ... | head -1` goes on no longer than somebody listens."""
    np.save(here / "many.npy", np.zeros((200_000, 8, 8), np.uint8))
    command = started(of_pictures, "many.npy", "--jsonl")
    assert json.loads(command.stdout.readline())["row"] == 0
    command.stdout.close()
    assert command.stderr.read() == b""
    assert command.wait(timeout=60) == 0
    command.stderr.close()


def test_memory_is_that_of_a_chunk(here, of_pictures):
    """60,000 answers held together would be more than 60 MB."""
    program = (
        "import resource, sys\n"
        "from limbeck.verbs.predict import stream\n"
        "count = lambda n: sum(1 for _ in stream(bundle=sys.argv[1], inputs=[f'{n}.npy'], batch=256))\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert count(1000) == 1000\n"
        "before = peak()\n"
        "assert count(60000) == 60000\n"
        "print((peak() - before) * (1 if sys.platform == 'darwin' else 1024))\n"
    )
    for count in (1000, 60000):
        np.save(here / f"{count}.npy", np.zeros((count, 8, 8), np.uint8))
    done = subprocess.run([sys.executable, "-c", program, of_pictures], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000_000
