"""Two processes train the model that one trains; killed and started again, they end in the same bits."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from .ddp_jobs import JOBS, OWN_DRAWS, train_job
from .torchrun import two_processes

WORKER = "tests.training.ddp_worker"


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """All jobs in one pair of processes, since a pair takes seconds to start."""
    folder = tmp_path_factory.mktemp("two")
    done = two_processes(WORKER, folder, *JOBS, *OWN_DRAWS)
    assert done.code == 0, done.output
    assert "arning" not in done.output
    return folder


@pytest.mark.parametrize("job", JOBS)
def test_the_same_model(job, two):
    one, history = train_job(job), json.loads((two / f"{job}.json").read_text())
    found = load_file(two / f"{job}.safetensors")
    assert found.keys() == one.weights.keys()
    coarse, rows = (100, 2 / 90) if "bf16" in job else (1, 1e-5)  # of 90, two may be on the edge
    for name, value in one.weights.items():
        torch.testing.assert_close(found[name], value, rtol=2e-4 * coarse, atol=2e-5 * coarse)
    assert [row["step"] for row in history] == [row["step"] for row in one.history]
    for mine, its in zip(one.history, history, strict=True):
        assert mine["values"] == pytest.approx(its["values"], rel=1e-4 * coarse, abs=rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "rank"),
    [("dropout", 1), *(pytest.param(*each, marks=pytest.mark.nightly) for each in (("dropout", 0), ("fsdp", 1)))],
)
def test_a_lost_process_stops_the_other_and_the_same_command_goes_on(job, rank, two, tmp_path):
    command = (WORKER, tmp_path, job, "--keep", "--disturb", f"kill:{rank},4")
    done = two_processes(*command)
    assert done.code != 0
    assert done.ended - (tmp_path / "disturbed").stat().st_mtime < 20, "seconds, not the half hour of torch's default"
    assert len(done.said) == 1, done.output
    assert f"process {rank} of 2" in done.said[0]
    assert "run the same command to go on" in done.said[0]
    assert "[rank" not in done.output, "a traceback"
    assert two_processes(*command).code == 0
    assert json.loads((tmp_path / f"{job}.json").read_text()) == json.loads((two / f"{job}.json").read_text())
    found, expected = load_file(tmp_path / f"{job}.safetensors"), load_file(two / f"{job}.safetensors")
    assert all(torch.equal(found[name], expected[name]) for name in expected.keys() | found.keys())


@pytest.mark.slow
def test_an_error_of_one_process_is_told_once(tmp_path):
    done = two_processes(WORKER, tmp_path, "plain", "--keep", "--disturb", "nan:1,4")
    assert done.code != 0
    assert len(done.said) == 1, done.output
    assert "not finite" in done.said[0]
    assert "[rank" not in done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["ctrl-c:0,4", pytest.param("term:1,4", marks=pytest.mark.nightly)], ids=lambda how: how.partition(":")[0]
)
def test_asked_to_stop_all_stop_at_one_step_and_it_is_saved(how, tmp_path):
    done = two_processes(WORKER, tmp_path, "plain", "--keep", "--disturb", how)
    assert done.code != 0
    assert len(done.said) == 1, done.output
    assert "stopped at step" in done.said[0]
    assert "run the same command to go on" in done.said[0]
    assert (tmp_path / "plain" / "checkpoint.safetensors").exists()
    assert "[rank" not in done.output


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NCCL wants a GPU a process, and this machine has not two")
@pytest.mark.parametrize("job", ["plain", "normalised", "bf16, normalised", "fsdp", "fsdp, bf16"])
def test_the_same_model_on_two_gpus(job, tmp_path):
    """One step's loss within a tolerance, and a trajectory near enough to see that nothing is left out."""
    done = two_processes(WORKER, tmp_path, job, "--device", "cuda")
    assert done.code == 0, done.output
    one, history = train_job(job, device="cuda"), json.loads((tmp_path / f"{job}.json").read_text())
    for mine, its in zip(one.history, history, strict=True):
        assert mine["values"] == pytest.approx(its["values"], rel=3e-2, abs=2 / 90)
