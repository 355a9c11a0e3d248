"""Finished students to ask, made once: of pictures, of rows."""

import pytest
import torch
from torch import nn

import limbeck
from limbeck.bundle.card import Facts
from limbeck.bundle.config import BundleConfig, InputConfig
from limbeck.exporting.finish import finish
from limbeck.record import Fingerprints
from limbeck.runtimes.noise import noise

CLASSES = ("null", "eins", "二", "ثلاثة", "four, 4")
COLUMNS = ("age", "größe", "mass, kg", "d", "e", "f")


def finished(folder, core, **changes):
    fields = {
        "limbeck_version": limbeck.__version__,
        "name": "asked",
        "task": "multiclass",
        "preprocess": {"scale": 1.0, "mean": (), "std": (), "size": None, "channels": None},
        "student": {"module": "mine:Net"},
        "quality": None,
        "params": 1,
        "fingerprints": Fingerprints(data="d", teacher="t", recipe="r"),
    }
    config = BundleConfig(**{**fields, **changes})
    raw = noise(config.input.shape, config.input.dtype, 20)
    finish(folder, core=core, config=config, facts=Facts(), raw=raw, timed=False)
    return folder


def student_of_pictures(folder):
    torch.manual_seed(0)
    core = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    spec = InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8")
    preprocess = {"scale": 1 / 255, "mean": (0.5,), "std": (0.25,), "size": None, "channels": None}
    return finished(folder, core, classes=CLASSES, input=spec, preprocess=preprocess)


def student_of_rows(folder, columns=COLUMNS):
    torch.manual_seed(0)
    spec = InputConfig(kind="array", shape=(6,), dtype="float32", columns=columns)
    return finished(folder, nn.Linear(6, 3), classes=("a", "b", "c"), input=spec)


@pytest.fixture(scope="session")
def of_pictures(tmp_path_factory):
    """A student of grey pictures of 8 x 8 pixels."""
    return student_of_pictures(tmp_path_factory.mktemp("pictures") / "student")


@pytest.fixture(scope="session")
def of_rows(tmp_path_factory):
    """A student of six numbers with names."""
    return student_of_rows(tmp_path_factory.mktemp("named") / "student")


@pytest.fixture(scope="session")
def of_nameless(tmp_path_factory):
    """A student of six numbers."""
    return student_of_rows(tmp_path_factory.mktemp("nameless") / "student", columns=None)
