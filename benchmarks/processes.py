"""Two processes against one on Fashion-MNIST: the same recipe, losses side by side, and the time.

    python benchmarks/processes.py [FOLDER] [--epochs 2]

The teacher has no dropout, whose draws would be each process's own. One student has batch normalisation, one has none.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import yaml

from limbeck.core.storage import read_json

FASHION = "/usr/share/datasets/fashion-mnist"
NET = '''
from torch import nn


def plain():
    """Convolutions without normalisation."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 49, 10),
    )
'''
STUDENTS = {
    "convnet (batch norm)": {"family": "convnet", "width": 16, "depth": 4},
    "plain (none)": {"module": "net:plain"},
}


def recipe(student, epochs):
    return {
        "data": {"train": FASHION, "views": {"count": 2, "ops": [{"op": "shift", "pixels": 2}]}},
        "teacher": {"train": {"family": "resnet", "width": 8, "depth": 1, "dropout": 0.0, "epochs": 1}},
        "student": student,
        "train": {"epochs": epochs, "batch_size": 256, "evaluations": 10},
        "guide": {"use": "always"},
        "tune": {"trials": 0},
        "verdict": {"seeds": 1},
        "runtime": {"device": "cpu", "threads": 1},
    }  # fmt: skip


def run(folder, name, count):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    out = f"{name}-{count}"
    command = [sys.executable, *launcher, "-m", "limbeck", "distil", f"{name}.yaml", "--out", out, "--trust-code"]
    start = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return folder / out, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    folder = options.folder or Path(mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.py").write_text(NET)
    for name, student in STUDENTS.items():
        stem = name.split()[0]
        (folder / f"{stem}.yaml").write_text(yaml.safe_dump(recipe(student, options.epochs)))
        (one, alone), (two, together) = (run(folder, stem, count) for count in (1, 2))
        records = [read_json(path / "record.json") for path in (one, two)]
        print(f"\n{name}: wall time {alone:.0f} s in one process, {together:.0f} s in two")
        print("stages, s:", *(record["timing_s"] for record in records), sep="\n  ")
        for file in sorted(path.name for path in (one / "history").iterdir()):
            print(f"\n{file}\n  step  {'loss, one':>11} {'loss, two':>11}  {'nll, one':>11} {'nll, two':>11}")
            for mine, its in zip(*(read_json(path / "history" / file) for path in (one, two)), strict=True):
                loss = next(key for key in mine["values"] if key.startswith("train/"))
                numbers = [row["values"][key] for key in (loss, "val/nll") for row in (mine, its)]
                print(
                    f"  {mine['step']:>4}  {numbers[0]:11.7f} {numbers[1]:11.7f}  {numbers[2]:11.7f} {numbers[3]:11.7f}"
                )
        for mine, its in zip(*(record["models"] for record in records), strict=True):
            values = [model["quality"]["test"]["accuracy"]["value"] for model in (mine, its)]
            print(f"{mine['name']}: test accuracy {values[0]:.4f} and {values[1]:.4f}")


if __name__ == "__main__":
    main()
