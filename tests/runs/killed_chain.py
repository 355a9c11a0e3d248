"""Ends a lineage by SIGKILL while its second generation trains, and starts it again: `python killed_chain.py FOLDER`.

As in `killed_run.py`, the runs are forked from this process, so that what is slow to import is imported once.
"""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import torch
import yaml
from killed_run import RECIPE, Moments, command, facts, forked, warm_up

import limbeck.pipeline
from limbeck.runs import measured

CHAIN = {
    **RECIPE,
    "tune": {"trials": 0},
    "verdict": {"seeds": 2, "arms": []},
    "lineage": {"generations": 2, "stop_early": False},
}


def killed(recipe: Path, out: Path) -> None:
    """Ends within the second generation's second student.

    Its two students and two baselines train one after the other, so that is at 3/8 of what happened to the first.
    """
    moments, entered = Moments(), []

    def enter(stage: str) -> None:
        entered.append(stage)
        if entered.count("students") == 2 and stage == "students":
            first = moments.counts["students"]
            moments.at("students", first + 3 * first // 8, partial(os.kill, os.getpid(), signal.SIGKILL))

    moments.entered = enter
    moments.watch(out)
    command(recipe, out)


def told(out: Path) -> dict[str, object]:
    """Everything in a chain that does not depend on the clock."""
    lineage = json.loads((out / "lineage.json").read_text())
    links = [facts(out / each["folder"]) for each in lineage["generations"]]
    return {"lineage": lineage | {"created": None}, "links": json.loads(json.dumps(links, default=repr))}


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    recipe = folder / "chain.yaml"
    recipe.write_text(yaml.safe_dump(CHAIN))
    # neither costs nor pictures of the links are what is tested here
    costs = measured.Costs(params=1, macs=1, size_bytes=1, peak_memory_bytes=None, latency_ms=[], note=None)
    measured.costs = lambda *_: costs
    limbeck.pipeline.render.write = lambda run: (run / "report.html").touch()
    os.fsync = lambda _: None
    warm_up(recipe)
    code, _, err = forked(partial(command, recipe, folder / "undisturbed"))
    assert code == 0, err
    out = folder / "killed"
    code, _, _ = forked(partial(killed, recipe, out))
    begun = {path.parent.name for path in (out / "2" / "checkpoints").glob("*/*")}
    done = {path.parent.name for path in (out / "2" / "checkpoints").glob("*/done.json")}
    first = (out / "1" / "record.json").read_bytes()
    row = {"code": code, "left": {"begun": len(begun), "done": len(done), "ended": (out / "lineage.json").exists()}}
    code, _, err = forked(partial(command, recipe, out))
    row |= {"again": code, "said": err, "first_kept": (out / "1" / "record.json").read_bytes() == first}
    row |= {"expected": told(folder / "undisturbed"), "found": told(out) if code == 0 else None}
    sys.stdout.write(json.dumps(row))


if __name__ == "__main__":
    main()
