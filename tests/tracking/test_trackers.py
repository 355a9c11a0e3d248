"""Trackers, for real: what was told is read back from their own files."""

import copy
import os
import shutil
import struct
import subprocess
import sys
import warnings
from dataclasses import dataclass, field

import pytest

from limbeck.errors import MissingDependencyError
from limbeck.tracking import NOWHERE, Tracking, check
from limbeck.tracking.tracking import KINDS

RECIPE = {"name": "mine", "train": {"epochs": 3, "learning_rate": 0.01}, "arms": ["a", "b"], "device": None}
ROWS = [
    {"step": 10 * n, "epoch": n / 2, "values": {"train/hard-labels": 2.0 / n, "val/accuracy": 0.1 * n}}
    for n in range(1, 6)
]
FINAL = {"steps": 50, "seconds": 1.5, "val/accuracy": 0.5}
PACKAGES = {"tensorboard": ["tensorboard"], "wandb": ["wandb"], "mlflow": ["mlflow", "sqlalchemy", "alembic"]}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("WANDB_", "MLFLOW_")):
            monkeypatch.delenv(name)


@dataclass
class Says:
    said: list[str] = field(default_factory=list)

    def __call__(self, message):
        self.said.append(message)


def tracking(folder, *kinds, say=None, project="mine"):
    return Tracking(dict.fromkeys(kinds, project), folder, RECIPE, "name: mine\n", say or Says())


def points_tensorboard(folder):
    """(step, value) by tag, of each run; every event file is read, and nothing is left out."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found = {}
    for run in sorted((folder / "tensorboard").iterdir()):
        points = found.setdefault(run.name, {})
        for file in sorted(run.iterdir()):
            for event in EventFileLoader(str(file)).Load():
                for value in event.summary.value:
                    if value.tag != "recipe/text_summary":
                        points.setdefault(value.tag, []).append((event.step, make_ndarray(value.tensor).item()))
    return found


def records_wandb(file):
    """The protocol buffers of a .wandb file, which is a log in LevelDB's format."""
    from wandb.proto import wandb_internal_pb2

    data, place, part = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if place % 32768 > 32768 - 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        if kind == 0:
            break
        part += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(part)
            yield record
            part = b""


def points_wandb(folder):
    import json

    found = {}
    for file in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        points, name = {}, None
        for record in records_wandb(file):
            if record.WhichOneof("record_type") == "run":
                name = record.run.display_name
            if record.WhichOneof("record_type") == "history":
                values = {(i.key or i.nested_key[0]): json.loads(i.value_json) for i in record.history.item}
                for tag, value in values.items():
                    if not tag.startswith("_"):
                        points.setdefault(tag, []).append((record.history.step.num, value))
            if record.WhichOneof("record_type") == "summary":
                for item in record.summary.update:
                    key = item.key or item.nested_key[0]
                    if key.startswith("final/"):
                        points[key] = [(50, json.loads(item.value_json))]
        assert name not in found
        found[name] = points
    return found


def points_mlflow(folder):
    from mlflow.tracking import MlflowClient

    client, found = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"), {}
    for run in client.search_runs([client.get_experiment_by_name("mine").experiment_id]):
        names = run.data.metrics
        history = {name: client.get_metric_history(run.info.run_id, name) for name in names}
        assert run.info.run_name not in found
        found[run.info.run_name] = {
            name: sorted((metric.step, metric.value) for metric in each) for name, each in history.items()
        }
    return found


READ = {"tensorboard": points_tensorboard, "wandb": points_wandb, "mlflow": points_mlflow}


def read(kind, folder):
    return READ[kind](folder)


def expected(rows, final=None):
    points = {}
    for row in rows:
        for name, value in {**row["values"], "epoch": row["epoch"]}.items():
            points.setdefault(name, []).append((row["step"], value))
    for name, value in (final or {}).items():
        points[f"final/{name}"] = [(rows[-1]["step"], value)]
    return points


