"""Starts two processes as a user would."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAUNCHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@dataclass(frozen=True)
class Done:
    """What came of it.

    Attributes:
        code: torchrun's exit code, which is 1 whatever its processes leave with.
        said: what Limbeck told, line by line.
        output: all that was written.
        ended: seconds since the epoch.
    """

    code: int
    said: list[str]
    output: str
    ended: float


def two_processes(*program: object, folder: Path | None = None) -> Done:
    """Runs a module in two processes."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [*LAUNCHER, "-m", *map(str, program)],
        capture_output=True, text=True, check=False, timeout=900, env=environment, cwd=folder or ROOT,
    )  # fmt: skip
    output = done.stdout + done.stderr
    said = [line for line in output.splitlines() if line.startswith("limbeck: ")]
    return Done(done.returncode, said, output, time.time())
