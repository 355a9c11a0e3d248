"""torch.compile: the same training but for rounding, a plain module afterwards, and eager where nothing can compile."""

import os
import subprocess
import sys

import pytest
import torch

from limbeck.objectives import HardLabels, as_sum
from limbeck.training.compiled import cannot_compile
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

from .workshop import Stopped, Stops, conv, mlp, raises, run

CPU = torch.device("cpu")
ASK = "import torch\nfrom limbeck.training.compiled import cannot_compile\nprint(cannot_compile(torch.device('cpu')))"


def stage(**values):
    return [Stage(as_sum(HardLabels()), 6, TrainSettings(learning_rate=0.02, evaluations=3, **values))]


class Says:
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)

    def task(self, name, total):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, steps=1, *, values=None):
        return None


@pytest.fixture(scope="module")
def compiler():
    """Of C++, as a process of its own finds it: a failed compilation would be remembered here."""
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    if done.stdout.strip() != "None":
        pytest.skip(f"nothing can be compiled here: {done.stdout.strip()}")


@pytest.mark.filterwarnings("ignore")  # of the compiler's own stack
@pytest.mark.slow
def test_it_is_the_same_training_and_leaves_a_plain_module(compiler, tmp_path):
    eager, compiled, untouched = conv(), conv(), conv()
    eager[1].p = compiled[1].p = 0.0  # compiled dropout draws other numbers
    says = Says()
    plain = run(eager, stage(), reporter=says).history
    found = run(compiled, stage(compile=True, checkpoint_seconds=0.0), reporter=says, store=tmp_path).history
    assert says.said == []
    for one, two in zip(plain, found, strict=True):
        assert two["values"] == pytest.approx(one["values"], rel=2e-2, abs=2e-2)
    assert found[-1]["values"] != {}
    assert type(compiled) is type(untouched)
    assert compiled.state_dict().keys() == untouched.state_dict().keys()
    assert compiled.__dict__.keys() == untouched.__dict__.keys()
    from safetensors import safe_open

    with safe_open(tmp_path / "checkpoint.safetensors", "pt") as file:
        saved = {name.removeprefix("model/") for name in file.keys() if name.startswith("model/")}  # noqa: SIM118
    assert saved == untouched.state_dict().keys()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_many_compiled_trainings_in_one_process_and_a_resumption(compiler, tmp_path):
    """More than the number of times that torch compiles one class before it gives up."""
    for seed in range(10):
        model = mlp(seed)
        done = run(model, stage(compile=True))
        assert done.steps == 6
    with pytest.raises(Stopped):
        run(mlp(), stage(compile=True, checkpoint_seconds=0.0), store=tmp_path, source=Stops({3: raises}))
    assert run(mlp(), stage(compile=True, checkpoint_seconds=0.0), store=tmp_path).steps == 6


def test_without_a_compiler_training_is_eager_and_says_so(monkeypatch):
    def absent(*_args, **_more):
        raise RuntimeError("No working C++ compiler found\nmany lines")

    eager, fallen = conv(), conv()
    run(eager, stage())
    says = Says()
    monkeypatch.setattr("torch.compile", absent)
    assert cannot_compile(CPU) == "RuntimeError: No working C++ compiler found"
    run(fallen, stage(compile=True), reporter=says, name="student, seed 0")
    (said,) = says.said
    assert said == (
        "student, seed 0: train.compile: true, but nothing can be compiled here (RuntimeError: No working C++ compiler "
        "found), so training runs eagerly"
    )
    assert all(torch.equal(value, fallen.state_dict()[name]) for name, value in eager.state_dict().items())


@pytest.mark.slow
def test_a_machine_that_has_none_is_found_out():
    """For real: no compiler on the path."""
    environment = {
        "PATH": "/nowhere", "CXX": "/nowhere/g++", "HOME": "/nowhere", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }  # fmt: skip
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "compiler" in done.stdout.lower()
