"""Data flows one way, imports cost little, and nothing heavy is loaded before it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEAVY = (
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "altair",
    "sklearn",
    "scipy",
    "accelerate",
    "yaml",
    "rich",
    "PIL",
)
"""What `limbeck --help` must not load."""

WITHOUT_TORCH = (
    "limbeck.task", "limbeck.record", "limbeck.profiles", "limbeck.core.identity", "limbeck.core.machine",
    "limbeck.core.optional", "limbeck.core.progress", "limbeck.core.storage", "limbeck.bundle.read",
    "limbeck.bundle.write", "limbeck.runtimes.onnx", "limbeck.measuring.latency", "limbeck.exporting.formats",
    "limbeck.recipe.model", "limbeck.students", "limbeck.teachers", "limbeck.reporting", "limbeck.studies.verdict",
    "limbeck.verbs.predict", "limbeck.verbs.measure", "limbeck.verbs.report", "limbeck.verbs.devices",
    "limbeck.cli.app", "limbeck.cli.shown", "limbeck.cli.values",
)  # fmt: skip


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_layers():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import limbeck",
        "import limbeck; dir(limbeck)",
        "import sys, limbeck.cli\ntry: limbeck.cli.main(['--help'])\nexcept SystemExit: pass",
        "import sys, limbeck.cli\ntry: limbeck.cli.main(['distil', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_help_loads_nothing_heavy(code):
    last = python(f"{code}\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])").splitlines()[-1]
    assert last == "[]"


def test_these_modules_work_without_torch():
    code = f"import sys; sys.modules['torch'] = None\nfor name in {WITHOUT_TORCH!r}: __import__(name)"
    python(code)


def test_importing_does_nothing_but_define(tmp_path):
    """No file, no thread, no environment variable, no global random state."""
    python(
        "import os, random, threading, warnings, pkgutil, importlib\n"
        "warnings.simplefilter('error')\n"
        "import numpy, torch\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "def state():\n"
        "    drawn = random.getstate()[1], numpy.random.get_state()[1].tolist()\n"
        "    return dict(os.environ), drawn, torch.get_num_threads()\n"
        "before, rng = state(), torch.get_rng_state()\n"
        "import limbeck\n"
        "for found in pkgutil.walk_packages(limbeck.__path__, 'limbeck.'):\n"
        "    if found.name != 'limbeck.__main__': importlib.import_module(found.name)\n"
        "assert state() == before\n"
        "assert torch.equal(torch.get_rng_state(), rng)\n"
        "assert threading.active_count() == 1\n"
    )
    assert list(tmp_path.iterdir()) == []
