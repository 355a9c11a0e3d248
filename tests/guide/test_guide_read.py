"""Reading: rows by id and view, from folders and object stores; whatever differs is refused, naming it."""

import gc
import json
import resource
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch

from limbeck.core.batch import Batch
from limbeck.data.loader import TrainingBatches
from limbeck.data.view_ops import Flip
from limbeck.data.views import Views
from limbeck.errors import GuideError, StorageError
from limbeck.guide.expect import Expectation
from limbeck.guide.manifest import DataFacts, IndexFile, Manifest, Plan, TeacherFacts, ViewFacts
from limbeck.guide.plan import data_facts, facts_of, view_facts
from limbeck.guide.read import Guide, open_guide
from limbeck.guide.spec import FeatureSpec, LogitsSpec, SignalSpec, TopKSpec
from limbeck.guide.store import Folder


@pytest.fixture
def guide(world, tmp_path):
    world.write(tmp_path / "guide")
    return tmp_path / "guide"


def asked(ids, views):
    ids, views = torch.as_tensor(ids), torch.as_tensor(views)
    return Batch(ids, views, torch.zeros(len(ids)))


def some_batch(world, size=64):
    return next(TrainingBatches(world.source, views=world.views, batch_size=size, seed=1).from_step(4))


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def test_every_row_is_where_it_belongs(world, guide):
    opened = open_guide(guide)
    ids = np.sort(world.source.ids)
    rows = opened.rows(np.tile(ids, world.count), np.repeat(np.arange(world.count), len(ids)))
    assert (rows == np.arange(450)).all()
    assert np.array_equal(opened.ids, ids)
    assert opened.classes == ("a", "b", "c", "d", "e")


def test_one_row_asked_twice_and_none(world, guide):
    opened = open_guide(guide)
    batch = some_batch(world, 8)
    twice = asked(batch.ids.repeat(2), batch.views.repeat(2))
    assert torch.equal(opened.signals(twice).logits, world.teacher.signals(batch).logits.repeat(2, 1))
    assert opened.signals(asked(batch.ids[:0], batch.views[:0])).logits.shape == (0, 5)


def test_what_is_read_can_be_written_to(world, guide):
    """Students may work in place; the file stays what it is."""
    opened, batch = open_guide(guide), some_batch(world)
    opened.signals(batch).logits.zero_()
    assert torch.equal(opened.signals(batch).logits, world.teacher.signals(batch).logits)


def test_unknown_example(world, guide):
    batch = some_batch(world, 4)
    batch.ids[2] = 12345
    with pytest.raises(GuideError, match=r"nothing of example 12345 \(1 of 4"):
        open_guide(guide).signals(batch)
    batch.ids[2] = 2**63 - 1  # beyond the largest id
    with pytest.raises(GuideError, match=str(2**63 - 1)):
        open_guide(guide).signals(batch)


@pytest.mark.parametrize("number", [3, -1, 2**40])
def test_view_out_of_range(world, guide, number):
    batch = some_batch(world, 4)
    batch.views[1] = number
    with pytest.raises(GuideError, match=rf"views 0 to 2, but view {number} of example {int(batch.ids[1])}"):
        open_guide(guide).signals(batch)


# --- damage ---


def test_a_flipped_byte_is_found_when_the_shard_is_touched(world, guide):
    flip(guide / "shards" / "00001.safetensors", 700)
    opened = open_guide(guide)
    ids = opened.ids
    opened.signals(asked(np.array(ids[:80]), np.zeros(80, np.int64)))
    with pytest.raises(GuideError, match=r"00001.safetensors was changed since it was written"):
        opened.signals(asked(np.array(ids[80:90]), np.zeros(10, np.int64)))
    open_guide(guide, check=False).signals(some_batch(world))


def test_a_flipped_byte_in_the_index(guide):
    flip(guide / "index.npy", 200)
    with pytest.raises(GuideError, match=r"index.npy was changed"):
        open_guide(guide)


def test_every_flipped_bit_of_the_manifest_is_found(guide):
    """Most break the JSON, a field or a name; those in numbers and text break its own checksum."""
    path = guide / "manifest.json"
    content = path.read_bytes()
    value = json.loads(content)
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        try:
            same = json.loads(changed) == value  # white space
        except ValueError:
            same = False
        path.write_bytes(changed)
        if not same:
            with pytest.raises(GuideError, match=r"manifest.json cannot be read"):
                open_guide(guide)


def test_truncated_and_missing_shards_are_found_at_opening(guide):
    path = guide / "shards" / "00004.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    with pytest.raises(GuideError, match=r"00004.safetensors has 1,\d{3} bytes, the manifest says 1,\d{3}: it is cut"):
        open_guide(guide, check=False)
    path.unlink()
    with pytest.raises(GuideError, match=r"lacks shards/00004.safetensors"):
        open_guide(guide, check=False)


