"""Two processes train the model that one trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from .ddp_jobs import JOBS, train_job

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """All jobs in one pair of processes, since a pair takes seconds to start."""
    folder = tmp_path_factory.mktemp("two")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "tests.training.ddp_worker", str(folder), *JOBS]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arning" not in done.stderr
    return folder


@pytest.mark.parametrize("job", JOBS)
def test_the_same_model(job, two):
    one, history = train_job(job), json.loads((two / f"{job}.json").read_text())
    found = load_file(two / f"{job}.safetensors")
    assert found.keys() == one.weights.keys()
    for name, value in one.weights.items():
        torch.testing.assert_close(found[name], value, rtol=2e-4, atol=2e-5)
    assert [row["step"] for row in history] == [row["step"] for row in one.history]
    for mine, its in zip(one.history, history, strict=True):
        assert mine["values"] == pytest.approx(its["values"], rel=1e-4, abs=1e-5)