def close(found, points):
    assert found.keys() == points.keys()
    for name, values in points.items():
        assert [step for step, _ in found[name]] == [step for step, _ in values], name
        assert [value for _, value in found[name]] == pytest.approx([value for _, value in values])


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """An empty database of MLflow: making its tables takes longer than all the rest."""
    for package in PACKAGES["mlflow"]:
        pytest.importorskip(package, exc_type=ImportError)
    from mlflow.tracking import MlflowClient

    place = tmp_path_factory.mktemp("tables") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MlflowClient(tracking_uri=f"sqlite:///{place}").search_experiments()
    return place


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    for package in PACKAGES[request.param]:
        pytest.importorskip(package, exc_type=ImportError)
    if request.param == "mlflow":
        shutil.copy(request.getfixturevalue("tables"), tmp_path)
    return request.param


@pytest.mark.filterwarnings("ignore")  # of the trackers' libraries, met while reading back
class TestReadBack:
    def test_one_training(self, kind, tmp_path):
        says = Says()
        track = tracking(tmp_path, kind, say=says)
        with track.training("student, seed 0", "a" * 64, seed=0) as told:
            for count in range(1, 6):
                told(ROWS[:count])
            told.finish(ROWS, FINAL)
        assert says.said == []
        found = read(kind, tmp_path)
        assert len(found) == 1
        assert "student" in next(iter(found))
        close(next(iter(found.values())), expected(ROWS, FINAL))

    def test_each_training_has_its_run(self, kind, tmp_path):
        track = tracking(tmp_path, kind)
        for seed in range(2):
            with track.training(f"student, seed {seed}", str(seed) * 64) as told:
                told.finish(ROWS[: seed + 1], FINAL)
        found = read(kind, tmp_path)
        assert len(found) == 2
        for name, points in found.items():
            seed = 0 if "0" in name.split("seed")[1][:3] else 1
            assert len(points["val/accuracy"]) == seed + 1

    @pytest.mark.parametrize("again", [1, 2, 3])
    def test_no_point_stands_twice_after_a_resumption(self, kind, again, tmp_path):
        """A killed process had told of more than the checkpoint it goes on from, or of less."""
        with tracking(tmp_path, kind).training("student", "a" * 64) as told:
            told(ROWS[:2])
        with tracking(tmp_path, kind).training("student", "a" * 64) as told:
            told(ROWS[:again])
            told(ROWS[:4])
            told.finish(ROWS, FINAL)
        found = read(kind, tmp_path)
        assert len(found) == 1
        close(next(iter(found.values())), expected(ROWS, FINAL))

    def test_what_was_finished_is_not_told_again(self, kind, tmp_path):
        for _ in range(2):
            with tracking(tmp_path, kind).training("student", "a" * 64) as told:
                told.finish(ROWS, FINAL)
        close(next(iter(read(kind, tmp_path).values())), expected(ROWS, FINAL))

    def test_the_same_training_in_another_folder_is_another_run(self, kind, tmp_path):
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
            if kind == "mlflow":
                shutil.copy(tmp_path / "mlflow.db", tmp_path / folder)
            with tracking(tmp_path / folder, kind).training("student", "a" * 64) as told:
                told.finish(ROWS, FINAL)
            close(next(iter(read(kind, tmp_path / folder).values())), expected(ROWS, FINAL))


@pytest.mark.filterwarnings("ignore")
def test_the_recipe_is_the_config(tables, tmp_path):
    shutil.copy(tables, tmp_path)
    from mlflow.tracking import MlflowClient

    with tracking(tmp_path, "mlflow").training("student", "a" * 64, seed=4, settings={"temperature": 2.0}) as told:
        told.finish(ROWS, FINAL)
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert run.data.params == {
        "name": "mine", "train.epochs": "3", "train.learning_rate": "0.01", "arms.0": "a", "arms.1": "b",
        "device": "None", "training.name": "student", "training.seed": "4", "training.settings.temperature": "2.0",
    }  # fmt: skip
    assert run.info.status == "FINISHED"