def test_a_shard_of_another_layout_is_found_without_hashing(world, guide, tmp_path):
    world.write(tmp_path / "other", spec=SignalSpec(TopKSpec(2)))
    path = guide / "shards" / "00000.safetensors"
    size = path.stat().st_size
    path.write_bytes((tmp_path / "other" / "shards" / "00000.safetensors").read_bytes().ljust(size, b"\0")[:size])
    with pytest.raises(GuideError, match="is no shard of this guide"):
        open_guide(guide, check=False).signals(asked([int(open_guide(guide).ids[0])], [0]))
    path.write_bytes(b"\xff" * size)
    with pytest.raises(GuideError, match="longer than the file"):
        open_guide(guide, check=False).signals(asked([int(open_guide(guide).ids[0])], [0]))


def test_a_manifest_never_leads_out_of_its_folder(world, guide):
    value = json.loads((guide / "manifest.json").read_text())
    value["shards"][0]["file"] = "../../secret"
    (guide / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(GuideError, match="not those of the plan"):
        open_guide(guide)


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"more": 1}])
def test_another_schema(guide, change):
    value = json.loads((guide / "manifest.json").read_text()) | change
    (guide / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(GuideError, match="schema 1"):
        open_guide(guide)


def test_no_guide(tmp_path, guide):
    with pytest.raises(GuideError, match=r"holds no guide: there is no manifest.json"):
        open_guide(tmp_path)
    with pytest.raises(GuideError, match="holds no guide"):
        open_guide(tmp_path / "nowhere")
    (guide / "manifest.json").unlink()
    with pytest.raises(GuideError, match="is not finished"):
        open_guide(guide)


# --- something else than what is expected ---


def expected(world, **changes):
    whole = Expectation(facts_of(world.teacher), data_facts(world.source), view_facts(world.views, world.count))
    return replace(whole, **changes)


def test_what_differs_is_named(world, guide, make_data, make_teacher):
    open_guide(guide, expect=expected(world, signals=SignalSpec()))
    one_changed = make_data()
    one_changed.contents[77, 0, 0, 0] ^= 1
    views = world.views
    cases = {
        "another teacher: weights differ": expected(world.but(teacher=make_teacher(seed=1))),
        "another teacher: preprocessing differ": expected(
            world, teacher=facts_of(world.teacher).model_copy(update={"fingerprint": "x", "preprocess": {}})
        ),
        "labels are eval, expected imported": expected(
            world, teacher=facts_of(world.teacher).model_copy(update={"mode": "imported"})
        ),
        "other data: as many examples": expected(world.but(source=one_changed)),
        "about 150 examples, expected 151": expected(world.but(source=make_data(151))),
        "drawn with seed 5, expected 6": expected(world.but(views=replace(views, seed=6))),
        r"its views are others \(batched\)": expected(world.but(views=replace(views, ops=(Flip(),)))),
        r"its views are others \(batched\), expected those .* \(raw\)": expected(world.but(views=Views(), count=1)),
        "holds 3 views of each example, but 8": expected(world.but(count=8)),
        r"keeps logits \(float32\), expected top-2": expected(world, signals=SignalSpec(TopKSpec(2))),
        "keeps no features at 'stem'": expected(world, signals=SignalSpec(LogitsSpec(), {"stem": FeatureSpec()})),
    }
    for says, expectation in cases.items():
        with pytest.raises(GuideError, match=f"is not the guide that is needed: .*{says}"):
            open_guide(guide, expect=expectation)


def test_several_differences_are_named_at_once(world, guide, make_data, make_teacher):
    other = expected(world.but(teacher=make_teacher(seed=1), source=make_data(9), count=9))
    with pytest.raises(GuideError, match=r"another teacher.*; it is about 150 .*; it holds 3 views"):
        open_guide(guide, expect=other)


def test_fewer_views_than_it_holds_are_fine(world, guide):
    open_guide(guide, expect=expected(world.but(views=replace(world.views, count=2), count=2)))


def test_any_view(world, tmp_path):
    world.but(views=Views(), count=1).write(tmp_path / "raw")
    augmenting = expected(world)
    with pytest.raises(GuideError, match="its views are others"):
        open_guide(tmp_path / "raw", expect=augmenting)
    opened = open_guide(tmp_path / "raw", expect=replace(augmenting, any_view=True))
    ids = torch.from_numpy(np.array(opened.ids[:9]))
    answers = [opened.signals(asked(ids, torch.full((9,), view))).logits for view in (0, 5)]
    assert torch.equal(*answers)
    world.write(tmp_path / "several")
    with pytest.raises(GuideError, match="3 views of each example: name the one"):
        open_guide(tmp_path / "several", expect=Expectation(any_view=True))


def test_the_fingerprint_is_of_the_contents(world, guide, tmp_path):
    world.write(tmp_path / "again")
    world.write(tmp_path / "other", spec=SignalSpec(LogitsSpec("float16")))
    one, same, other = (open_guide(folder).fingerprint() for folder in (guide, tmp_path / "again", tmp_path / "other"))
    assert one == same != other


# --- scale ---


def test_open_files_and_memory_do_not_grow_with_shards(world, tmp_path):
    """A guide may have more shards than a process may open files."""
    world.write(tmp_path, batch_rows=16)
    opened = open_guide(tmp_path)
    before = open_files()
    opened.signals(some_batch(world, 150))
    assert sum(shard is not None for shard in opened._open) > 1
    assert open_files() == before


def test_ids_cost_no_memory(tmp_path):
    """At most 16 bytes an example; the index is mapped, so it is next to none."""
    n = 4_000_000
    np.save(tmp_path / "index.npy", np.arange(n, dtype=np.int64) * 3)
    plan = Plan(
        teacher=TeacherFacts(fingerprint="t"),
        data=DataFacts(fingerprint="d", examples=n),
        views=ViewFacts(fingerprint="v", seed=0, count=1, path="raw"),
        signals=SignalSpec(),
        outputs=10,
        rows_per_shard=n,
    )
    manifest = Manifest.model_construct(
        plan=plan, index=IndexFile(bytes=8 * n + 128, sha256="0" * 64), shards=(None,), sha256="0" * 64
    )
    gc.collect()
    before = anonymous()
    guide = Guide(manifest, Folder(tmp_path), check=False)
    ids = np.random.default_rng(0).integers(0, n, 100_000) * 3
    assert (guide.rows(ids, np.zeros(len(ids), np.int64)) == ids // 3).all()
    del ids
    gc.collect()
    assert anonymous() - before < 2 * n  # two bytes an example, and that is noise


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def anonymous():
    """Bytes of this process that the system cannot drop and read again."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def test_reading_maps_and_does_not_load(world, guide):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    opened = open_guide(guide)
    for _ in range(50):
        opened.signals(some_batch(world))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 20_000


# --- object stores ---


@pytest.fixture(params=["memory", "file"])
def remote(request, guide, tmp_path):
    """The guide at a URL, and its file system."""
    if request.param == "file":
        yield f"file://{guide}", fsspec.filesystem("file"), str(guide)
        return
    files = fsspec.filesystem("memory")
    files.put(str(guide), "/stored/guide", recursive=True)
    yield "memory://stored/guide", files, "/stored/guide"
    files.rm("/stored", recursive=True)


def test_from_an_object_store(world, remote, tmp_path):
    url, files, root = remote
    opened = open_guide(url, expect=expected(world), cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1, "the index; shards come when they are touched"
    batch = some_batch(world, 150)
    assert torch.equal(opened.signals(batch).logits, world.teacher.signals(batch).logits)
    files.rm(f"{root}/shards", recursive=True)
    assert torch.equal(opened.signals(batch).logits, world.teacher.signals(batch).logits)
    with pytest.raises(GuideError, match="lacks shards/00000"):
        open_guide(url, cache=tmp_path / "cache")


def test_copies_are_used_again_and_bad_ones_fetched_again(world, remote, tmp_path):
    url, cache, batch = remote[0], tmp_path / "cache", some_batch(world, 150)
    open_guide(url, cache=cache).signals(batch)
    copies = sorted(cache.iterdir())
    times = [path.stat().st_mtime_ns for path in copies]
    open_guide(url, cache=cache).signals(batch)
    assert [path.stat().st_mtime_ns for path in copies] == times
    for path in copies:
        flip(path, -1)
    opened = open_guide(url, cache=cache)
    assert torch.equal(opened.signals(batch).logits, world.teacher.signals(batch).logits)


def test_what_was_changed_there_is_refused(world, remote, tmp_path):
    url, files, root = remote
    content = bytearray(files.cat_file(f"{root}/shards/00000.safetensors"))
    content[-1] ^= 1
    files.pipe_file(f"{root}/shards/00000.safetensors", bytes(content))
    for check in (True, False):
        opened = open_guide(url, cache=tmp_path / "cache", check=check)
        with pytest.raises(GuideError, match=r"00000.safetensors was changed since it was written"):
            opened.signals(asked([int(opened.ids[0])], [0]))
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_no_guide_there(tmp_path):
    with pytest.raises(GuideError, match="holds no guide"):
        open_guide("memory://nothing/here", cache=tmp_path)
    with pytest.raises(GuideError, match="cannot be opened"):
        open_guide("gopher://guide", cache=tmp_path)


def test_a_cache_that_cannot_be_written(remote, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        open_guide(remote[0], cache=tmp_path / "file")


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    from limbeck.guide.store import open_store

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert open_store("memory://x/").cache == tmp_path / "limbeck" / "guides"


@pytest.mark.gpu
def test_on_a_gpu(world, tmp_path, make_teacher):
    """A teacher there, a student there: signals come on the student's device, from a file that a processor can read."""
    teacher = make_teacher()
    teacher.module.to("cuda")
    teacher.preprocess.to("cuda")
    world.but(teacher=teacher).write(tmp_path, device="cuda")
    batch = some_batch(world).to("cuda")
    told = open_guide(tmp_path).signals(batch).logits
    assert told.device.type == "cuda"
    assert torch.equal(told, teacher.signals(batch).logits)
