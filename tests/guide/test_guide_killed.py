"""A writer that is killed at any moment and started again leaves the bytes of one that was not."""

import subprocess
import sys
from pathlib import Path

import pytest

from limbeck.guide import plan

SCRIPT = Path(__file__).with_name("killed_writer.py")


@pytest.mark.parametrize(("how", "deaths"), [("by-step", 20), ("by-time", 3)])
def test_killed_and_started_again(world, tmp_path, contents, monkeypatch, how, deaths):
    monkeypatch.setattr(plan, "SHARDS_AT_LEAST", 3)  # as the script does
    world.write(tmp_path / "whole")
    command = [sys.executable, str(SCRIPT), str(tmp_path / "cut"), how]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1]) >= deaths
    whole = contents(tmp_path / "whole")
    folders = sorted((tmp_path / "cut").iterdir())
    assert folders
    for folder in folders:
        assert contents(folder) == whole, folder.name
