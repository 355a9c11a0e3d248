"""Labelling with Ray: our part with a stand-in that calls the actors at once, and Ray itself where it is installed."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from limbeck.core.progress import Silent
from limbeck.errors import GuideError, InputError, Interrupted, MissingDependencyError, RunError, StorageError
from limbeck.guide import cluster, cluster_writer
from limbeck.guide.cluster import write_on_ray
from limbeck.guide.cluster_session import connected
from limbeck.guide.plan import facts_of

RECIPE = {
    "data": {"train": "digits", "views": {"count": 3, "ops": [{"op": "shift", "pixels": 1}]}},
    "teacher": {"train": {"family": "wide-mlp", "width": 16, "depth": 1, "epochs": 1}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 3, "batch_size": 128},
    "tune": {"trials": 0},
    "verdict": {"seeds": 0},
    "runtime": {"threads": 1},
}


class Told:
    """A reporter that remembers, and does `at` after each shard."""

    def __init__(self, at=None):
        self.lines, self.at = [], at

    def say(self, message):
        self.lines.append(message)

    def task(self, name, total):
        if name != "writing the guide" or self.at is None:
            return Silent().task(name, total)
        at = self.at

        class Task:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def advance(self, steps=1, *, values=None):
                at()

        return Task()


class StandIn:
    """As much of Ray as is used. `kills` names shards whose actor is killed, and how often."""

    class RayError(Exception):
        pass

    def __init__(self, kills=(), fails=False, cpus=4):
        self.kills, self.fails, self.cpus = dict(kills), fails, cpus
        self.exceptions = SimpleNamespace(RayError=self.RayError)
        self.bars = SimpleNamespace(enable_progress_bars=True)
        context = SimpleNamespace(get_current=lambda: self.bars)
        self.data = SimpleNamespace(from_items=self.from_items, ActorPoolStrategy=self.pool, DataContext=context)
        self.log = []

    def is_initialized(self):
        return True

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": self.cpus}}, {"Alive": False, "Resources": {"CPU": 99}}]

    def put(self, value):
        return [value]

    def get(self, reference):
        return reference[0] if isinstance(reference, list) else reference

    def remote(self, **settings):
        def actor(cls):
            def create():
                made = cls()
                return SimpleNamespace(begin=SimpleNamespace(remote=made.begin))

            return SimpleNamespace(remote=create)

        return actor

    def pool(self, **sizes):
        self.log.append(sizes)
        return sizes

    def from_items(self, items, *, override_num_blocks):
        assert override_num_blocks == len(items)
        self.items = items
        return SimpleNamespace(map_batches=self.map_batches)

    def map_batches(self, cls, *, fn_constructor_args, batch_size, compute, num_cpus):
        assert batch_size == 1
        assert not self.bars.enable_progress_bars
        return SimpleNamespace(iter_rows=lambda: self.rows(cls, fn_constructor_args))

    def rows(self, cls, arguments):
        writer = cls(*arguments)
        for item in self.items:
            if self.fails:
                raise self.RayError("the cluster went away\nand so on")
            number = item["number"]
            for _ in range(self.kills.get(number, 0)):
                writer = cls(*arguments)
                writer._tries.begin.remote(number)  # it got no further
            row = writer({"number": np.array([number])})
            yield {name: values[0] for name, values in row.items()}


@pytest.fixture
def stand_in(monkeypatch):
    def put(**settings):
        ray = StandIn(**settings)
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setitem(sys.modules, "ray.data", ray.data)
        return ray

    return put


def write(world, folder, **settings):
    facts = facts_of(world.teacher, licence="MIT", origin="made for tests")
    work = {"teacher": world.teacher, "facts": facts, "source": world.source, "views": world.views}
    return write_on_ray(folder, count=world.count, **(work | settings))


def deaf(teacher, error, when):
    """A teacher that fails at some call. A class of its own each time, so that Ray sends it along with the teacher."""

    class Deaf:
        calls = 0

        def signals(self, batch):
            self.calls += 1
            if self.calls > when:
                raise error
            return teacher.signals(batch)

    return Deaf()


def test_the_guide_of_one_process(world, tmp_path, contents, stand_in):
    ray = stand_in()
    whole = world.write(tmp_path / "one")
    told = Told()
    assert write(world, tmp_path / "ray", workers=3, reporter=told) == whole
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
    assert ray.log == [{"min_size": 3, "max_size": 3}]
    assert ray.bars.enable_progress_bars
    assert len(told.lines) == 1, "on one machine there is nothing to say about bits"


def test_only_what_is_missing_is_written(world, tmp_path, contents, stand_in):
    ray = stand_in()
    world.write(tmp_path / "one")
    world.write(tmp_path / "ray", rank=0, world=2)
    write(world, tmp_path / "ray")
    assert [item["number"] for item in ray.items] == [1, 3, 5]
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
    ray.items = None
    write(world, tmp_path / "ray")
    assert ray.items is None, "nothing was missing"


def test_a_killed_actor(world, tmp_path, contents, stand_in):
    stand_in(kills={1: 1, 4: 2})
    world.write(tmp_path / "one")
    (tmp_path / "ray" / "shards").mkdir(parents=True)
    left = tmp_path / "ray" / "shards" / ".00001-x.tmp.safetensors"
    left.write_text("half")
    write(world, tmp_path / "ray")
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")


def test_a_shard_that_kills_every_actor(world, tmp_path, contents, stand_in):
    stand_in(kills={2: 3})
    with pytest.raises(RunError, match=r"shard 2 was killed 3 times.*with 2 of 6 shards.*same command") as raised:
        write(world, tmp_path / "ray")
    assert "In the actor:" in raised.value.__notes__[0]
    there = contents(tmp_path / "ray" / "shards")
    assert len(there) == 4
    stand_in()
    write(world, tmp_path / "ray")
    world.write(tmp_path / "one")
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")


@pytest.mark.parametrize(
    ("error", "expected", "match"),
    [
        (
            ValueError("of the user's"),
            RunError,
            r"ValueError: of the user's\) with 1 of 6 shards.*run the same command",
        ),
        (StorageError("no space left"), StorageError, "^no space left$"),
        (RunError("as it is"), RunError, r"shard 1 failed \(RunError: as it is\)"),
    ],
)
def test_what_goes_wrong_in_an_actor_is_raised_here(world, tmp_path, stand_in, error, expected, match):
    stand_in()
    with pytest.raises(expected, match=match):
        write(world, tmp_path, teacher=deaf(world.teacher, error, when=5), batch_rows=80)
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) == 1


def test_ray_itself_fails(world, tmp_path, stand_in):
    stand_in(fails=True)
    with pytest.raises(
        RunError, match=r"Ray failed with 0 of 6 shards .*the cluster went away\); run the same command"
    ):
        write(world, tmp_path)


def test_somebody_asks_to_stop(world, tmp_path, contents, stand_in):
    stand_in()
    with pytest.raises(Interrupted, match=r"stopped with 1 of 6 shards in .*; run the same command to go on"):
        write(world, tmp_path / "ray", reporter=Told(at=lambda: os.kill(os.getpid(), signal.SIGINT)))
    write(world, tmp_path / "ray")
    world.write(tmp_path / "one")
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")


def test_a_cluster_of_small_machines(world, tmp_path, stand_in):
    stand_in(cpus=0.5)
    with pytest.raises(
        InputError, match=r"an actor takes \d CPUs, but no machine of the Ray cluster has more than 0\.5"
    ):
        write(world, tmp_path)
    with pytest.raises(InputError, match="workers: expected at least 1 actor, got 0"):
        write(world, tmp_path, workers=0)


def test_ray_is_not_installed(world, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(MissingDependencyError, match=r"labelling with Ray needs ray.*pip install 'limbeck\[cluster\]'"):
        write(world, tmp_path / "guide")
    assert not (tmp_path / "guide").exists()


class TestAnotherMachine:
    """What an actor makes sure of before its first shard."""

    @pytest.fixture
    def kit(self, world, tmp_path, stand_in):
        ray = stand_in()
        kits = []
        ray.put = lambda kit: kits.append(kit) or [kit]
        write(world, tmp_path / "guide")
        return kits[0]

    @staticmethod
    def but(kit, **changes):
        names = ("folder", "plan", "ids", "answers", "batch_rows", "threads", "sample")
        return cluster_writer.Kit(**({name: getattr(kit, name) for name in names} | changes))

    def test_the_same(self, kit):
        assert kit.checked() == 0

    def test_that_does_not_share_the_folder(self, kit, tmp_path):
        with pytest.raises(GuideError, match=r"does not see the guide in .*all machines share"):
            self.but(kit, folder=tmp_path / "elsewhere").checked()

    def test_that_sees_other_data(self, kit, make_data):
        kit.answers.viewed.source = make_data(seed=1)
        with pytest.raises(GuideError, match="hears another teacher, or about other data"):
            kit.checked()

    def test_with_other_weights(self, kit, make_teacher):
        kit.answers.teacher = make_teacher(seed=1)
        with pytest.raises(GuideError, match="hears another teacher, or about other data"):
            kit.checked()

    def test_whose_sums_end_in_other_bits(self, kit, world, tmp_path, stand_in):
        drifted = {name: values + np.float32(1e-5) for name, values in kit.sample.items()}
        assert 0 < self.but(kit, sample=drifted).checked() < 2e-5
        ray, told = stand_in(), Told()
        ray.put = lambda kit: [self.but(kit, sample=drifted)]
        write(world, tmp_path / "other", reporter=told)
        assert "do not give the same bits (they differ by up to 1e-05)" in told.lines[-1]


def test_new_files_that_show_late(world, tmp_path, monkeypatch, stand_in):
    stand_in()
    real, looks = cluster.finish, []
    monkeypatch.setattr(cluster, "finish", lambda *a: looks.append(a) or (real(*a) if len(looks) > 1 else None))
    monkeypatch.setattr(cluster, "sleep", lambda seconds: None)
    assert write(world, tmp_path) is not None
    monkeypatch.setattr(cluster, "finish", lambda *a: None)
    monkeypatch.setattr(cluster, "_PATIENCE_SECONDS", 0.0)
    with pytest.raises(GuideError, match=r"only 6 of 6 shards are in .*all machines"):
        write(world, tmp_path)


@pytest.fixture
def ray_alone(tmp_path_factory, monkeypatch):
    """Ray may be started, with everything that it leaves on a disk in one place. Its paths must be short."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'limbeck[cluster]'")
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="lr")
    for name, value in {"RAY_TMPDIR": folder, "HOME": folder}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield
    shutil.rmtree(folder, ignore_errors=True)


