"""Writing: the student hears the same bits as from a live teacher, and nothing that goes wrong is accepted."""

import errno
import fcntl
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from limbeck.core.batch import Batch
from limbeck.core.protocols import SignalSource
from limbeck.core.signals import Signals
from limbeck.data.loader import TrainingBatches
from limbeck.data.mixing import CutMix, Mixup
from limbeck.data.subset import Subset, concat, without_labels
from limbeck.data.view_ops import Shift
from limbeck.data.views import Views
from limbeck.errors import GuideError, InputError, Interrupted, ModelError, NonFiniteError, StorageError
from limbeck.guide import estimate, shard, write
from limbeck.guide.expect import Expectation
from limbeck.guide.manifest import Plan, read_plan
from limbeck.guide.plan import data_facts, facts_of, rows_per_shard, view_facts, views_asked
from limbeck.guide.read import open_guide
from limbeck.guide.spec import FeatureSpec, LogitsSpec, SampledSpec, SignalSpec, TopKSpec


class Told:
    """A reporter that remembers."""

    def __init__(self):
        self.lines, self.tasks = [], {}

    def say(self, message):
        self.lines.append(message)

    def task(self, name, total):
        told, tasks = self, self.tasks

        class Task:
            def __enter__(self):
                tasks[name] = [0, total]
                return self

            def __exit__(self, *_):
                told.last = name

            def advance(self, steps=1, *, values=None):
                tasks[name][0] += steps

        return Task()


def expected(world):
    return Expectation(facts_of(world.teacher), data_facts(world.source), view_facts(world.views, world.count))


@pytest.mark.parametrize("mixing", [None, Mixup(), CutMix()])
def test_the_student_hears_the_live_teachers_bits(world, tmp_path, mixing):
    ops = (Shift(1),) if mixing is None else (Shift(1), mixing)
    world = world.but(views=Views(ops, seed=2, count=world.count))
    world.write(tmp_path / "guide")
    guide = open_guide(tmp_path / "guide", expect=expected(world))
    assert isinstance(guide, SignalSource)
    batches = TrainingBatches(world.source, views=world.views, batch_size=37, seed=3)
    for _, batch in zip(range(4 * world.count), batches.from_step(0), strict=False):
        told, live = guide.signals(batch).logits, world.teacher.signals(batch).logits
        assert torch.equal(told.view(torch.int32), live.view(torch.int32))


def test_it_is_cut_into_shards_and_counts_its_rows(world, tmp_path):
    manifest = world.write(tmp_path)
    assert [s.rows for s in manifest.shards] == [80] * 5 + [50]
    assert manifest.plan.rows == 450
    assert manifest.plan.rows_per_shard % world.teacher.chunk == 0
    files = {p.name for p in tmp_path.iterdir()}
    assert files == {"manifest.json", "plan.json", "index.npy", "shards"}


def test_the_bytes_depend_on_nothing_but_the_plan(world, tmp_path, contents):
    world.write(tmp_path / "a", batch_rows=16)
    world.write(tmp_path / "b", batch_rows=1000)
    order = np.random.default_rng(1).permutation(len(world.source))
    shuffled = without_labels(Subset(world.source, order), np.arange(20))
    world.but(source=shuffled).write(tmp_path / "c")
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")


def test_several_sources_put_together(world, tmp_path, make_data):
    both = concat([world.source, make_data(40, seed=9, name="more/train")])
    world.but(source=both).write(tmp_path)
    assert open_guide(tmp_path, expect=expected(world.but(source=both))).manifest.plan.data.examples == 190


def test_ranks_share_the_work_and_the_last_one_signs(world, tmp_path, contents):
    alone = world.write(tmp_path / "alone")
    together = tmp_path / "together"
    assert world.write(together, rank=2, world=3) is None
    assert world.write(together, rank=0, world=3) is None
    assert world.write(together, rank=1, world=3) == alone
    assert contents(tmp_path / "alone") == contents(together)
    with pytest.raises(InputError, match="rank"):
        world.write(together, rank=3, world=3)


