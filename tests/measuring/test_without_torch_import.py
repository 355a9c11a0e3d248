"""Exported files are measured where torch is not installed."""

import subprocess
import sys


def test_measuring_of_files_does_not_import_torch():
    program = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name == "torch" or name.startswith("torch."):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import numpy as np
from limbeck.task import Multiclass
from limbeck.measuring import calibration, cost, evaluate, fidelity, latency, quality
from limbeck.studies import proof, verdict
logits, target = np.eye(3, dtype=np.float32), np.arange(3)
quality.quality(Multiclass(), logits, target)
fidelity.fidelity(Multiclass(), logits, logits, target, None)
calibration.calibration(logits, target)
latency.latency(lambda: None, runtime="test", threads=1, batch=1, repeats=1, min_seconds=0)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
