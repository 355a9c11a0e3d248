"""The whole command, killed, stopped and started again: what comes out is what an undisturbed run gives, to the bit."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import yaml

import limbeck as lk
from limbeck import record as records
from limbeck.core.identity import file_fingerprint
from limbeck.errors import RunFolderError

RECIPE = {
    "data": {"train": "digits", "keep_labels": 0.3, "views": {"ops": [{"op": "shift", "pixels": 1}]}},
    "teacher": {"train": {"family": "wide-mlp", "width": 32, "depth": 1, "epochs": 4}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 1, "batch_size": 128, "learning_rate": 0.01, "checkpoint_seconds": 0},
    "tune": {"trials": 2, "finalists": 1},
    "verdict": {"seeds": 3},
    "runtime": {"threads": 1},
}
MOMENTS = {
    "teacher": "teacher: wide-mlp",
    "guide": "guide: ",
    "tuning": "The teacher spoke once",
    "students": "students: ",
    "measuring": "measuring ",
    "export": "exporting ",
    "report": "writing the report",
}
"""Stage -> what is said when it begins."""


@pytest.fixture(autouse=True)
def foreground():
    """Ctrl-C reaches the commands, also where a script started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("resume") / "resumed.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


@pytest.fixture(scope="module")
def undisturbed(recipe):
    """The facts of a run that nobody disturbed, in this process."""
    return facts(lk.distil(recipe=recipe, out=recipe.with_name("undisturbed")).folder)


def facts(folder):
    """Everything in a run that does not depend on the clock."""
    record = records.read(folder)
    return {
        "student": file_fingerprint(folder / "student" / "model.safetensors"),
        "teacher": file_fingerprint(folder / "teacher" / "model.safetensors"),
        "teacher config": (folder / "teacher" / "config.json").read_text(),
        "fingerprints": record.fingerprints,
        "tuning": record.tuning,
        "verdicts": [record.verdict, *record.comparisons],
        "models": [(m.role, m.seed, m.quality, m.fidelity, m.calibration, m.settings) for m in record.models],
        "predictions": [m.predictions for m in record.models],
        "histories": [m.history for m in record.models],
        "trained": sorted(file_fingerprint(path) for path in folder.glob("checkpoints/*/weights.safetensors")),
    }


class Command:
    """`limbeck distil` in a process of its own.

    Args:
        recipe: the file.
        out: the run's folder.
        program: what the interpreter is told to run.
    """

    def __init__(self, recipe, out, program=("-m", "limbeck")):
        command = [sys.executable, *program, "distil", str(recipe), "--out", str(out)]
        environment = {**os.environ, "COLUMNS": "200"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.errors = []

    def until(self, said):
        """Waits for a line with these words; false where the process ended before."""
        for line in self.process.stderr:
            self.errors.append(line)
            if said in line:
                return True
        return False

    def send(self, number):
        """Sends a signal and waits for the end."""
        self.process.send_signal(number)
        return self.end()

    def end(self):
        """Exit code, standard output, and everything on standard error."""
        out, err = self.process.communicate(timeout=300)
        return self.process.returncode, out, "".join(self.errors) + err


def seconds_in(stage, draw):
    """A moment within a stage, before a fast machine could be through with it and all that follows."""
    return draw.uniform(0, {"export": 0.5, "report": 0.2}.get(stage, 0.8))


ENDS = [("teacher", signal.SIGKILL), ("students", signal.SIGTERM), ("export", signal.SIGKILL)]
ALL_ENDS = [
    ("teacher", signal.SIGTERM), ("teacher", signal.SIGKILL), ("guide", signal.SIGKILL), ("tuning", signal.SIGINT),
    ("tuning", signal.SIGKILL), ("students", signal.SIGTERM), ("measuring", signal.SIGKILL),
    ("measuring", signal.SIGTERM), ("export", signal.SIGKILL), ("report", signal.SIGINT), ("report", signal.SIGKILL),
]  # fmt: skip


@pytest.mark.parametrize("ends", [ENDS, pytest.param(ALL_ENDS, marks=pytest.mark.nightly)], ids=["some", "all"])
def test_killed_and_stopped_at_every_stage(ends, recipe, undisturbed, tmp_path):
    """One folder, several violent ends, spread over the stages; the last start finishes it."""
    out, draw = tmp_path / "disturbed", random.Random(1)
    for stage, number in ends:
        command = Command(recipe, out)
        assert command.until(MOMENTS[stage]), "".join(command.errors)
        if stage == "students":
            with pytest.raises(RunFolderError, match="another process is at work"):
                lk.distil(recipe=recipe, out=out)
        time.sleep(seconds_in(stage, draw))
        code, stdout, err = command.send(number)
        assert stdout == "", f"{stage}: it was finished before it was killed"
        assert "Traceback" not in err
        if number == signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert code == 130
            last = err.rstrip().splitlines()[-1]
            assert last.startswith("limbeck: ")
            assert "the same command" in last
    code, stdout, err = Command(recipe, out).end()
    assert (code, "Traceback" in err) == (0, False)
    assert "going on in" in err
    assert stdout.startswith(records.read(out).verdict.sentence)
    assert facts(out) == undisturbed
    assert not [path for path in out.rglob("*") if ".tmp" in path.name or path.name.endswith(".exporting")]


# -- nightly: many more moments

KILLED_AT = """
import os, signal, sys
from pathlib import Path

left = int(sys.argv.pop(1))


def deadly(function):
    def counted(*arguments, **keywords):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)

    return counted


os.fsync, Path.replace, Path.rename = deadly(os.fsync), deadly(Path.replace), deadly(Path.rename)
from limbeck.cli import main

main()
"""
"""Dies right before its n-th synchronisation or renaming: where files are half-written."""


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4))
def test_killed_again_and_again_at_the_edge_of_a_write(seed, recipe, undisturbed, tmp_path):
    draw = random.Random(seed)
    killed = 0
    for _ in range(8):
        number = draw.choice([1, 2, 3, draw.randint(4, 40), draw.randint(40, 400)])
        code, _, err = Command(recipe, tmp_path / "run", ("-c", KILLED_AT, str(number))).end()
        assert code in (0, -signal.SIGKILL), err
        killed += code != 0
    assert killed
    assert Command(recipe, tmp_path / "run").end()[0] == 0
    assert facts(tmp_path / "run") == undisturbed


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment(seed, recipe, undisturbed, tmp_path):
    draw = random.Random(100 + seed)
    for _ in range(6):
        command = Command(recipe, tmp_path / "run")
        time.sleep(draw.uniform(0.5, 20))
        code, _, err = command.send(draw.choice([signal.SIGKILL, signal.SIGTERM]))
        assert code in (0, 130, -signal.SIGKILL, -signal.SIGTERM), (
            err
        )  # before its imports are done, SIGTERM just ends it
        assert "Traceback" not in err
    assert Command(recipe, tmp_path / "run").end()[0] == 0
    assert facts(tmp_path / "run") == undisturbed
