"""A lineage that is killed while its second generation trains is finished by the same command, bit by bit."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks into /proc")


def test_killed_in_the_middle_of_the_second_generation(tmp_path):
    command = [sys.executable, str(Path(__file__).with_name("killed_chain.py")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["code"] == -signal.SIGKILL
    assert row["left"]["begun"] > row["left"]["done"], "a training was under way"
    assert not row["left"]["ended"]
    assert row["again"] == 0, row["said"]
    assert row["first_kept"], "a link that was done is not done again"
    assert row["found"] == row["expected"]
    assert [link["trained"] for link in row["found"]["links"]] != [[], []], "weights were compared"
    assert (tmp_path / "killed" / "lineage.html").is_file()
