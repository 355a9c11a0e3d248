"""What a verdict rests on: nobody looks where they may not, and both sides get the same."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import limbeck as lk
from limbeck.core.identity import ids_of_rows, state_fingerprint
from limbeck.core.progress import Silent
from limbeck.data.draws import shuffled
from limbeck.data.memory import from_arrays
from limbeck.data.source import InputSpec
from limbeck.data.split import keep_labels
from limbeck.recipe import from_mapping
from limbeck.runs.given import Given
from limbeck.runs.splits import open_splits
from limbeck.task import named

SHORT = {
    "data": {"keep_labels": 0.4, "views": {"ops": [{"op": "shift", "pixels": 1}]}},
    "train": {"epochs": 1, "batch_size": 64, "evaluations": 1},
    "tune": {"trials": 2, "finalists": 2},
    "verdict": {"seeds": 3},
    "runtime": {"threads": 1},
}
TRAINED = {**SHORT, "teacher": {"train": {"family": "wide-mlp", "width": 16, "depth": 1, "epochs": 4}}}


class Watched:
    """A source that writes down who reads it when."""

    def __init__(self, name, x, y, log):
        self.name, self.x, self.log = name, x[:, None], log
        self.spec = InputSpec("image", (1, 8, 8), "uint8")
        self.classes = tuple("0123456789")
        self.ids = ids_of_rows(name, len(x))
        self.labels = y.astype(np.int32)

    def __len__(self):
        return len(self.x)

    def read(self, rows):
        self.log.append(("read", self.name, np.array(rows)))
        return self.x[rows]

    def fingerprint(self):
        return self.name


class Diary(Silent):
    """Writes what is said into the same log."""

    def __init__(self, log):
        self.log = log

    def say(self, message):
        self.log.append(("said", message))


@pytest.fixture
def jobs(monkeypatch):
    """Every training that is begun, in order."""
    from limbeck.runs import fit

    found, train = [], fit.train

    def noted(model, stages, **arguments):
        start = state_fingerprint(model.core.state_dict())
        found.append({"stages": stages, "start": start, **arguments})
        return train(model, stages, **arguments)

    monkeypatch.setattr(fit, "train", noted)
    return found


def parts(digits, log):
    x, y = digits
    ends = {"train": (0, 300), "test": (300, 400), "validation": (400, 500)}
    return {name: Watched(f"watched/{name}", x[a:b], y[a:b], log) for name, (a, b) in ends.items()}


def test_test_examples_are_read_at_the_end_and_once_for_each_model(digits, net, tmp_path, quick):
    log = []
    given_parts = parts(digits, log)
    run = lk.distil(
        teacher=net(1), student=net.kind, recipe=SHORT, out=tmp_path / "run", progress=Diary(log),
        data=given_parts["train"], test=given_parts["test"], validation=given_parts["validation"],
    )  # fmt: skip
    begun = next(place for place, event in enumerate(log) if event[0] == "said")  # before, sources prove they repeat
    measured = log.index(("said", "measuring quality, calibration, size and speed"))
    reads = [(place, event[2]) for place, event in enumerate(log) if event[:2] == ("read", "watched/test")]
    assert all(place < begun or place > measured for place, _ in reads)
    assert sum(len(rows) for place, rows in reads if place < begun) <= 8
    counts = np.zeros(len(given_parts["test"]), int)
    for place, rows in reads:
        if place > measured:
            np.add.at(counts, rows, 1)
    shown = np.zeros_like(counts)
    with np.load(run.folder / run.record.files["samples"].path) as file:
        shown[file["index"]] += 1
    assert set((counts - shown).tolist()) == {len(run.record.models)}
    assert any(event[:2] == ("read", "watched/validation") for event in log[begun:measured])


def test_test_labels_decide_nothing(digits, tmp_path, quick, trainings):
    x, y = digits
    runs = {}
    for name, labels in (("true", y[300:400]), ("shuffled", np.random.default_rng(0).permutation(y[300:400]))):
        out = tmp_path / name
        runs[name] = lk.distil(
            recipe=TRAINED, data=(x[:300], y[:300]), test=(x[300:400], labels), validation=(x[400:500], y[400:500]),
            out=out,
        ).record  # fmt: skip
    assert trainings(tmp_path / "true") == trainings(tmp_path / "shuffled")
    assert runs["true"].tuning == runs["shuffled"].tuning
    assert [m.predictions for m in runs["true"].models] == [m.predictions for m in runs["shuffled"].models]
    assert (
        runs["true"].models[0].quality["test"] != runs["shuffled"].models[0].quality["test"]
    )  # they are only reported


def test_validation_chooses(digits, tmp_path, quick, monkeypatch):
    """The choice follows the validation labels, and is the best trial there."""
    x, y = digits
    record = lk.distil(
        recipe=TRAINED, data=(x[:300], y[:300]), test=(x[300:400], y[300:400]), validation=(x[400:600], y[400:600]),
        out=tmp_path / "run",
    ).record  # fmt: skip
    for tuning in record.tuning:
        finals = [trial for trial in tuning.trials if trial.final]
        best = max(trial.value for trial in finals)
        assert tuning.chosen in [trial.settings for trial in finals if trial.value == best]


@pytest.mark.parametrize("labels", ["all", "kept"])
def test_held_out_examples_are_in_no_training(labels, digits, tmp_path, quick, jobs):
    """Of the teacher, of the student, of the baseline: no id of validation or test is in any training's source."""
    x, y = digits
    recipe = {**TRAINED, "teacher": {"train": {**TRAINED["teacher"]["train"], "labels": labels}}}
    lk.distil(recipe=recipe, data=(x, y), out=tmp_path / "run")
    with np.load(tmp_path / "run" / "predictions" / "test.npz") as file:
        held_out = {int(i) for i in file["ids"]}
    splits = open_splits(
        from_mapping({**recipe, "data": {**recipe["data"], "train": "given"}}), Given(data=(x, y)), named("multiclass")
    )
    assert {int(i) for i in splits.test.ids} == held_out
    held_out |= {int(i) for i in splits.validation.ids}
    assert len(held_out) > 100
    names = {job["name"].partition(",")[0] for job in jobs}
    assert names == {"teacher", "student", "baseline", "teacher-labels"}
    for job in jobs:
        assert held_out.isdisjoint(int(i) for i in job["batches"].source.ids)
    teacher = next(job for job in jobs if job["name"] == "teacher")
    assert len(teacher["batches"].source) == len(splits.labelled) if labels == "kept" else len(splits.transfer)


