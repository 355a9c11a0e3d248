"""A disk that fills up at any stage: said plainly, exit code 1, and the same call goes on once there is room."""

import contextlib
import errno
import os
import re
import subprocess

import pytest

import limbeck as lk
from limbeck.core.progress import Silent
from limbeck.core.storage import write_tensors
from limbeck.errors import StorageError

STAGES = {
    "teacher": "teacher: wide-mlp",
    "tuning": "on validation",
    "students": "students: ",
    "measuring": "measuring ",
    "export": "exporting ",
    "report": "writing the report",
}
"""Stage -> what is said when it begins."""


class Disk:
    """A small disk that can be filled to the last byte."""

    def __init__(self, folder):
        self.folder = folder
        self.filler = folder / "filler"

    def fill(self, left):
        """Leaves so many bytes, and at most a page more."""
        with self.filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        os.truncate(self.filler, max(0, self.filler.stat().st_size - left))

    def free(self):
        self.filler.unlink()


class PretendDisk(Disk):
    """The same where no disk can be mounted: nothing can be made durable any more."""

    def __init__(self, folder, monkeypatch):
        super().__init__(folder)
        self.full, fsync = False, os.fsync

        def refusing(handle):
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fsync(handle)

        monkeypatch.setattr(os, "fsync", refusing)

    def fill(self, left):
        self.full = True

    def free(self):
        self.full = False


@pytest.fixture
def disk(tmp_path, monkeypatch):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        yield PretendDisk(folder, monkeypatch)
        return
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a traceback may still hold a file open


class Filling(Silent):
    """Fills the disk when a stage begins."""

    def __init__(self, disk, said, left):
        self.disk, self.said, self.left = disk, said, left

    def say(self, message):
        if self.said in message:
            self.disk.fill(self.left)


def test_every_stage_can_be_resumed(disk, tiny, finished, trainings):
    out = disk.folder / "run"
    for number, (stage, said) in enumerate(STAGES.items()):
        with pytest.raises(
            StorageError, match=r"no space left for .*: free some and run the same command again"
        ) as full:
            lk.distil(recipe=tiny(), out=out, progress=Filling(disk, said, left=(0, 5000, 9000)[number % 3]))
        assert full.value.exit_code == 1, stage
        assert (out / "report.html").exists() is False
        disk.free()
    run = lk.distil(recipe=tiny(), out=out)
    assert trainings(out) == trainings(finished.folder)
    assert run.record.verdict == finished.record.verdict
    assert [m.predictions for m in run.record.models] == [m.predictions for m in finished.record.models]
    assert (run.student / "model.safetensors").read_bytes() == (finished.student / "model.safetensors").read_bytes()
    assert not [path for path in out.rglob("*") if ".tmp" in path.name or path.name.endswith(".exporting")]


def test_tensors_on_a_full_disk(disk):
    """The library that writes them hides the system's error in its text."""
    import torch

    write_tensors(disk.folder / "a.safetensors", {"a": torch.zeros(8)})
    before = (disk.folder / "a.safetensors").read_bytes()
    disk.fill(0)
    with pytest.raises(StorageError, match="no space left for"):
        write_tensors(disk.folder / "a.safetensors", {"a": torch.zeros(100_000)})
    assert (disk.folder / "a.safetensors").read_bytes() == before
    assert [path.name for path in disk.folder.iterdir() if path.name != "filler"] == ["a.safetensors"]
    disk.free()


KINDS = (
    "run.json", "recipe.yaml", "checkpoint.safetensors", "weights.safetensors", "done.json", "timing.json",
    "manifest.json", "plan.json", "index.npy", "00000.safetensors", "test.npz", "record.json",
    ".checkpoint-*.tmp.safetensors", ".weights-*.tmp.safetensors",
)  # fmt: skip
"""Names of some files that a run surely writes: none may be forgotten by `test_every_kind_of_file`."""
EXPORTED = ("model.safetensors", "config.json", "student", "report.html")


class NoRoomFor:
    """Refuses to put one kind of file (a name, whatever the folder) in its place, the first time.

    Files on their way to their place have a name drawn at random in theirs: all those of one place are a kind.
    """

    def __init__(self, monkeypatch):
        self.seen, self.kind, self.refused = set(), None, False
        for name in ("replace", "rename"):
            monkeypatch.setattr(os, name, self.asked(getattr(os, name)))

    def asked(self, function):
        def put(source, target, **keywords):
            name = os.path.basename(target)  # noqa: PTH119 - text, whatever was given
            kind = re.sub(r"-\w{8}(?=\.tmp)", "-*", name)
            self.seen.add(kind)
            if kind == self.kind and not self.refused:
                self.refused = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))
            return function(source, target, **keywords)

        return put


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_every_kind_of_file(tmp_path, tiny, trainings, monkeypatch, request, whole):
    """Each in turn finds no room; the same call goes on every time, and ends as a run that always had room."""
    if not whole:
        request.getfixturevalue("quick")
    kinds = (*KINDS, *(EXPORTED if whole else ()))
    recipe = tiny(guide={"use": "always"}, verdict={"seeds": 1}, train={"checkpoint_seconds": 0})
    room = NoRoomFor(monkeypatch)
    undisturbed = lk.distil(recipe=recipe, out=tmp_path / "undisturbed")
    assert room.seen >= set(kinds)
    waiting, out = set(room.seen), tmp_path / "run"
    while waiting:
        room.kind, room.refused = next(kind for kind in (*kinds, *sorted(waiting)) if kind in waiting), False
        waiting.remove(room.kind)
        full = None
        try:
            lk.distil(recipe=recipe, out=out)
        except StorageError as error:
            full = error
        assert (full is not None) == room.refused, f"{room.kind}: nobody noticed"
        if full is not None:
            assert full.exit_code == 1
            assert "no space left for" in str(full), room.kind
            assert "free some and run the same command again" in str(full), room.kind
    run = lk.distil(recipe=recipe, out=out)
    assert trainings(out) == trainings(undisturbed.folder)
    assert [m.quality for m in run.record.models] == [m.quality for m in undisturbed.record.models]
    if whole:
        shipped = [folder.student / "model.safetensors" for folder in (run, undisturbed)]
        assert shipped[0].read_bytes() == shipped[1].read_bytes()
    assert not [path for path in out.rglob("*") if ".tmp" in path.name or path.name.endswith(".exporting")]
