"""Finished students run where torch is not: `predict`, `measure` and the card's promise, in clean environments."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from PIL import Image

import limbeck
from limbeck.bundle.card import Facts
from limbeck.bundle.config import BundleConfig, InputConfig
from limbeck.exporting.finish import finish
from limbeck.record import Fingerprints
from limbeck.runtimes.noise import noise
from limbeck.students import build
from limbeck.verbs.predict import predict

NEEDED = ("jaxtyping", "numpy", "onnxruntime", "pillow", "pydantic", "pyyaml", "rich", "safetensors", "scipy", "typer")
"""What `predict` and `measure` need; torch, onnx and all else of the base install is absent."""

PROGRAM = """
import importlib.util, json, sys
from pathlib import Path
import limbeck as lk
from limbeck.bundle.read import load_state
from limbeck.errors import MissingDependencyError

student, pictures = Path(sys.argv[1]), sys.argv[2:]
answers = lk.predict(bundle=student, inputs=pictures)
found = lk.measure(file=student, repeats=20, min_seconds=0.0)
lone = lk.measure(file=student / "model.onnx", repeats=20, min_seconds=0.0)
loaded = sorted({"torch", "onnx", "onnxscript", "sklearn", "accelerate"} & sys.modules.keys())
try:
    mend = "" if load_state(student) else ""
except MissingDependencyError as error:
    mend = str(error)
print(json.dumps({
    "torch": importlib.util.find_spec("torch") is not None,
    "loaded": loaded,
    "answers": [answer.model_dump() for answer in answers],
    "measured": found.model_dump(),
    "lone": lone.model_dump(),
    "mend": mend,
    "limbeck": lk.__file__,
}))
"""


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    core = build({"family": "convnet", "width": 4, "depth": 1}, inputs=(1, 8, 8), outputs=3)
    config = BundleConfig(
        limbeck_version=limbeck.__version__,
        name="pictures",
        task="multiclass",
        classes=("zero", "一", "two"),
        input=InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8"),
        preprocess={"scale": 1 / 255, "mean": (0.5,), "std": (0.25,), "size": None, "channels": None},
        student={"family": "convnet", "width": 4, "depth": 1},
        quality=None,
        params=sum(parameter.numel() for parameter in core.parameters()),
        fingerprints=Fingerprints(data="d", teacher="t", recipe="r"),
    )
    folder = tmp_path_factory.mktemp("run") / "student"
    finish(folder, core=core, config=config, facts=Facts(), raw=noise((1, 8, 8), "uint8", 20), timed=False)
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(noise((9, 9), "uint8", 1)[0]).save(folder / "a.png")
    np.save(folder / "b.npy", noise((1, 8, 8), "uint8", 5))
    return [str(folder / "a.png"), str(folder / "b.npy")]


def answer_of(python: Path | str, student: Path, inputs: list[str], folder: Path) -> dict:
    script = folder / "program.py"
    script.write_text(PROGRAM)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ran = subprocess.run(
        [str(python), "-I", "-W", "error", str(script), str(student), *inputs],
        check=False, capture_output=True, text=True, encoding="utf-8", env=clean, cwd=folder,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def check(found: dict, student: Path, inputs: list[str]) -> None:
    assert found["loaded"] == []
    here = [answer.model_dump() for answer in predict(bundle=student, inputs=inputs)]
    assert [{**answer, "probabilities": None, "probability": None} for answer in found["answers"]] == [
        {**answer, "probabilities": None, "probability": None} for answer in here
    ]
    for there, known in zip(found["answers"], here, strict=True):
        assert there["probabilities"] == pytest.approx(known["probabilities"], abs=1e-6)
    assert found["measured"]["params"] == found["lone"]["params"] > 0
    assert found["measured"]["size_bytes"] == (student / "model.onnx").stat().st_size
    assert 0 < found["measured"]["latency_ms"]["p50"] <= found["measured"]["latency_ms"]["max"]
    assert found["measured"]["quality"] is None


def test_torch_is_not_even_asked_for_where_it_is_installed(student, inputs, tmp_path):
    found = answer_of(sys.executable, student, inputs, tmp_path)
    assert found["torch"]
    assert found["mend"] == ""
    check(found, student, inputs)
    script = (
        "import sys; import limbeck.verbs.predict, limbeck.verbs.measure, limbeck.verbs.export; print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    heavy = {"torch", "onnx", "onnxscript", "onnxruntime", "sklearn", "accelerate", "altair"}
    assert not heavy & set(ran.stdout.split())


def closure(names: Iterable[str]) -> set[str]:
    """The distributions that `names` need here, themselves among them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for text in distribution(name).requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return found


def linked_environment(folder: Path) -> Path:
    """A virtual environment that holds links to `NEEDED`, what they need, and Limbeck; nothing else, no network."""
    venv.create(folder, with_pip=False, symlinks=True)
    names = {"base": str(folder), "platbase": str(folder), "installed_base": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=names))
    for name in closure(NEEDED):
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(found.locate_file(top))))
    (packages / "limbeck").symlink_to(Path(limbeck.__file__).parent)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def check_clean(found: dict, student: Path, inputs: list[str]) -> None:
    assert not found["torch"]
    assert found["measured"]["machine"]["torch"] is None
    assert found["mend"] == "loading a student's weights needs torch: pip install 'limbeck'"
    check(found, student, inputs)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_in_an_environment_that_holds_no_torch(student, inputs, tmp_path):
    python = linked_environment(tmp_path / "environment")
    check_clean(answer_of(python, student, inputs, tmp_path), student, inputs)


@pytest.mark.nightly
def test_in_an_environment_made_by_pip(student, inputs, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    versions = [f"{name}=={distribution(name).version}" for name in NEEDED]
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        source = Path(str(json.loads(distribution("limbeck").read_text("direct_url.json") or "{}")["url"])[7:])
    except (PackageNotFoundError, KeyError):
        pytest.skip("Limbeck was not installed from a folder")
    fetched = subprocess.run([*install, *versions], check=False, capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"the package index cannot be reached: {fetched.stderr.splitlines()[-1]}")
    subprocess.run([*install, "--no-deps", str(source)], check=True)
    check_clean(answer_of(python, student, inputs, tmp_path), student, inputs)
