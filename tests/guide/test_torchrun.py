"""Several processes write one guide: by torchrun, as a user would start them, and whatever happens to one of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import limbeck as lk
from limbeck.core.progress import Silent
from limbeck.errors import GuideError
from limbeck.guide.lock import finishing, writing

RECIPE = {
    "data": {"train": "digits", "views": {"count": 3, "ops": [{"op": "shift", "pixels": 1}]}},
    "teacher": {"train": {"family": "wide-mlp", "width": 16, "depth": 1, "epochs": 1}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 3, "batch_size": 128},
    "tune": {"trials": 0},
    "verdict": {"seeds": 0},
    "runtime": {"threads": 1},
}
SCRIPT = Path(__file__).with_name("torchrun_writer.py")


@pytest.fixture
def torchrun():
    """Runs two processes, of the script unless something else is named; returns exit code and output."""

    def run(*settings, program=(str(SCRIPT),), restarts=0):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = [*launcher, "--max-restarts", str(restarts), *program, *map(str, settings)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}  # torchrun would choose, and say so
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=environment)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def told():
    class Told:
        def __init__(self):
            self.lines = []

        def say(self, message):
            self.lines.append(message)

        def task(self, name, total):
            return Silent().task(name, total)

    return Told()


def shards_of(output, rank):
    start = f"rank {rank}: wrote "
    return [int(line.removeprefix(start)) for line in output.splitlines() if line.startswith(start)]


@pytest.mark.slow
def test_the_command_line_in_two_processes(tmp_path, contents, torchrun, monkeypatch):
    """One of them trains the teacher, and the other waits."""
    monkeypatch.undo()  # shards as large as the command line makes them
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    lk.label(recipe=recipe, out=tmp_path / "one")
    code, output = torchrun("label", recipe, "--out", tmp_path / "two", program=("-m", "limbeck"))
    assert code == 0, output
    assert "guide    finished" in output
    one, two = ({n: b for n, b in contents(tmp_path / name).items() if "done.json" not in n} for name in ("one", "two"))
    assert sum(name.endswith(".safetensors") for name in one) == 1 + 4, "a teacher and four shards"
    assert two == one


@pytest.mark.nightly
def test_two_processes_write_the_guide_of_one(world, tmp_path, contents, torchrun):
    world.write(tmp_path / "one")
    code, output = torchrun(tmp_path / "two")
    assert code == 0, output
    assert (shards_of(output, 0), shards_of(output, 1)) == ([0, 2, 4], [1, 3, 5])
    assert "finished" in output
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.slow
def test_a_killed_rank_stops_the_others_and_the_same_command_goes_on(world, tmp_path, contents, torchrun):
    world.write(tmp_path / "one")
    folder = tmp_path / "two"
    code, output = torchrun(folder, "--dies", f"1:1:{tmp_path / 'died'}", "--seconds", "0.2")
    assert code != 0
    assert (tmp_path / "died").exists()
    assert "rank 0: Interrupted: guide: stopped with" in output
    assert "run the same command to go on" in output
    assert not (folder / "manifest.json").exists()
    assert not [path for path in contents(folder) if ".tmp" in path]
    there = {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()}
    assert folder / "shards" / "00001.safetensors" in there
    code, output = torchrun(folder)
    assert code == 0, output
    assert contents(folder) == contents(tmp_path / "one")
    assert there == {path: path.stat().st_mtime_ns for path in there}, "what was finished was written again"


@pytest.mark.nightly
def test_torchrun_itself_starts_a_killed_rank_again(world, tmp_path, contents, torchrun):
    world.write(tmp_path / "one")
    code, output = torchrun(tmp_path / "two", "--dies", f"0:2:{tmp_path / 'died'}", restarts=1)
    assert code == 0, output
    assert (tmp_path / "died").exists()
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_a_lost_rank_is_noticed(world, tmp_path, contents, told):
    """On several machines nobody stops the others: they end, and say what is missing."""
    world.write(tmp_path / "one")
    folder = tmp_path / "two"
    assert world.write(folder, rank=0, world=2, reporter=told) is None
    assert told.lines[-1].startswith(f"guide: this process is done, but {folder} is not complete yet: 3 of 6 shards")
    assert "if one of them was lost, run the same command again" in told.lines[-1]
    assert world.write(folder) is not None
    assert contents(folder) == contents(tmp_path / "one")


def test_the_last_one_finishes_and_says_nothing(world, tmp_path, contents, told):
    world.write(tmp_path / "one")
    folder = tmp_path / "three"
    ends = [world.write(folder, rank=rank, world=3, reporter=told) is not None for rank in (2, 0, 1)]
    assert ends == [False, False, True]
    assert sum("not complete" in line for line in told.lines) == 2
    assert contents(folder) == contents(tmp_path / "one")


def test_ranks_that_come_and_go_never_take_each_other_for_strangers(tmp_path):
    """The last one to leave removes the lock file, just as another may open it."""
    children = []
    for rank in range(4):
        child = os.fork()
        if child == 0:
            try:
                for _ in range(500):
                    with writing(tmp_path, rank, 4):
                        pass
                    with finishing(tmp_path):
                        pass
            except BaseException as error:  # noqa: BLE001 - a forked child must not go on as its parent
                os.write(2, repr(error).encode())
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert not list(tmp_path.iterdir())


def test_a_stranger_is_still_a_stranger(tmp_path):
    for first, second in (((0, 1), (1, 2)), ((0, 2), (0, 2)), ((0, 2), (0, 1))):
        with (
            writing(tmp_path, *first),
            pytest.raises(GuideError, match=r"another process .* is writing this guide"),
            writing(tmp_path, *second),
        ):
            pass
