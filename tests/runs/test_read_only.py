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

    def __init__(self, folder: Path) -> None:
        self.folder, self._image = folder, folder.with_suffix(".image")
        folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self._image)], check=True, capture_output=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self._image), str(self.folder)], check=True, capture_output=True)

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)

    def fail(self) -> None:
        """Read-only from now on, as the kernel makes a disk that failed: whoever has files open loses them too."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    try:
        made = Mounted(tmp_path / "disk")
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    yield made
    subprocess.run(["umount", "--lazy", str(made.folder)], check=True)


class Locking(Silent):
    """Takes the right to write away when a stage begins."""

    def __init__(self, disk, said):
        self.disk, self.said = disk, said

    def say(self, message):
        if self.said in message:
            self.disk.fail()


def test_nothing_is_trained_for_a_folder_that_may_not_be_written(disk, tiny):
    disk.fail()
    said = []
    reporter = Silent()
    reporter.say = said.append
    with pytest.raises(StorageError, match=r"cannot write .*Read-only file system; choose another --out") as refused:
        lk.distil(recipe=tiny(), out=disk.folder / "run", progress=reporter)
    assert (refused.value.exit_code, said) == (1, [])


@pytest.mark.parametrize(
    "said",
    [
        "teacher: wide-mlp",
        pytest.param("on validation", marks=pytest.mark.nightly),
        pytest.param("measuring ", marks=pytest.mark.nightly),
        "exporting ",
        pytest.param("writing the rep", marks=pytest.mark.nightly),
    ],
)
def test_a_folder_that_becomes_read_only(disk, tiny, finished, trainings, said):
    out = disk.folder / "run"
    with pytest.raises(StorageError, match="Read-only file system"):
        lk.distil(recipe=tiny(), out=out, progress=Locking(disk, said))
    disk.unmount()
    disk.mount()
    run = lk.distil(recipe=tiny(), out=out)
    assert trainings(out) == trainings(finished.folder)
    assert (run.student / "model.safetensors").read_bytes() == (finished.student / "model.safetensors").read_bytes()


def test_every_command_that_writes_says_it_in_one_line(disk, tiny, finished, capsys, monkeypatch):
    monkeypatch.chdir(disk.folder)
    Path("r.yaml").write_text(yaml.safe_dump(tiny(name="run")))
    np.save("x.npy", np.zeros((2, 8, 8), np.uint8))
    subprocess.run(["cp", "-r", str(finished.folder), "run"], check=True)
    disk.fail()
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