@pytest.mark.parametrize("output", [LogitsSpec("float16"), TopKSpec(3, (1.0, 2.0)), SampledSpec(7, seed=4), None])
def test_other_signals(world, tmp_path, make_teacher, output):
    teacher = make_teacher(taps=("1", "2"))
    features = {"1": FeatureSpec("float16"), "2": FeatureSpec("int8")}
    manifest = world.but(teacher=teacher).write(tmp_path, spec=SignalSpec(output, features))
    assert manifest.plan.signals.features == {"1": FeatureSpec("float16", (12,)), "2": FeatureSpec("int8", (12,))}
    assert manifest.plan.outputs == (None if output is None else 5)
    wanted = Expectation(signals=SignalSpec(output, features))
    guide = open_guide(tmp_path, expect=wanted)
    batch = next(TrainingBatches(world.source, views=world.views, batch_size=64, seed=0).from_step(0))
    told, live = guide.signals(batch), teacher.signals(batch)
    assert torch.allclose(told.features["1"], live.features["1"], rtol=1e-3, atol=1e-3)
    assert torch.allclose(told.features["2"], live.features["2"], atol=float(live.features["2"].max()) / 200)
    match output:
        case LogitsSpec():
            assert torch.allclose(told.logits, live.logits, rtol=1e-3, atol=1e-3)
        case TopKSpec():
            assert torch.equal(told.top.index, live.logits.topk(3, dim=1).indices)
        case SampledSpec():
            assert told.sampled.index.shape == (64, 7)
        case None:
            assert told.logits is None


# --- going on ---


def test_a_finished_guide_is_checked_and_not_asked_again(world, tmp_path, contents):
    first = world.write(tmp_path)
    before, told = contents(tmp_path), Told()
    assert world.write(tmp_path, reporter=told) == first
    assert contents(tmp_path) == before
    assert told.tasks["writing the guide"] == [0, 0]
    assert "6 of them there" in told.lines[0]


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "sidecar", "index", "manifest"])
def test_what_is_damaged_is_written_again(world, tmp_path, contents, damage):
    world.write(tmp_path)
    before = contents(tmp_path)
    path = tmp_path / "shards" / "00002.safetensors"
    match damage:
        case "flip":
            path.write_bytes(flipped(path.read_bytes(), 900))
        case "cut":
            path.write_bytes(path.read_bytes()[:-1])
        case "remove":
            path.unlink()
        case "sidecar":
            path.with_suffix(".json").write_text("{")
        case "index":
            (tmp_path / "index.npy").write_bytes(b"rubbish")
        case "manifest":
            (tmp_path / "manifest.json").write_bytes(flipped((tmp_path / "manifest.json").read_bytes(), 40))
    told = Told()
    world.write(tmp_path, reporter=told)
    assert contents(tmp_path) == before
    assert told.tasks["writing the guide"][1] == (0 if damage in ("index", "manifest") else 80)


