"""A small world: data, views and a teacher, and guides of several shards."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.data.memory import from_arrays
from limbeck.data.preprocess import PreprocessSpec
from limbeck.data.source import Source
from limbeck.data.view_ops import Noise, Shift
from limbeck.data.views import Views
from limbeck.guide import plan
from limbeck.guide.plan import facts_of
from limbeck.guide.write import write_guide
from limbeck.teachers.live import LiveTeacher

EXAMPLES, COUNT, CHUNK = 150, 3, 16


def data(n=EXAMPLES, seed=0, name="small/train"):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 4, 4), dtype=np.uint8)
    return from_arrays(images, np.arange(n) % 5, name=name, classes=("a", "b", "c", "d", "e"))


def network(seed=0, outputs=5):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, outputs))


def live(seed=0, taps=(), outputs=5):
    classes = ("a", "b", "c", "d", "e")[:outputs] if outputs <= 5 else tuple(map(str, range(outputs)))
    preprocess = PreprocessSpec(scale=1 / 50)
    return LiveTeacher(network(seed, outputs), preprocess=preprocess, classes=classes, chunk=CHUNK, taps=taps)


@dataclass(frozen=True)
class World:
    source: Source
    views: Views
    teacher: LiveTeacher
    count: int = COUNT

    def write(self, folder: Path, **settings):
        arguments = {
            "teacher": self.teacher,
            "facts": facts_of(self.teacher, licence="MIT", origin="made for tests"),
            "source": self.source,
            "views": self.views,
            "count": self.count,
        }
        return write_guide(folder, **(arguments | settings))

    def but(self, **changes):
        return replace(self, **changes)


@pytest.fixture(autouse=True)
def many_shards(monkeypatch):
    """450 rows in 7 shards, where a real guide of that size would have one."""
    monkeypatch.setattr(plan, "ROWS_AT_LEAST", 64)
    monkeypatch.setattr(plan, "SHARDS_AT_LEAST", 7)


@pytest.fixture
def world():
    return World(data(), Views((Shift(1), Noise()), seed=5, count=COUNT), live())


@pytest.fixture
def make_data():
    return data


@pytest.fixture
def make_teacher():
    return live


@pytest.fixture
def contents():
    """Every file of a folder, hidden ones too, with its bytes."""

    def read(folder):
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return read