def test_wandb_holds_the_config_and_stays_offline(tmp_path):
    pytest.importorskip("wandb")
    with tracking(tmp_path, "wandb").training("student", "a" * 64, seed=4) as told:
        told.finish(ROWS, FINAL)
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    run = next(r.run for r in records_wandb(file) if r.WhichOneof("record_type") == "run")
    config = {item.key: item.value_json for item in run.config.update}
    assert run.project == "mine"
    assert '"epochs":3' in config["train"].replace(" ", "")
    assert '"seed":4' in config["training"].replace(" ", "")


def test_tensorboard_shows_the_recipe(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with tracking(tmp_path, "tensorboard").training("student", "a" * 64) as told:
        told.finish(ROWS, FINAL)
    (run,) = (tmp_path / "tensorboard").iterdir()
    events = EventAccumulator(str(run))
    events.Reload()
    (text,) = events.Tensors("recipe/text_summary")
    assert b"name: mine" in text.tensor_proto.string_val[0]


def test_a_tracker_that_fails_is_left_alone_and_named_once(tmp_path):
    pytest.importorskip("tensorboard")
    says = Says()
    (tmp_path / "tensorboard").write_text("a file stands where a folder should be")
    track = tracking(tmp_path, "tensorboard", say=says)
    for seed in range(3):
        with track.training(f"student, seed {seed}", str(seed) * 64) as told:
            told(ROWS)
            told.finish(ROWS, FINAL)
    assert len(says.said) == 1
    assert says.said[0].startswith("tensorboard failed and is left alone, training goes on: ")


def test_a_tracker_that_fails_midway_leaves_the_others_be(tmp_path):
    pytest.importorskip("tensorboard")

    class Breaks:
        sent = 0

        def __init__(self, card):
            self.card = card

        def log(self, step, values):
            if step == 30:
                raise OSError("no space left on device")

        def close(self, final):
            raise AssertionError("it is left alone")

    says = Says()
    track = tracking(tmp_path, "tensorboard", say=says)
    with track.training("student", "a" * 64) as told:
        told._runs["wandb"], told._sent["wandb"] = Breaks(None), 0
        for count in range(1, 6):
            told(ROWS[:count])
        told.finish(ROWS, FINAL)
    assert says.said == ["wandb failed and is left alone, training goes on: OSError: no space left on device"]
    close(next(iter(points_tensorboard(tmp_path).values())), expected(ROWS, FINAL))
    assert [path.name for path in (tmp_path / "told").iterdir()] == [f"{'a' * 16}-tensorboard.json"]


def interrupted(track):
    with track.training("student", "a" * 64) as told:
        told(ROWS[:2])
        raise KeyboardInterrupt


def test_an_interruption_is_not_swallowed(tmp_path):
    pytest.importorskip("tensorboard")
    with pytest.raises(KeyboardInterrupt):
        interrupted(tracking(tmp_path, "tensorboard"))
    assert not (tmp_path / "told").exists()


def test_only_the_first_of_several_processes_tells(tmp_path, monkeypatch):
    monkeypatch.setattr("limbeck.core.processes.rank", lambda: 1)
    with tracking(tmp_path, "tensorboard").training("student", "a" * 64) as told:
        told.finish(ROWS, FINAL)
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_told_nothing():
    history = copy.deepcopy(ROWS)
    with NOWHERE.training("student", "a" * 64) as told:
        told(history)
        told.finish(history, FINAL)
    assert history == ROWS


def test_a_missing_package_is_named_with_the_extra(monkeypatch):
    monkeypatch.setattr("limbeck.tracking.tracking._PACKAGES", {"wandb": ("no_such_package",)})
    with pytest.raises(
        MissingDependencyError, match=r"track: wandb needs no_such_package: pip install 'limbeck\[track\]'"
    ):
        check(["wandb"])


def test_looking_for_trackers_imports_none():
    code = (
        "import sys\nfrom limbeck.tracking import check\nfrom limbeck.errors import MissingDependencyError\n"
        "for kind in ('tensorboard', 'wandb', 'mlflow'):\n"
        "    try: check([kind])\n    except MissingDependencyError: pass\n"
        "print([m for m in ('tensorboard', 'wandb', 'mlflow', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
