"""Foreign code runs behind `trust_code` only, and pickles never: neither is executed while it is being refused."""

import os
import pickle
import sys

import pytest
import torch
from safetensors.torch import save_file

from limbeck.core.identity import state_fingerprint
from limbeck.errors import ModelError, TrustError
from limbeck.recipe import from_mapping
from limbeck.runs.given import Given
from limbeck.runs.plan import plan

MODULE = """
from pathlib import Path

from torch import nn

Path(__file__).with_name("was-run").touch()


def teacher():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x):
        return self.layer(x.flatten(1))
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A module of the user's beside his recipe; importing it leaves a mark."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "limbeck_foreign.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("limbeck_foreign", None)


def planned(folder, *, trusted, **changes):
    values = {
        "data": {"train": "digits"},
        "teacher": {"from": "limbeck_foreign:teacher"},
        "student": {"module": "limbeck_foreign:Student"},
        "runtime": {"threads": 1},
        **changes,
    }
    return plan(from_mapping(values), Given(trust_code=trusted, folder=folder))


def test_code_is_not_run_without_trust(foreign):
    for changes in ({}, {"student": {}}, {"teacher": {"train": {}}}):
        with pytest.raises(TrustError, match="--trust-code"):
            planned(foreign, trusted=False, **changes)
    assert not (foreign / "was-run").exists()


def test_code_is_run_with_trust(foreign):
    made = planned(foreign, trusted=True)
    assert (foreign / "was-run").exists()
    assert type(made.student.make(0)).__name__ == "Student"
    assert made.student.reseeds
    assert made.student.spec == {"module": "limbeck_foreign:Student"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def teacher(:", "cannot import 'limbeck_foreign': SyntaxError"),
        ("1 / 0", "cannot import 'limbeck_foreign': ZeroDivisionError: division by zero"),
        ("import limbeck_nothing", "cannot import 'limbeck_foreign': No module named 'limbeck_nothing'"),
        ("teachers = 1", "'limbeck_foreign' has no 'Student'"),
    ],
)
def test_foreign_code_that_fails(text, said, foreign):
    (foreign / "limbeck_foreign.py").write_text(text)
    with pytest.raises(ModelError, match=said):
        planned(foreign, trusted=True)


# -- weights


def state(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)).state_dict()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin"])
def test_weights_are_loaded(suffix, foreign):
    path = foreign / f"teacher{suffix}"
    save_file(state(3), path) if suffix == ".safetensors" else torch.save(state(3), path)
    made = planned(foreign, trusted=True, teacher={"from": "limbeck_foreign:teacher", "weights": str(path)})
    assert state_fingerprint(made.teacher.make(0).state_dict()) == state_fingerprint(state(3))


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("how", ["pickle", "torch", "beside-tensors"])
def test_a_pickle_is_refused_without_being_executed(how, foreign):
    path, mark = foreign / "teacher.pt", foreign / "executed"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Malicious(mark)))
    else:
        torch.save(Malicious(mark) if how == "torch" else {**state(0), "extra": Malicious(mark)}, path)
    with pytest.raises(ModelError, match="is not a file of plain tensors"):
        planned(foreign, trusted=True, teacher={"from": "limbeck_foreign:teacher", "weights": str(path)})
    assert not mark.exists()


def broken_safetensors(path):
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")


def another_shape(path):
    save_file({**state(0), "1.weight": torch.zeros(9, 64)}, path)


def a_name_more(path):
    save_file({**state(0), "2.weight": torch.zeros(9)}, path)


def a_name_less(path):
    save_file({"1.weight": state(0)["1.weight"]}, path)


def nothing(path):
    assert not path.exists()


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (broken_safetensors, "cannot be read"),
        (another_shape, "does not fit the teacher: size mismatch for 1.weight"),
        (a_name_more, "does not fit the teacher: .*2.weight"),
        (a_name_less, "does not fit the teacher: .*1.bias"),
        (nothing, "is not a file"),
    ],
)
def test_weights_that_do_not_fit(write, said, foreign):
    path = foreign / "teacher.safetensors"
    write(path)
    with pytest.raises(ModelError, match=said):
        planned(foreign, trusted=True, teacher={"from": "limbeck_foreign:teacher", "weights": str(path)})


def test_a_list_of_tensors_is_no_state_dict(foreign):
    path = foreign / "teacher.pt"
    torch.save([torch.zeros(2)], path)
    with pytest.raises(ModelError, match="does not fit the teacher"):
        planned(foreign, trusted=True, teacher={"from": "limbeck_foreign:teacher", "weights": str(path)})
