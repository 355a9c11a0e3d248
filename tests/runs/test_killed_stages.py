"""A run that ends in any stage, by SIGKILL, a signal or a full disk, is finished by the same command, bit by bit."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

STAGES = ("teacher", "guide", "tuning", "students", "measuring", "export", "report")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks into /proc")


def ended(folder, *arguments):
    """What became of runs that ended at seeded moments, spread over each stage."""
    command = [sys.executable, str(Path(__file__).with_name("killed_run.py")), str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(rows, moments):
    assert Counter(row["stage"] for row in rows) == dict.fromkeys(STAGES, moments)
    for row in rows:
        where = f"{row['how']} at {row['part']:.0%} of {row['stage']}: {row}"
        assert row["again"] == 0, where
        assert row["identical"], where
        assert not row["left_over"], where
        assert not row["traceback"], where
        assert row["printed"] == "", where
        check_end(row, where)


def check_end(row, where):
    """Exit code and last words."""
    if row["how"] in ("kill", "time"):
        assert row["code"] < 0, where
    elif row["how"] == "full":
        assert row["code"] == 1, where
        assert row["last"].startswith("limbeck: no space left for "), where
        assert row["last"].endswith(": free some and run the same command again"), where
    else:
        assert row["code"] == 130, where
        assert row["last"].startswith("limbeck: "), where
        assert "the same command" in row["last"], where


def test_killed_five_times_and_stopped_once_in_every_stage(tmp_path):
    rows = ended(
        tmp_path, "--moments", "6", "--how", "kill", "time", "kill", "stop", "kill", "time", "--whole", "teacher"
    )
    check(rows, 6)
    assert Counter(row["stage"] for row in rows if row["code"] < 0) == dict.fromkeys(STAGES, 5)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 6))
def test_killed_fifty_times_in_every_stage(seed, tmp_path):
    check(ended(tmp_path, "--moments", "10", "--seed", str(seed), "--whole", *STAGES), 10)


@pytest.mark.nightly
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "full"])
def test_stopped_and_out_of_room_anywhere(how, tmp_path):
    check(ended(tmp_path, "--moments", "10", "--seed", "6", "--how", how, "--whole", *STAGES), 10)
