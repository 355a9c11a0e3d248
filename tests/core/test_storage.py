"""A reader never sees half a file, whatever fails; a full disk is said plainly."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from limbeck.core import storage
from limbeck.core.storage import (
    plain_storage_errors,
    read_json,
    write_atomically,
    write_json,
    write_tensors,
    write_text,
)
from limbeck.errors import StorageError

ROOT = Path(__file__).parents[2]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_there_and_back(tmp_path):
    path = tmp_path / "a" / "b" / "text.txt"
    write_text(path, "Grüße\n")
    assert path.read_text(encoding="utf-8") == "Grüße\n"
    assert oct(path.stat().st_mode & 0o777) == "0o644"
    assert names(path.parent) == ["text.txt"]
    value = {"b": [1, 2.5, None, True], "a": {"ü": "é"}}
    write_json(path, value)
    assert read_json(path) == value
    assert list(read_json(path)) == ["b", "a"], "keys keep their order"
    assert "ü" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_know(value, tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"value": value})
    assert names(tmp_path) == []


class Odd(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("error", [Odd, KeyboardInterrupt, lambda: OSError(errno.EIO, "broken")])
def test_a_failing_writer_leaves_the_old_file(error, tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def half(temporary):
        temporary.write_bytes(b"ha")
        raise error()

    with pytest.raises((Odd, KeyboardInterrupt, OSError)):
        write_atomically(path, half)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.bin"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("function", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.mkdir", "tempfile.mkstemp"])
def test_a_full_disk_anywhere_on_the_way(function, number, tmp_path, monkeypatch):
    path = tmp_path / "x.txt"
    write_text(path, "old")

    def fails(*_args, **_more):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(function, fails)
        with pytest.raises(StorageError, match=r"no space left for .*free some and run the same command again") as full:
            write_text(path, "new")
    assert full.value.exit_code == 1
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_a_place_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "x.txt", tmp_path / ("x" * 300)):
        with pytest.raises(StorageError, match="choose another --out"):
            write_text(path, "")
    with pytest.raises(StorageError, match=r"cannot write .*: Permission denied"), plain_storage_errors(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(FileNotFoundError), plain_storage_errors(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "not there: that is another matter")


def test_readers_see_the_old_or_the_new(tmp_path):
    """While it is replaced again and again."""
    path = tmp_path / "x.json"
    write_json(path, [0] * 5000)
    stop, seen = threading.Event(), set()

    def read():
        while not stop.is_set():
            values = json.loads(path.read_text())
            assert len(values) == 5000
            seen.add(tuple(set(values)))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        write_json(path, [number] * 5000)
    stop.set()
    reader.join()
    assert all(len(values) == 1 for values in seen)


def test_killed_while_writing(tmp_path):
    """A real process that writes without end is killed; the file is whole."""
    code = (
        "import sys; from pathlib import Path; from limbeck.core.storage import write_text\n"
        "n = 0\n"
        "while True: write_text(Path(sys.argv[1]), chr(97 + n % 26) * 200_000); n += 1; print(n, flush=True)"
    )
    path = tmp_path / "x.txt"
    for delay in (0.0, 0.013, 0.037):
        writer = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, cwd=ROOT)
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        text = path.read_text()
        assert len(text) == 200_000
        assert len(set(text)) == 1


def test_tensors_there_and_back(tmp_path):
    shared = torch.arange(6.0)
    tensors = {
        "plain": torch.randn(3, 4),
        "strided": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "transposed": torch.randn(4, 2).t(),
        "slice": torch.arange(10)[3:7],
        "one": shared,
        "same": shared,
        "part": shared[2:4],
        "empty": torch.zeros(0, 3),
        "empty too": torch.zeros(0),
        "scalar": torch.tensor(2.5),
        "flags": torch.tensor([True, False]),
        "half": torch.randn(3).bfloat16(),
        "wants a gradient": torch.randn(2, requires_grad=True),
    }
    path = tmp_path / "x.safetensors"
    write_tensors(path, tensors, {"note": "é"})
    found = load_file(path)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert all(found[name].dtype == tensors[name].dtype for name in tensors)
    assert names(tmp_path) == ["x.safetensors"]
    assert oct(path.stat().st_mode & 0o777) == "0o644"


@pytest.mark.parametrize(
    ("text", "raised", "named"),
    [
        ("Error while serializing: I/O error: No space left on device (os error 28)", StorageError, "no space left"),
        ("Error while serializing: I/O error: Permission denied (os error 13)", StorageError, "Permission denied"),
        ("Error while serializing: I/O error: Input/output error (os error 5)", OSError, "Input/output"),
        ("something else", SafetensorError, "something else"),
    ],
)
def test_what_safetensors_says_of_the_disk(text, raised, named, tmp_path, monkeypatch):
    """It hides the system's error number in a text of its own."""
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.ones(2)})

    def fails(_tensors, place, _metadata):
        (place.parent / ".tmpSCRATCH").write_bytes(b"half")
        raise SafetensorError(text)

    monkeypatch.setattr("safetensors.torch.save_file", fails)
    with pytest.raises(raised, match=named):
        write_tensors(path, {"a": torch.zeros(2)})
    assert torch.equal(load_file(path)["a"], torch.ones(2))
    assert names(tmp_path) == ["x.safetensors"]


def test_importing_storage_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; import limbeck.core.storage"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert storage.__doc__
