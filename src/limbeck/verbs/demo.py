"""`demo`: the main road on embedded data, in a few minutes."""

from pathlib import Path

from limbeck.core.progress import Reporter
from limbeck.verbs.distil import Run, distil

RECIPE = Path(__file__).with_name("demo.yaml")
"""The recipe; `limbeck distil` takes it too."""


def demo(*, out: Path | str = "runs/demo", progress: Reporter | None = None) -> Run:
    """Trains a teacher on scikit-learn's digits and distils it where nine labels in ten are missing.

    Args:
        out: folder of the run; an interrupted demo goes on there.
        progress: shows progress; silent by default.

    Returns:
        Folder and record; the report is in `run.report`.

    Raises:
        InputError: the folder belongs to something else.
        RunError: the run failed; the same call goes on.
    """
    return distil(recipe=RECIPE, out=out, progress=progress)