def listening(processes):
    """Addresses at which these processes wait for others."""
    return {c.laddr.ip for p in processes for c in p.net_connections(kind="inet") if c.status == "LISTEN"}


def dying(teacher, at, marker=None):
    """A teacher whose process is killed at its batch number `at`, and not again once the marker is there.

    Nothing happens to the process that this is called in.
    """
    calls = {os.getpid(): -100}

    class Dying:
        def signals(self, batch):
            calls[os.getpid()] = calls.get(os.getpid(), 0) + 1
            if calls[os.getpid()] == at and (marker is None or not marker.exists()):
                if marker is not None:
                    marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return teacher.signals(batch)

    return Dying()


with_ray = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning:ray")


@with_ray
@pytest.mark.slow
def test_ray_writes_the_guide_of_one_process(world, tmp_path, contents, ray_alone):
    import psutil

    world.write(tmp_path / "one")
    marker, where = tmp_path / "died", []
    teacher = dying(world.teacher, 3, marker)
    handler = signal.getsignal(signal.SIGTERM)
    seen = set()

    def look():
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        seen.update(processes[1:])
        where.append(listening(processes))

    write(world, tmp_path / "ray", teacher=teacher, reporter=Told(at=look))
    assert marker.exists(), "no actor was killed"
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
    assert set().union(*where) <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert len(where) == 6
    assert signal.getsignal(signal.SIGTERM) is handler
    assert "RAY_USAGE_STATS_ENABLED" not in os.environ
    assert not sys.modules["ray"].is_initialized()
    assert seen
    assert not psutil.wait_procs(seen, timeout=20)[1], "processes are left"


