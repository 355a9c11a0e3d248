"""Memory that runs out, for real: the message names settings that then work, and the checkpoint stands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limbeck.core.memory import is_shortage
from limbeck.errors import OutOfMemoryError
from limbeck.training import checkpoint
from limbeck.training.shortage import mend

from .workshop import Stops, always, both, mlp, run

ROOT = Path(__file__).parents[2]


@given(rows=st.integers(2, 5000), pieces=st.integers(1, 64))
def test_the_advice_halves_the_piece(rows, pieces):
    piece = -(-rows // pieces)
    said = mend(rows, pieces)
    if piece == 1:
        assert "no batch is smaller" in said
        return
    count, size = int(said.split("accumulate: ")[1].split()[0]), int(said.split("batch_size: ")[1].split(",")[0])
    assert count > pieces or piece * pieces > rows
    assert size == -(-piece // 2)
    assert -(-rows // count) <= size


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_a_shortage(error, expected):
    assert is_shortage(error) is expected


def test_the_allocator_says_what_is_looked_for():
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_shortage(refused.value)


def test_the_checkpoint_stands_and_the_same_command_goes_on(tmp_path):
    def hungry():
        torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(OutOfMemoryError, match=r"a step with 32 examples.*goes on from step 5") as said:
        run(mlp(), both(always()), store=tmp_path, source=Stops({5: hungry}))
    assert said.value.exit_code == 1
    assert checkpoint.peek(tmp_path / "checkpoint.safetensors").step == 5
    resumed, straight = mlp(), mlp()
    run(resumed, both(always()), store=tmp_path)
    run(straight, both(always()))
    assert all(torch.equal(value, straight.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_other_errors_stay_what_they_are():
    def wrong():
        torch.ones(2, 3) @ torch.ones(2, 3)

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run(mlp(), both(always()), source=Stops({2: wrong}))


CHILD = """
import json, resource, sys
from pathlib import Path
import torch
from torch import nn
from limbeck.core.batch import Batch
from limbeck.core.runtime import Runtime
from limbeck.errors import OutOfMemoryError
from limbeck.objectives import HardLabels, as_sum
from limbeck.training.loop import train
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

ROWS, WIDE = 512, 20_000  # float32 activations of a whole batch: 39 MiB a layer

class Batches:
    def from_step(self, step):
        while True:
            ids = torch.arange(ROWS)
            yield Batch(ids, ids, torch.ones(ROWS, 4), target=ids % 3)

class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(4, 3)
    def forward(self, x):
        wide = x.sum(1, keepdim=True) * self.head.weight.sum() * torch.ones(1, WIDE)
        for _ in range(4):
            wide = torch.tanh(wide)
        return self.head(x) + wide.mean(1, keepdim=True)

def attempt(store, **values):
    stages = [Stage(as_sum(HardLabels()), 1, TrainSettings(checkpoint_seconds=0.0, **values))]
    return train(Wide(), stages, batches=Batches(), teacher=None, evaluate=lambda model: {"val/nll": 0.0},
                 runtime=Runtime("cpu", 1), seed=0, store=Path(store))

attempt(sys.argv[1] + "/warm", accumulate=64)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150 * 2**20, resource.RLIM_INFINITY))
told, pieces = [], 1
while True:
    try:
        done = attempt(sys.argv[1] + f"/{pieces}", accumulate=pieces)
        break
    except OutOfMemoryError as error:
        told.append(str(error))
        pieces = int(str(error).split("accumulate: ")[1].split()[0])
print(json.dumps({"told": told, "pieces": pieces, "steps": done.steps}))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_the_advice_works(tmp_path):
    """A process with little address space left follows the advice until it trains."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["told"], "memory was not short enough to try anything"
    assert "a step with 512 examples does not fit into memory" in found["told"][0]
    assert found["pieces"] > 1
    assert found["steps"] == 1