def test_hidden_labels_teach_nobody(digits, net, tmp_path, quick, trainings):
    """Labels that `keep_labels` hides are shuffled among themselves: with a given teacher no weight changes."""
    x, y = digits[0][:400], digits[1][:400]
    kept = keep_labels(y, 0.4, seed=0)
    place = np.argsort(shuffled(len(y), "labels", 0))
    late = np.flatnonzero(place > place[kept].max())  # who is hidden depends on the labels before these alone
    changed = y.copy()
    changed[late] = np.random.default_rng(1).permutation(y[late])
    assert (changed != y).sum() > 100
    assert np.array_equal(keep_labels(changed, 0.4, seed=0), kept)
    for name, labels in (("true", y), ("shuffled", changed)):
        lk.distil(
            teacher=net(1), student=net.kind, data=(x, labels), test=(digits[0][400:], digits[1][400:]),
            recipe=SHORT, out=tmp_path / name,
        )  # fmt: skip
    assert trainings(tmp_path / "true") == trainings(tmp_path / "shuffled")


def test_both_sides_get_the_same(digits, net, tmp_path, quick, jobs):
    """Steps, batch, order, views, optimiser, start, and how much validation may choose."""
    record = lk.distil(teacher=net(1), student=net.kind, data=digits, recipe=SHORT, out=tmp_path / "run").record
    full = {}
    for job in jobs:
        role, _, which = job["name"].partition(", ")
        if which.startswith("seed"):
            full.setdefault(which, {}).setdefault(role, []).append(job)
    assert sorted(full) == ["seed 0", "seed 1", "seed 2"]
    starts = set()
    for by_role in full.values():
        assert sorted(by_role) == ["baseline", "student", "teacher-labels"]
        same = [job for alike in by_role.values() for job in alike]
        for of in (
            lambda job: [stage.steps for stage in job["stages"]],
            lambda job: [stage.settings for stage in job["stages"]],
            lambda job: (job["batches"].batch_size, job["batches"].seed, job["seed"]),
            lambda job: (job["batches"].views.fingerprint(), job["batches"].views.seed),
            lambda job: job["start"],
            lambda job: job["runtime"],
        ):
            assert all(of(job) == of(same[0]) for job in same)
        starts.add(same[0]["start"])
    assert len(starts) == 3
    trials = [[(trial.steps, trial.final) for trial in tuning.trials] for tuning in record.tuning]
    assert trials[0] == trials[1] == trials[2]
    assert {model.steps for model in record.models if model.role != "teacher"} == {record.models[1].steps}