@with_ray
@pytest.mark.nightly
def test_ray_goes_on_after_all_that_goes_wrong(world, tmp_path, contents, ray_alone):
    """In a Ray that the caller has started, and keeps."""
    world.write(tmp_path / "one")
    folder = tmp_path / "ray"
    with connected(2) as ray:
        world.teacher.lock = threading.Lock()
        with pytest.raises(InputError, match="cannot be sent to Ray's actors"):
            write(world, folder)
        del world.teacher.lock
        with pytest.raises(RunError, match=r"was killed 3 times.*same command"):
            write(world, folder, teacher=dying(world.teacher, 2))
        with pytest.raises(RunError, match=r"ValueError: of the user's"):
            write(world, folder, teacher=deaf(world.teacher, ValueError("of the user's"), when=5))
        there = contents(folder / "shards")
        with pytest.raises(InputError, match="an actor takes 64 CPUs"), threads(64):
            write(world, folder)
        with pytest.raises(Interrupted, match="stopped with"):
            write(world, folder, reporter=Told(at=lambda: os.kill(os.getpid(), signal.SIGINT)))
        write(world, folder)
        assert ray.is_initialized()
    assert contents(folder) == contents(tmp_path / "one")
    assert there.items() <= contents(folder / "shards").items(), "nothing good is lost"


@pytest.mark.nightly
def test_the_command_line_with_ray(tmp_path, contents, ray_alone):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))

    def label(folder, *engine):
        command = [sys.executable, "-m", "limbeck", "label", str(recipe), "--out", str(tmp_path / folder), *engine]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    alone = label("one")
    said = alone.communicate(timeout=120)[0]
    assert alone.returncode == 0, said
    stopped = label("ray", "--engine", "ray", "--workers", "1")
    while "guide: " not in stopped.stdout.readline():
        assert stopped.poll() is None
    stopped.send_signal(signal.SIGINT)
    said = stopped.communicate(timeout=120)[0]
    assert stopped.returncode == 130, said
    assert "same command" in said
    again = label("ray", "--engine", "ray", "--workers", "2")
    said = again.communicate(timeout=180)[0]
    assert again.returncode == 0, said
    one, ray = ({n: b for n, b in contents(tmp_path / name).items() if "done.json" not in n} for name in ("one", "ray"))
    assert ray == one


@contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
