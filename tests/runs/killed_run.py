"""Ends a whole run at seeded moments within each stage, and starts it again: `python killed_run.py --help`.

The runs are forked from this process, so that torch is imported, and the exporter warmed up, once. Each starts from
the folder as it was when the stage began, ends at its moment, and is then started again with the same command.
"""

import argparse
import errno
import gc
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
import yaml

import limbeck.pipeline
from limbeck import cli
from limbeck import record as records
from limbeck.core.progress import Silent, Terminal
from limbeck.measuring import latency as stopwatch
from limbeck.measuring.latency import latency
from limbeck.runs import measured
from limbeck.runs.clock import Clock

STAGES = ("teacher", "guide", "tuning", "students", "measuring", "export", "report")
RECIPE = {
    "data": {"train": "digits", "keep_labels": 0.2, "views": {"ops": [{"op": "shift", "pixels": 1}]}},
    "teacher": {"train": {"family": "wide-mlp", "width": 16, "depth": 1, "epochs": 1}},
    "guide": {"use": "always"},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 1, "batch_size": 128, "learning_rate": 0.01, "checkpoint_seconds": 0},
    "tune": {"trials": 2, "finalists": 1},
    "verdict": {"seeds": 2},
    "runtime": {"threads": 1},
}
SIGNALS = {"kill": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
"""A `stop` is SIGTERM in one stage and SIGINT in the next."""


class Moments:
    """Counts what happens in a run, stage by stage, and lets something happen at one moment of it.

    Attributes:
        stage: the one that is running.
        counts: stage -> how often something was written, renamed or trained, so far.
        seconds: stage -> processor seconds that it took.
        entered: is called with the name of each stage that begins.
    """

    def __init__(self) -> None:
        self.stage = "before"
        self.counts: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.entered: Callable[[str], None] = lambda _: None
        self._moment: tuple[str, int] = ("", -1)
        self._end: Callable[[], None] = lambda: None

    def at(self, stage: str, number: int, end: Callable[[], None]) -> None:
        """`end` is called before the event of that number in that stage."""
        self._moment, self._end = (stage, number), end

    def happened(self) -> None:
        number = self.counts.get(self.stage, 0)
        self.counts[self.stage] = number + 1
        if (self.stage, number) == self._moment:
            self._end()

    def watch(self, folder: Path) -> None:
        """Counts what is done to this folder, and steps, from now on, in this process and for good."""
        for name in ("open", "replace", "rename", "unlink", "mkdir"):
            setattr(os, name, self._counted(getattr(os, name), str(folder)))
        os.fsync = self._synchronised  # against the machine's death, and it takes most of the time
        Terminal.task = self._task
        Clock.stage = self._staged(Clock.stage)

    def _counted(self, function, folder):
        def counted(path, *arguments, **keywords):
            if str(path).startswith(folder):
                self.happened()
            return function(path, *arguments, **keywords)

        return counted

    def _synchronised(self, handle):
        del handle
        self.happened()

    def _advanced(self, steps=1, *, values=None):
        del steps, values
        self.happened()

    @contextmanager
    def _task(self, name, total):
        with Silent().task(name, total) as task:
            task.advance = self._advanced
            yield task

    def _staged(self, stage):
        @contextmanager
        def staged(clock, name):
            self.stage = name
            self.entered(name)
            before = time.process_time()
            with stage(clock, name):
                yield
            self.seconds[name] = time.process_time() - before

        return staged


def forked(work: Callable[[], None]) -> tuple[int, str, str]:
    """Exit code (negative: the signal), standard output and standard error of `work` in a child."""
    out, err = os.memfd_create("out"), os.memfd_create("err")
    number = os.fork()
    if number == 0:
        code = 3
        try:
            os.dup2(out, 1)
            os.dup2(err, 2)
            sys.stdout, sys.stderr = io.TextIOWrapper(os.fdopen(1, "wb")), io.TextIOWrapper(os.fdopen(2, "wb"))
            work()
            code = 0
        except SystemExit as left:
            code = left.code
        except BaseException as error:  # noqa: BLE001 - a forked child must not go on as its parent
            sys.stderr.write(f"Traceback {error!r}\n")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    texts = []
    for file in (out, err):
        with os.fdopen(file, "rb") as read:
            read.seek(0)
            texts.append(read.read().decode())
    return code, texts[0], texts[1]


def command(recipe: Path, out: Path) -> None:
    """What `limbeck distil` does; ends with `SystemExit`."""
    cli.main(["distil", str(recipe), "--out", str(out)])


def undisturbed(recipe: Path, folder: Path) -> None:
    """A whole run that leaves its folder as it was at each stage's beginning, and what happened in each."""
    moments, out = Moments(), folder / "undisturbed"
    moments.entered = lambda stage: shutil.copytree(out, folder / "before" / stage)
    moments.watch(out)
    try:
        command(recipe, out)
    finally:
        (folder / "moments.json").write_text(json.dumps([moments.counts, moments.seconds]))


def disturbed(
    recipe: Path, out: Path, how: str, stage: str, part: float, known: tuple[dict, dict], stages: Sequence[str]
) -> None:
    """A run that ends in the given way when that part of the stage is over, by events or by processor time."""
    counts, seconds = known
    only((stage, *stages), out.parent)
    moments = Moments()
    told = out.with_suffix(".stage")
    moments.entered = told.write_text
    moments.watch(out)
    if how == "full":
        moments.at(stage, int(part * counts[stage]), no_room)
    elif how == "time":
        moments.entered = partial(alarm, stage, part * seconds[stage], told)
    else:
        number = SIGNALS.get(how) or (signal.SIGTERM, signal.SIGINT)[STAGES.index(stage) % 2]
        moments.at(stage, int(part * counts[stage]), lambda: os.kill(os.getpid(), number))
    command(recipe, out)


def alarm(stage: str, seconds: float, told: Path, entered: str) -> None:
    """Nothing handles SIGPROF: the process dies of it as of SIGKILL, wherever it is."""
    told.write_text(entered)
    if entered == stage:
        signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-4))


