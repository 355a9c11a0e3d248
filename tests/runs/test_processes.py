"""`distil` in two processes: one voice, one writer, and the student that one process makes."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from limbeck import record
from limbeck.core.storage import read_json, write_json
from limbeck.errors import RunFolderError
from limbeck.runs.folder import claimed

RECIPE = {
    "data": {"train": "digits", "views": {"ops": [{"op": "shift", "pixels": 1}], "count": 2}},
    "teacher": {"train": {"family": "wide-mlp", "width": 16, "depth": 1, "epochs": 1}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 2, "batch_size": 128, "optimiser": "sgd", "learning_rate": 0.05, "evaluations": 3},
    "guide": {"use": "always"},
    "tune": {"trials": 0},
    "verdict": {"seeds": 0},
    "runtime": {"threads": 1, "device": "cpu"},
}
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture
def limbeck(tmp_path):
    """Runs the command line in so many processes; exit code, what Limbeck told, everything."""

    def run(*arguments, count=2):
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
        command = [sys.executable, *(LAUNCHER if count > 1 else ()), "-m", "limbeck", *map(str, arguments)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path, env=environment
        )
        output = done.stdout + done.stderr
        return done.returncode, [line for line in output.splitlines() if line.startswith("limbeck: ")], output

    return run


@pytest.mark.slow
def test_two_processes_make_one_run(limbeck, tmp_path):
    code, _, output = limbeck("distil", "recipe.yaml", "--out", "two")
    assert code == 0, output
    assert output.count("report   two/report.html") == 1
    assert output.count("measuring quality") == 1
    assert "arning" not in output
    code, _, output = limbeck("distil", "recipe.yaml", "--out", "one", count=1)
    assert code == 0, output
    one, two = (record.read(tmp_path / name) for name in ("one", "two"))
    assert [model.name for model in one.models] == [model.name for model in two.models]
    for mine, its in zip(one.models, two.models, strict=True):
        logits = [np.load(tmp_path / name / mine.predictions.path)["logits"] for name in ("one", "two")]
        if mine.role == "teacher":  # its dropout is each process's own
            assert logits[0].shape == logits[1].shape
        assert mine.steps == its.steps
    assert not list((tmp_path / "two").rglob("*.tmp*"))
    assert read_json(tmp_path / "two" / "run.json")["processes"] == 2

    code, told, output = limbeck("distil", "recipe.yaml", "--out", "two", count=1)
    assert (code, len(told)) == (2, 1), output
    assert "run of 2 processes (torchrun --nproc-per-node 2)" in told[0]


@pytest.mark.slow
def test_a_wrong_recipe_is_told_once(limbeck, tmp_path):
    code, told, output = limbeck("distil", "recipe.yaml", "--out", "two", "--set", "train.batch_size=127")
    assert code != 0
    assert len(told) == 1, output
    assert "127 rows cannot be dealt evenly to 2 processes" in told[0]
    assert not (tmp_path / "two").exists()
    assert "[rank" not in output


def test_a_run_belongs_to_its_number_of_processes(tmp_path):
    folder = tmp_path / "run"
    with claimed(folder, recipe_text="", recipe_fingerprint="this one"):
        pass
    assert read_json(folder / "run.json") == {"recipe": "this one", "processes": 1}
    write_json(folder / "run.json", {"recipe": "this one"})
    with claimed(folder, recipe_text="", recipe_fingerprint="this one"):
        pass
    write_json(folder / "run.json", {"recipe": "this one", "processes": 2})
    with (
        pytest.raises(RunFolderError, match=r"run of 2 processes .*, and this is a run of one process"),
        claimed(folder, recipe_text="", recipe_fingerprint="this one"),
    ):
        pass