@pytest.mark.parametrize("trials", [1, 3, 6, 8, 20])
@pytest.mark.parametrize(
    "objective", [{}, {"weight": "auto"}, {"temperature": 3}, {"weight": "auto", "temperature": 2}]
)
def test_as_many_candidates_for_everybody(trials, objective, digits, net):
    from limbeck.runs.plan import plan

    values = {**SHORT, "data": {"train": "given"}, "teacher": "given", "student": "given", "objective": objective}
    values["tune"] = {"trials": trials, "finalists": 1}
    made = plan(from_mapping(values), Given(data=digits, teacher=net(1), student=net.kind))
    counts = [len(arm.candidates) for arm in made.arms]
    assert counts == [counts[0]] * 3
    assert counts[0] == len({json.dumps(candidate) for candidate in made.arms[0].candidates})
    assert counts[0] <= trials


def test_more_trials_than_there_are_candidates_are_owned_up_to(digits, net, tmp_path, quick):
    recipe = {**SHORT, "objective": {"weight": "auto", "temperature": 2}, "tune": {"trials": 7, "finalists": 1}}
    record = lk.distil(teacher=net(1), student=net.kind, data=digits, recipe=recipe, out=tmp_path / "run").record
    assert "tune.trials asks for 7 candidates; there are 4, for every arm." in record.notes


def test_the_seed_that_ships_was_fixed_beforehand(finished, tiny):
    """It is the recipe's, whatever the others reached."""
    first = tiny()["seed"]
    students = [model for model in finished.record.models if model.role == "student"]
    assert [model.seed for model in students] == [first, first + 1, first + 2]
    history = json.loads((finished.folder / students[0].history.path).read_text())
    names = {}
    for path in finished.folder.glob("checkpoints/*/done.json"):
        done = json.loads(path.read_text())
        names[path.parent] = (done["name"], done["steps"], done["history"])
    (trained,) = [
        folder for folder, what in names.items() if what == (f"student, seed {first}", students[0].steps, history)
    ]
    shipped = load_file(finished.student / "model.safetensors")
    for name, tensor in load_file(trained / "weights.safetensors").items():
        assert torch.equal(shipped[name], tensor)


# -- the division itself


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(-1, 3), min_size=24, max_size=80).filter(
        lambda y: all(y.count(c) > 5 for c in range(3))
    ),
    keep=st.sampled_from([0.3, 0.7, 1.0]),
    teacher=st.sampled_from(["all", "kept"]),
    seed=st.integers(0, 5),
)
def test_the_parts_share_nothing_that_they_must_not(labels, keep, teacher, seed):
    y = np.array(labels)
    source = from_arrays(np.arange(len(y), dtype=np.float32)[:, None], y, name="law/train", classes=list("abcd"))
    recipe = from_mapping(
        {"seed": seed, "data": {"train": "given", "keep_labels": keep}, "teacher": {"train": {"labels": teacher}}}
    )
    splits = open_splits(recipe, Given(data=source), named("multiclass"))
    test, validation = set(splits.test.ids.tolist()), set(splits.validation.ids.tolist())
    learn = [set(part.ids.tolist()) for part in (splits.teacher, splits.transfer, splits.labelled)]
    assert test.isdisjoint(validation)
    for ids in learn:
        assert ids.isdisjoint(test | validation)
    assert learn[2] <= learn[1]
    assert learn[2] <= learn[0]
    assert learn[1] | test | validation == set(source.ids.tolist())
    for part in (splits.teacher, splits.labelled, splits.test, splits.validation):
        assert (part.labels >= 0).all()
    visible = set(splits.transfer.ids[splits.transfer.labels >= 0].tolist())
    assert visible == learn[2]


def folders(root, *names):
    from PIL import Image

    for name in names:
        for number in range(8):
            (root / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), (len(name) * 31 + number) % 256).save(root / name / f"{number}.png")
    return {"data": {"train": str(root)}, "teacher": {"train": {}}}


def test_split_folders_are_used_as_they_are(tmp_path):
    """Also the validation folder that nobody named."""
    recipe = folders(tmp_path, "train/a", "train/b", "val/a", "val/b", "test/a", "test/b")
    splits = open_splits(from_mapping(recipe), Given(), named("multiclass"))
    assert [len(part) for part in (splits.transfer, splits.validation, splits.test)] == [16, 16, 16]


def test_classes_that_are_called_like_splits_are_classes(tmp_path):
    """Vehicles: "train" and "test" beside "bus" are no splits, so nothing is tested on what it was trained on."""
    splits = open_splits(from_mapping(folders(tmp_path, "bus", "test", "train")), Given(), named("multiclass"))
    assert splits.classes == ("bus", "test", "train")
    assert len(splits.transfer) + len(splits.validation) + len(splits.test) == 24
