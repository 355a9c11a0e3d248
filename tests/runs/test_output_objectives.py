"""Objectives on outputs in whole runs: each trains, is logged by name, or is refused before it starts."""

import json

import numpy as np
import pytest

import limbeck as lk
from limbeck.errors import ModelError
from limbeck.objectives import convert

SHORT = {
    "train": {"epochs": 1, "batch_size": 64, "evaluations": 1},
    "tune": {"trials": 0},
    "verdict": {"seeds": 0},
    "runtime": {"threads": 1},
}
ALL = [
    {"method": "soft-targets", "temperature": 2.0, "standardize": True},
    {"method": "hard-labels", "weight": 0.1},
    *({"method": m, "weight": 0.1} for m in ("reverse-kl", "jensen-shannon", "skew-kl", "logit-mse", "dkd", "dist")),
    {"method": "embedding", "weight": 0.1},
]


@pytest.mark.usefixtures("quick")
def test_they_train_and_are_logged_by_name(digits, net, tmp_path):
    x, y = digits[0], digits[1].copy()
    y[:50] = -1
    run = lk.distil(
        teacher=net(1), student=net.kind, data=(x, y), recipe={**SHORT, "objective": ALL}, out=tmp_path / "run"
    )
    student = next(model for model in run.record.models if model.role == "student")
    rows = json.loads((run.folder / student.history.path).read_text())
    logged = {name.removeprefix("train/") for row in rows for name in row["values"] if name.startswith("train/")}
    terms = {"dkd-target", "dkd-others", "dist-inter", "dist-intra"}
    assert logged >= terms | {term["method"] for term in ALL} - {"dkd", "dist"}


@pytest.mark.usefixtures("quick")
def test_what_two_classes_cannot_be_asked_is_refused_before_anything_is_trained(digits, net, tmp_path):
    x, y = digits[0], (digits[1] % 2).astype(np.int64)
    with pytest.raises(ModelError, match="dkd needs at least three classes, there are 2"):
        lk.distil(
            teacher=net(1), student=net.kind, data=(x, y), out=tmp_path / "run",
            recipe={**SHORT, "objective": convert.as_recipe(convert.from_mdistiller_dkd())},
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
