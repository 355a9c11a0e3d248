"""Stopped anywhere and started again, a training ends in the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from limbeck.errors import Interrupted, RunFolderError, StorageError
from limbeck.training import checkpoint
from limbeck.training.sitting import Sitting

from .workshop import JOBS, Outcome, Stopped, Stops, always, both, raises, run, terminates, work

ROOT = Path(__file__).parents[2]
STEPS = 14


@cache
def undisturbed(job: str) -> Outcome:
    return work(job)


every_job = pytest.mark.parametrize("job", JOBS)


@every_job
def test_training_twice_is_the_same(job):
    assert undisturbed(job).differences(work(job)) == []


@every_job
def test_saving_changes_nothing(job, tmp_path):
    assert undisturbed(job).differences(work(job, store=tmp_path)) == []


@every_job
def test_stopped_at_every_step(job, tmp_path):
    """One process a step: each dies when it asks for the batch of its second."""
    for step in range(1, STEPS):
        with pytest.raises(Stopped):
            work(job, store=tmp_path, source=Stops({step: raises}))
        assert checkpoint.peek(tmp_path / "checkpoint.safetensors").step == step
    assert undisturbed(job).differences(work(job, store=tmp_path)) == []


@pytest.mark.parametrize("job", ["conv", "two stages"])
@pytest.mark.parametrize("seed", range(4))
def test_stopped_at_random_steps_between_rare_checkpoints(job, seed, tmp_path, monkeypatch):
    """What was done since the last checkpoint is done again."""
    chance = random.Random(seed)

    def sometimes(self, progress):
        if chance.random() < 0.3:
            self.save(progress)

    monkeypatch.setattr(Sitting, "save_if_due", sometimes)
    for _ in range(4):
        try:
            work(job, store=tmp_path, source=Stops({chance.randrange(STEPS): raises}))
        except Stopped:
            continue
    assert undisturbed(job).differences(work(job, store=tmp_path)) == []


@every_job
def test_sigterm_saves_and_the_same_call_goes_on(job, tmp_path):
    chance = random.Random(job)
    for step in sorted(chance.sample(range(STEPS - 1), 2)):
        with pytest.raises(Interrupted, match=f"stopped at step {step + 1}") as stopped:
            work(job, store=tmp_path, source=Stops({step: terminates}))
        assert stopped.value.exit_code == 130
    assert undisturbed(job).differences(work(job, store=tmp_path)) == []


def test_a_finished_training_is_found_finished(tmp_path):
    """Its last checkpoint is of the last step; the same call trains no more, and gives the same."""
    first = work("two stages", store=tmp_path)
    again = work("two stages", store=tmp_path, source=Stops({STEPS - 1: raises, 0: raises}))
    assert first.differences(again) == []


def killed(job: str, folder: Path, *, seed: int, kills: int) -> Outcome:
    """A real process after the other, each killed at a moment of its own, until one lives to the end."""
    command = [sys.executable, "-m", "tests.training.killed", job, str(folder), str(seed), str(kills)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, timeout=300)
    told = json.loads((folder / "told.json").read_text())
    assert len(told["killed"]) == kills
    assert any(0 < step < STEPS for step in told["killed"]), "no kill came while it trained"
    weights, objective = (load_file(folder / f"{part}.safetensors") for part in ("weights", "objective"))
    return Outcome(weights, told["history"], [objective])


def test_killed_by_the_system(tmp_path):
    assert undisturbed("two stages").differences(killed("two stages", tmp_path, seed=1, kills=5)) == []


@pytest.mark.nightly
@every_job
@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again(job, seed, tmp_path):
    assert undisturbed(job).differences(killed(job, tmp_path, seed=seed, kills=15)) == []


def test_another_identity_is_refused_and_nothing_is_touched(tmp_path):
    with pytest.raises(Stopped):
        work("adamw", store=tmp_path, source=Stops({3: raises}))
    path = tmp_path / "checkpoint.safetensors"
    before = path.read_bytes()
    with pytest.raises(RunFolderError, match="belongs to another run"):
        work("adamw", store=tmp_path, identity="another")
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"\x00" * 64, None])
def test_a_damaged_checkpoint_is_named(damage, tmp_path):
    with pytest.raises(Stopped):
        work("adamw", store=tmp_path, source=Stops({3: raises}))
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    with pytest.raises(RunFolderError, match="remove it, and training starts anew"):
        work("adamw", store=tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 160 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", place]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_leaves_the_last_checkpoint(small_disk):
    path = small_disk / "checkpoint.safetensors"
    with pytest.raises(Stopped):
        work("adamw", store=small_disk, source=Stops({5: raises}))
    before = path.read_bytes()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(144 * 1024 - len(before)))
    with pytest.raises(StorageError, match="no space left") as full:
        work("adamw", store=small_disk)
    assert full.value.exit_code == 1
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in small_disk.iterdir()) == ["ballast", "checkpoint.safetensors"]
    ballast.unlink()
    assert undisturbed("adamw").differences(work("adamw", store=small_disk)) == []


@pytest.mark.parametrize("function", ["os.fsync", "pathlib.Path.replace", "tempfile.mkstemp"])
def test_a_failing_disk_leaves_the_last_checkpoint(function, tmp_path, monkeypatch):
    with pytest.raises(Stopped):
        work("adamw", store=tmp_path, source=Stops({5: raises}))
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def fails(*_args, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(function, fails)
        with pytest.raises(StorageError, match="no space left"):
            work("adamw", store=tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert undisturbed("adamw").differences(work("adamw", store=tmp_path)) == []


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.forth, self.back, self.head = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
        self.back.weight = self.forth.weight

    def forward(self, x):
        return self.head(self.back(self.forth(x.flatten(1) / 255).relu()))


def test_weights_that_share_memory_are_saved(tmp_path):
    model, other = Tied(), Tied()
    with pytest.raises(Stopped):
        run(Tied(), both(always()), store=tmp_path, source=Stops({5: raises}))
    run(model, both(always()), store=tmp_path)
    run(other, both(always()))
    assert torch.equal(model.back.weight, other.back.weight)
    assert model.back.weight is model.forth.weight


def test_a_second_signal_does_not_wait(tmp_path):
    def twice():
        terminates()
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        work("adamw", store=tmp_path, source=Stops({4: twice}))
    assert checkpoint.peek(tmp_path / "checkpoint.safetensors").step == 4
    assert undisturbed("adamw").differences(work("adamw", store=tmp_path)) == []


def test_without_a_store_it_says_that_nothing_was_kept():
    with pytest.raises(Interrupted, match="nothing was kept"):
        work("adamw", source=Stops({4: terminates}))