def no_room() -> None:
    """From now on nothing can be written."""

    def full(*arguments, **keywords):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = os.open
    os.fsync = os.replace = os.rename = os.mkdir = full
    os.open = lambda path, flags, *rest, **more: (full if flags & os.O_CREAT else real)(path, flags, *rest, **more)


def facts(folder: Path) -> dict[str, object]:
    """Everything in a run that does not depend on the clock."""
    record = records.read(folder)
    weights = sorted(folder.glob("checkpoints/*/weights.safetensors"))
    one_by_one = [folder / "student" / "model.safetensors", folder / "teacher" / "model.safetensors"]
    return {
        "trained": sorted(sha256(path) for path in weights),
        "shipped": [sha256(path) for path in one_by_one if path.exists()],
        "models": [(m.role, m.seed, m.quality, m.fidelity, m.calibration, m.settings) for m in record.models],
        "predictions": [m.predictions for m in record.models],
        "verdicts": [record.verdict, *record.comparisons],
        "tuning": record.tuning,
        "fingerprints": record.fingerprints,
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def only(stages: Sequence[str], folder: Path) -> None:
    """Leaves out of this process what costs much and is part of none of these stages."""
    if "measuring" not in stages:
        costs = measured.Costs(params=1, macs=1, size_bytes=1, peak_memory_bytes=None, latency_ms=[], note=None)
        measured.costs = lambda *_: costs
    if "export" not in stages:
        exports = records.read(folder / "undisturbed").exports
        limbeck.pipeline.ship = lambda *_: exports
    if "report" not in stages:
        limbeck.pipeline.render.write = lambda _: None


def ended_and_resumed(
    recipe: Path, folder: Path, name: str, how: str, stage: str, part: float, expected: dict[str, object], whole: bool
) -> dict[str, object]:
    """One row of the table."""
    known = json.loads((folder / "moments.json").read_text())
    out = folder / name
    stages = STAGES if whole else (stage,)
    began, died_in, code = time.perf_counter(), "", 0
    while died_in != stage:  # processor time is never the same twice: a run that was too fast is ended earlier
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(folder / "before" / stage, out)
        code, printed, err = forked(partial(disturbed, recipe, out, how, stage, part, known, stages))
        died_in, part = out.with_suffix(".stage").read_text() if code else "", part * 0.7
    left = err.rstrip().splitlines() or [""]
    row = {"stage": stage, "how": how, "part": round(part / 0.7, 3), "code": code, "printed": printed, "last": left[-1]}
    resumed_at = time.perf_counter()
    row["traceback"] = "Traceback" in err
    code, _, err = forked(partial(resumed, recipe, out, STAGES if whole else (stage,) if stage != "measuring" else ()))
    row |= {"again": code, "again_said": err if code else "", "traceback": row["traceback"] or "Traceback" in err}
    found = facts(out) if code == 0 else {}
    if not (out / "student").exists() and not whole:  # it was never to be exported
        expected = {**expected, "shipped": expected["shipped"][1:]}
    row["identical"] = found == expected
    row["seconds"] = [round(resumed_at - began, 2), round(time.perf_counter() - resumed_at, 2)]
    row["left_over"] = [path.name for path in out.rglob("*") if ".tmp" in path.name] if code == 0 else []
    shutil.rmtree(out)
    return row


def resumed(recipe: Path, out: Path, stages: Sequence[str]) -> None:
    only(stages, out.parent)
    os.fsync = lambda _: None
    command(recipe, out)


def warm_up(recipe: Path) -> None:
    """Does here, once, what is slow in a fresh process; nothing of it may start a thread, as threads do not fork."""
    import altair as alt  # noqa: F401
    import tqdm

    from limbeck.exporting.onnx import to_onnx
    from limbeck.exporting.program import program
    from limbeck.recipe import load
    from limbeck.runs.given import Given
    from limbeck.runs.plan import plan

    tqdm.tqdm.monitor_interval = 0  # its monitor is a thread
    made = plan(load(recipe), Given())
    example = torch.from_numpy(np.ascontiguousarray(made.splits.validation.read(np.arange(1))))
    to_onnx(program(made.student.make(0), made.student.preprocess), example, recipe.with_suffix(".onnx"))
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").glob("*")]
    others = [name for name in names[1:] if "jemalloc" not in name]  # which takes care of forks itself
    assert not others, f"threads were started: {others}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--how", nargs="+", default=["kill", "time"], help="kill, time, SIGTERM, SIGINT, stop, full; in turn"
    )
    parser.add_argument("--moments", type=int, default=5, help="a stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--whole", nargs="*", choices=STAGES, default=[], help="stages whose last moment leaves nothing out of its run"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe = given.folder / "killed.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    # the clock is not what is tested here
    stopwatch.latency = lambda call, **how: latency(call, **{**how, "warmup": 1, "repeats": 2, "min_seconds": 0.0})
    warm_up(recipe)
    code, _, err = forked(partial(undisturbed, recipe, given.folder))
    assert code == 0, err
    gc.collect()
    gc.freeze()  # so that children do not copy what they only look through
    expected, draw = facts(given.folder / "undisturbed"), random.Random(given.seed)
    for stage in STAGES:
        for number in range(given.moments):
            how = given.how[(number + STAGES.index(stage)) % len(given.how)]
            part = (number + draw.random()) / given.moments
            name = f"{stage}-{number}"
            whole = number == given.moments - 1 and stage in given.whole
            row = ended_and_resumed(recipe, given.folder, name, how, stage, part, expected, whole)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
