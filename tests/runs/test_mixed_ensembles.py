"""Teachers that differ in everything, and specialists: what students hear is the mean that a plain loop computes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import limbeck as lk
from limbeck import teachers
from limbeck.data.loader import evaluation_batches
from limbeck.guide.combine import Ensemble
from limbeck.guide.read import open_guide
from limbeck.runs.given import Given
from limbeck.verbs.planning import planned

from . import mixed_teachers as mine

COLOURS = {
    "from": "mixed_teachers:Colours",
    "classes": [str(digit) for digit in range(9, -1, -1)],
    "preprocess": {
        "size": [12, 12], "channels": 3, "mean": list(mine.COLOUR_MEAN), "std": list(mine.COLOUR_STD),
    },
}  # fmt: skip
GREY = {"from": "mixed_teachers:Grey", "preprocess": {"mean": [mine.GREY_MEAN], "std": [mine.GREY_STD]}}
EXPERT = {
    "from": "mixed_teachers:Expert", "classes": list(mine.EXPERT_KNOWS),
    "preprocess": {"mean": [mine.EXPERT_MEAN], "std": [mine.EXPERT_STD]},
}  # fmt: skip
TRAINED = {"train": {"family": "wide-mlp", "width": 12, "depth": 1, "epochs": 2}}
ROWS = 24


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's folder with their models; a process knows one module of a name, so all tests share it."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(Path(__file__).with_name("mixed_teachers.py"), folder)
    return folder


@pytest.fixture
def distilled(tiny, home, tmp_path, quick):
    """`distilled(name, teacher, **changes)`: a run of a recipe that lies beside the user's models.

    By SGD, whose steps are as close as the gradients are; AdamW makes a gradient of 1e-9 as large as any other.
    """

    def run(name, teacher, **changes):
        recipe = tiny(
            verdict={"seeds": 1, "arms": []}, tune={"trials": 0}, train={"optimiser": "sgd"},
            objective=[{"method": "soft-targets", "temperature": 2.0}], **changes,
        )  # fmt: skip
        path = home / f"{name}.yaml"
        path.write_text(json.dumps(recipe | {"teacher": teacher}))
        return lk.distil(recipe=path, out=tmp_path / name, trust_code=True)

    return run


def splits_of(run, home):
    """The data of a run, opened again."""
    return planned(run.folder / "recipe.yaml", Given(trust_code=True, folder=home), {}).splits


def heard(run, batch, weights):
    """Probabilities that the run's guides give, each guide's own and all of them as one."""
    guides = [open_guide(run.folder / "guide" / str(number + 1)) for number in range(len(weights))]
    own = [guide.signals(batch).logits.softmax(dim=1) for guide in guides]
    return own, Ensemble(guides, weights=weights).signals(batch).logits.softmax(dim=1)


def as_one(run):
    """Probabilities on test of the run's teacher, as it was measured."""
    (model,) = (model for model in run.record.models if model.role == "teacher")
    return torch.from_numpy(np.load(run.folder / model.predictions.path)["logits"]).softmax(dim=1)


def weights_of(run):
    """Of its students and baselines, training by training."""
    done = sorted(run.folder.glob("checkpoints/*/done.json"), key=lambda path: json.loads(path.read_text())["name"])
    return {json.loads(path.read_text())["name"]: load_file(path.parent / "weights.safetensors") for path in done}


@pytest.mark.parametrize("views", [{}, {"ops": [{"op": "shift", "pixels": 1}]}], ids=["raw", "views"])
def test_students_of_teachers_that_differ_in_everything_hear_their_plain_mean(distilled, home, trainings, views):
    both = {"ensemble": [COLOURS, GREY], "shares": [1, 2]}
    data = {"views": views} if views else {}
    live = distilled("live", both, guide="never", data=data)
    read = distilled("read", both, guide="always", data=data)
    assert trainings(live.folder) == trainings(read.folder)

    alone = {"from": "mixed_teachers:ByHand", "preprocess": {"scale": 1.0}}
    by_hand = weights_of(distilled("hand", alone, guide="never", data=data))
    together = weights_of(live)
    assert together.keys() == by_hand.keys()
    for name, expected in by_hand.items():
        for tensor, values in expected.items():
            torch.testing.assert_close(together[name][tensor], values, atol=2e-5, rtol=1e-4)

    splits, colours, grey = splits_of(read, home), mine.Colours(), mine.Grey()
    with torch.no_grad():
        batch = next(iter(evaluation_batches(splits.test, ROWS)))
        plain = torch.stack([mine.of_colours(colours, x) / 3 + 2 * mine.of_grey(grey, x) / 3 for x in batch.inputs])
        torch.testing.assert_close(as_one(read)[:ROWS], plain)
        if not views:
            batch = next(iter(evaluation_batches(splits.transfer, ROWS)))
            own, mean = heard(read, batch, (1, 2))
            one = torch.stack([mine.of_colours(colours, x) for x in batch.inputs])
            other = torch.stack([mine.of_grey(grey, x) for x in batch.inputs])
            torch.testing.assert_close(own, [one, other])
            torch.testing.assert_close(mean, one / 3 + 2 * other / 3)


def test_a_specialist_beside_a_teacher_that_is_trained_here_divides_anew_what_that_one_says(distilled, home, trainings):
    teacher = {"ensemble": [TRAINED, EXPERT], "shares": [3, 1]}
    live = distilled("live", teacher, guide="never")
    read = distilled("read", teacher, guide="always")
    assert trainings(live.folder) == trainings(read.folder)
    assert any("a specialist (weight 0.25)" in note for note in read.record.notes)

    folder = read.folder / "teacher" / "1"
    config = json.loads((folder / "config.json").read_text())["preprocess"]
    whole = teachers.build({"family": "wide-mlp", "width": 12, "depth": 1}, inputs=(1, 8, 8), outputs=10).eval()
    whole.load_state_dict(load_file(folder / "model.safetensors"))
    expert, places = mine.Expert(), [int(name) for name in mine.EXPERT_KNOWS]

    def plain(picture):
        """Three quarters of what the one that knows all says; a quarter of it with the expert's classes dealt anew."""
        seen = (picture.float()[None] * config["scale"] - config["mean"][0]) / config["std"][0]
        said = whole(seen).softmax(dim=1)[0]
        anew, mass = said.clone(), sum(said[place] for place in places)
        for place, share in zip(places, mine.of_expert(expert, picture), strict=True):
            anew[place] = mass * share
        return 0.75 * said + 0.25 * anew

    splits = splits_of(read, home)
    with torch.no_grad():
        batch = next(iter(evaluation_batches(splits.test, ROWS)))
        torch.testing.assert_close(as_one(read)[:ROWS], torch.stack([plain(x) for x in batch.inputs]))
        batch = next(iter(evaluation_batches(splits.transfer, ROWS)))
        _, mean = heard(read, batch, (3, 1))
        torch.testing.assert_close(mean, torch.stack([plain(x) for x in batch.inputs]))
