"""Tiny runs: real trainings, seconds long."""

import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import limbeck as lk
from limbeck.core.progress import Silent
from limbeck.runs import measured

collect_ignore = ["killed_chain.py"]
"""A program that tests start; it imports its neighbour, which it finds only where it is the one that was started."""

TINY = {
    "seed": 3,
    "data": {"train": "digits", "keep_labels": 0.3},
    "teacher": {"train": {"family": "wide-mlp", "width": 24, "depth": 1, "epochs": 2}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 1, "batch_size": 128, "learning_rate": 0.01, "evaluations": 2},
    "tune": {"trials": 2, "finalists": 1},
    "verdict": {"seeds": 3},
    "runtime": {"threads": 1},
}


def merged(base, changes):
    """Nested mappings laid over each other."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


@pytest.fixture(scope="session")
def tiny():
    """`tiny(train={...})`: the tiny recipe with changes."""
    return lambda **changes: merged(TINY, changes)


@pytest.fixture
def quick(monkeypatch):
    """Trainings, predictions and verdicts are real; export, report and stop-watch are left out."""
    costs = measured.Costs(params=1, macs=1, size_bytes=1, peak_memory_bytes=None, latency_ms=[], note=None)
    monkeypatch.setattr("limbeck.runs.measured.costs", lambda *_: costs)
    monkeypatch.setattr("limbeck.pipeline.rehearse", lambda _: None)
    monkeypatch.setattr("limbeck.pipeline.ship", lambda *_: [])
    monkeypatch.setattr("limbeck.pipeline.render.write", lambda _: None)


@pytest.fixture(scope="session")
def trainings():
    """`trainings(folder)`: name of a training -> sorted sha256 of the weights of all trainings of that name."""

    def found(folder):
        by_name = {}
        for done in Path(folder).glob("checkpoints/*/done.json"):
            name = json.loads(done.read_text())["name"]
            weights = (done.parent / "weights.safetensors").read_bytes()
            by_name.setdefault(name, []).append(hashlib.sha256(weights).hexdigest())
        return {name: sorted(hashes) for name, hashes in sorted(by_name.items())}

    return found


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
    """One whole run of the tiny recipe, with nothing left out. Not to be changed."""
    return lk.distil(recipe=tiny(), out=tmp_path_factory.mktemp("finished") / "run")


class Said(Silent):
    """Remembers what was said."""

    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


@pytest.fixture
def said():
    """A reporter that remembers."""
    return Said()


@pytest.fixture(scope="session")
def digits():
    """Pixels `(n, 8, 8)` uint8 and labels of 600 digits."""
    from limbeck.data.open import open_source

    source = open_source("digits", split="train")
    rows = np.arange(600)
    return source.read(rows)[:, 0], np.array(source.labels[rows])


class Net(nn.Module):
    """A small teacher or student for pictures or rows, with what can go wrong in one: dropout and statistics."""

    def __init__(self, width=16, outputs=10):
        super().__init__()
        layers = [nn.Linear(64, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.5), nn.Linear(width, outputs)]
        self.layers = nn.Sequential(nn.Flatten(), *layers)

    def forward(self, x):
        return self.layers(x)


@pytest.fixture(scope="session")
def net():
    """`net(seed, width=..., outputs=...)`: a fresh `Net`, its statistics not the initial ones."""

    def make(seed=0, **sizes):
        torch.manual_seed(seed)
        module = Net(**sizes)
        with torch.no_grad():
            module.train()(torch.randn(32, 64) * 3 + 1)
        return module

    make.kind = Net
    return make