def flipped(content, place):
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_between_batches_and_the_same_command_goes_on(world, tmp_path, contents, name):
    world.write(tmp_path / "whole")
    calls = Counted(world.teacher, {9: lambda: os.kill(os.getpid(), getattr(signal, name))})
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match=r"1 of 6 shards.*same command") as caught:
        world.write(tmp_path / "cut", teacher=calls, batch_rows=16)
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGTERM) is before
    assert not (tmp_path / "cut" / "manifest.json").exists()
    world.write(tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


class Counted:
    """The teacher, with something happening at its n-th answer."""

    def __init__(self, teacher, at):
        self.teacher, self.at, self.calls = teacher, at, 0

    def signals(self, batch):
        self.calls += 1
        self.at.get(self.calls, lambda: None)()
        return self.teacher.signals(batch)


def test_plan_lost_or_damaged(world, tmp_path, contents):
    world.write(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(GuideError, match=r"plan.json cannot be read.*remove it"):
        world.write(tmp_path)
    (tmp_path / "plan.json").unlink()
    told = Told()
    world.write(tmp_path, reporter=told)
    assert contents(tmp_path) == before
    assert told.tasks["writing the guide"] == [0, 0]


# --- refused ---


def test_a_folder_of_another_guide(world, tmp_path, make_data, make_teacher, contents):
    world.write(tmp_path)
    before = contents(tmp_path)
    others = {
        "another teacher: weights": world.but(teacher=make_teacher(seed=1)),
        "other data": world.but(source=make_data(seed=1)),
        "about 150 examples, expected 151": world.but(source=make_data(151)),
        "seed 5, expected 6": world.but(views=replace(world.views, seed=6)),
        "its views are others": world.but(views=replace(world.views, ops=(Shift(2),))),
        "3 views of each example, now 2": world.but(count=2),
        "3 views of each example, but 4": world.but(count=4),
    }
    for says, other in others.items():
        with pytest.raises(GuideError, match=f"holds another guide.*{says}"):
            other.write(tmp_path)
    with pytest.raises(GuideError, match="it keeps logits"):
        world.write(tmp_path, spec=SignalSpec(TopKSpec(2)))
    with pytest.raises(GuideError, match="licence"):
        world.write(tmp_path, facts=facts_of(world.teacher, licence="GPL"))
    assert contents(tmp_path) == before


def test_a_folder_of_other_files(world, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(GuideError, match=r"holds other files \(thesis.tex\)"):
        world.write(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_writers_on_one_folder(world, tmp_path, contents):
    """The second one is told at once; the first one's guide is whole."""
    refused = []

    def second():
        with pytest.raises(GuideError, match=rf"another process \(process {os.getpid()}\) is writing") as caught:
            world.write(tmp_path / "guide")
        refused.append(caught.value)
        for rank in (0, 1):
            with pytest.raises(GuideError, match="another process"):
                world.write(tmp_path / "guide", rank=rank, world=2)

    world.write(tmp_path / "guide", teacher=Counted(world.teacher, {5: second}))
    assert len(refused) == 1
    world.write(tmp_path / "alone")
    assert contents(tmp_path / "guide") == contents(tmp_path / "alone")


def test_one_rank_twice(world, tmp_path):
    def second():
        with pytest.raises(GuideError, match="another process"):
            world.write(tmp_path, rank=1, world=2)
        assert world.write(tmp_path, rank=0, world=2) is None

    world.write(tmp_path, teacher=Counted(world.teacher, {4: second}), rank=1, world=2)
    open_guide(tmp_path)


def test_a_lock_file_that_was_removed_meanwhile_does_not_count(tmp_path):
    from limbeck.guide.lock import writing

    path = tmp_path / ".lock"
    with path.open("a") as stale:
        fcntl.flock(stale, fcntl.LOCK_EX)
        path.unlink()
        with writing(tmp_path, 0, 1):
            assert path.exists()
    assert not path.exists()


def test_a_system_without_locks_is_told(tmp_path, monkeypatch):
    from limbeck.guide.lock import writing

    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows: importing it fails
    with pytest.raises(InputError, match="guides are written on Linux and macOS"), writing(tmp_path, 0, 1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_does_not_spoil_the_lock(tmp_path):
    """Who holds it cannot be written down then, and that is all."""
    from limbeck.guide.lock import writing

    (tmp_path / ".lock").symlink_to("/dev/full")
    with writing(tmp_path, 0, 1):
        assert (tmp_path / ".lock").is_symlink()
    assert not (tmp_path / ".lock").is_symlink()


class Usage(NamedTuple):
    free: int


def test_a_disk_that_cannot_hold_it(world, tmp_path, monkeypatch):
    free = [10_200]  # the rows and ids alone; files take more
    monkeypatch.setattr(estimate.shutil, "disk_usage", lambda _: Usage(free[0]))
    folder = tmp_path / "guide"
    with pytest.raises(StorageError, match=r"still needs 149 kB in .*, but 10\.2 kB are free"):
        world.write(folder)
    assert not folder.exists()
    free[0] = 150_000
    world.write(folder)
    free[0] = 0
    world.write(folder)  # nothing is missing, so nothing is needed
    taken = sum(4096 * -(-path.stat().st_size // 4096) for path in folder.rglob("*"))
    assert taken < 149_000


def test_disk_full_midway(world, tmp_path, monkeypatch, contents):
    world.write(tmp_path / "whole")
    written, real = [], Path.write_bytes

    def full(path, content):
        if ".tmp" in path.name and len(written) == 3:
            real(path, content[:1000])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        return real(path, content)

    folder = tmp_path / "guide"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match=r"no space left.*same command again"):
            world.write(folder)
    assert len(list((folder / "shards").glob("*.safetensors"))) == 3
    assert not list(folder.rglob("*.tmp*"))
    with pytest.raises(GuideError, match="not finished"):
        open_guide(folder)
    world.write(folder)
    assert contents(folder) == contents(tmp_path / "whole")


def test_a_folder_that_cannot_be_written(world, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        world.write(tmp_path / "file" / "guide")
    with pytest.raises(StorageError, match="cannot write"):
        world.write(tmp_path / "file")

    def read_only(path, mode="r", *arguments, **keywords):
        if set(mode) & set("wax+"):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return real(path, mode, *arguments, **keywords)

    real, folder = Path.open, tmp_path / "guide"
    folder.mkdir()
    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(StorageError, match="Read-only file system"):
        world.write(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(world, tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(StorageError, match="Permission denied"):
        world.write(tmp_path / "guide")
    tmp_path.chmod(0o755)


def test_teachers_that_are_none(world, tmp_path):
    class Says:
        def __init__(self, logits):
            self.logits = logits

        def signals(self, batch: Batch) -> Signals:
            return Signals(logits=self.logits(batch))

    class Silent:
        def signals(self, batch: Batch) -> Signals:
            return Signals()

    nan = Says(lambda batch: torch.where(batch.views[:, None] == 2, torch.nan, torch.zeros(len(batch), 5)))
    with pytest.raises(NonFiniteError, match="view 2"):
        world.write(tmp_path / "a", teacher=nan)
    narrow = Says(lambda batch: torch.zeros(len(batch), 4))
    with pytest.raises(ModelError, match="4 outputs for 5 classes"):
        world.write(tmp_path / "b", teacher=narrow)
    moody = Says(lambda batch: torch.zeros(len(batch), 5 if (batch.views == 0).all() else 3))
    with pytest.raises(ModelError, match=r"shape \(.*3\)"):
        world.write(tmp_path / "c", teacher=moody)
    with pytest.raises(ModelError, match="no features at 'stem'"):
        world.write(tmp_path / "d", spec=SignalSpec(features={"stem": FeatureSpec()}))
    with pytest.raises(ModelError, match="the teacher gave none"):
        world.write(tmp_path / "d", teacher=Silent())
    with pytest.raises(InputError, match="6 of 5 classes"):
        world.write(tmp_path / "e", spec=SignalSpec(TopKSpec(6)))


def test_views_that_are_none(world, tmp_path):
    with pytest.raises(InputError, match="without view ops"):
        world.but(views=Views(), count=2).write(tmp_path)
    with pytest.raises(InputError, match="at least 1"):
        world.but(count=0).write(tmp_path)
    assert world.but(views=Views(seed=3), count=1).write(tmp_path).plan.views.path == "raw"
    open_guide(tmp_path, expect=Expectation(views=view_facts(Views(seed=4), 1)))


# --- what is said and decided beforehand ---


def test_size_and_time_are_said_before_the_first_batch(world, tmp_path):
    told = Told()
    world.write(tmp_path, reporter=told)
    assert len(told.lines) == 1
    assert "150 examples x 3 views, logits (float32): 10.2 kB in 6 shards, less than a second" in told.lines[0]
    assert told.tasks["writing the guide"] == [450, 450]
    size = sum(p.stat().st_size for p in [*tmp_path.glob("shards/*.safetensors"), tmp_path / "index.npy"])
    assert 10_200 <= size <= 10_200 + 6 * 120 + 200


def test_the_slow_are_found_out(world, tmp_path, monkeypatch):
    """450 rows in chunks of 16, at a tenth of a second each."""
    told, clock = Told(), [0.0]

    def takes_its_time():
        clock[0] += 0.1

    monkeypatch.setattr(estimate, "perf_counter", lambda: clock[0])
    slow = Counted(world.teacher, dict.fromkeys(range(1, 100), takes_its_time))
    world.write(tmp_path, teacher=slow, batch_rows=16, reporter=told)
    assert "about 3 s" in told.lines[0]


@pytest.mark.parametrize(
    ("rows", "row_bytes", "chunk"), [(1, 4, 128), (10**6, 40, 128), (10**9, 600_000, 64), (9, 9, 7)]
)
def test_shards_are_whole_chunks(rows, row_bytes, chunk):
    cut = rows_per_shard(rows, row_bytes, chunk)
    assert cut % chunk == 0
    assert cut * row_bytes <= 64 << 20 or cut == chunk


def test_views_asked():
    views = Views((Shift(1),))
    assert [views_asked(views, p) for p in (0.1, 1, 1.5, 8)] == [1, 1, 2, 8]
    assert [views_asked(replace(views, count=4), p) for p in (1, 8)] == [1, 4]
    assert views_asked(Views(count=4), 8) == 1


def test_any_process_can_write_any_shard(world, tmp_path, contents):
    """What a cluster does: the plan first, shards in any order by anyone, the manifest last."""
    from limbeck.guide.answers import LiveAnswers
    from limbeck.guide.examples import sorted_rows

    world.write(tmp_path / "whole")
    folder = tmp_path / "guide"
    (folder / "shards").mkdir(parents=True)
    for name in ("plan.json", "index.npy"):
        shutil.copy(tmp_path / "whole" / name, folder / name)
    plan = read_plan(folder)
    assert isinstance(plan, Plan)
    ids, order = sorted_rows(world.source)
    answers = LiveAnswers(world.teacher, world.source, world.views, order=order)
    for number in (5, 0, 3, 1, 2, 4):
        assert write.finish(folder, plan) is None
        shard.write_shard(folder, number, plan=plan, ids=ids, answers=answers, batch_rows=32)
    assert write.finish(folder, plan) is not None
    assert contents(folder) == contents(tmp_path / "whole")
