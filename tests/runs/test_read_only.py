"""Folders that may not be written: said in one line before anything is trained, or when it becomes so."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

import limbeck as lk
from limbeck import cli
from limbeck.core.progress import Silent
from limbeck.errors import StorageError


class Mounted:
    """A small disk of its own, which holds even root to what it may do."""

    def __init__(self, folder):
        self.folder = folder

    def may(self, what):
        """`ro` or `rw` from now on."""
        subprocess.run(["mount", "-o", f"remount,{what}", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("nothing can be mounted here")
    yield Mounted(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Locking(Silent):
    """Takes the right to write away when a stage begins."""

    def __init__(self, disk, said):
        self.disk, self.said = disk, said

    def say(self, message):
        if self.said in message:
            self.disk.may("ro")


def test_nothing_is_trained_for_a_folder_that_may_not_be_written(disk, tiny):
    disk.may("ro")
    said = []
    reporter = Silent()
    reporter.say = said.append
    with pytest.raises(StorageError, match=r"cannot write .*Read-only file system; choose another --out") as refused:
        lk.distil(recipe=tiny(), out=disk.folder / "run", progress=reporter)
    assert (refused.value.exit_code, said) == (1, [])


@pytest.mark.parametrize("said", ["teacher: wide-mlp", "on validation", "measuring ", "exporting ", "writing the rep"])
def test_a_folder_that_becomes_read_only(disk, tiny, finished, trainings, said):
    out = disk.folder / "run"
    with pytest.raises(StorageError, match="Read-only file system"):
        lk.distil(recipe=tiny(), out=out, progress=Locking(disk, said))
    disk.may("rw")
    run = lk.distil(recipe=tiny(), out=out)
    assert trainings(out) == trainings(finished.folder)
    assert (run.student / "model.safetensors").read_bytes() == (finished.student / "model.safetensors").read_bytes()


def test_every_command_that_writes_says_it_in_one_line(disk, tiny, finished, capsys, monkeypatch):
    monkeypatch.chdir(disk.folder)
    Path("r.yaml").write_text(yaml.safe_dump(tiny()))
    np.save("x.npy", np.zeros((2, 8, 8), np.uint8))
    subprocess.run(["cp", "-r", str(finished.folder), "run"], check=True)
    disk.may("ro")
    for arguments in (
        ["init", "--data", "digits", "--out", "new.yaml"],
        ["distil", "r.yaml", "--out", "new"],
        ["distil", "r.yaml", "--out", "run"],
        ["label", "r.yaml", "--out", "guide"],
        ["demo", "--out", "demo"],
        ["export", "run", "--to", "onnx", "--out", "exports"],
        ["report", "run"],
        ["predict", "run", "x.npy", "--out", "answers.csv"],
    ):
        with pytest.raises(SystemExit) as left:
            cli.main(arguments)
        _, err = capsys.readouterr()
        assert left.value.code in (1, 2), arguments
        assert "Traceback" not in err, arguments
        assert err.rstrip().splitlines()[-1].startswith("limbeck: cannot write "), (arguments, err)
    for arguments in (["check", "r.yaml"], ["predict", "run", "x.npy"], ["measure", "run"]):  # these only read
        with pytest.raises(SystemExit) as left:
            cli.main(arguments)
        assert left.value.code == 0, capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(tmp_path, tiny):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="choose another --out"):
        lk.distil(recipe=tiny(), out=tmp_path / "run")
    tmp_path.chmod(0o700)
