"""Verify finds what is wrong and nothing else; info says what is inside."""

import json

import numpy as np
import pytest
import torch

from limbeck.core.signals import Signals
from limbeck.errors import GuideError, InputError
from limbeck.guide.compare import compare
from limbeck.guide.info import info
from limbeck.guide.spec import FeatureSpec, LogitsSpec, SampledSpec, SignalSpec, TopKSpec
from limbeck.guide.verify import verify

SPECS = [
    SignalSpec(),
    SignalSpec(LogitsSpec("float16")),
    SignalSpec(TopKSpec(3, (1.0, 2.0))),
    SignalSpec(SampledSpec(6)),
    SignalSpec(None, {"1": FeatureSpec("float16"), "2": FeatureSpec("int8")}),
]


@pytest.fixture
def tapped(world, make_teacher):
    return world.but(teacher=make_teacher(taps=("1", "2")))


def again(world, folder, **settings):
    return verify(folder, **({"teacher": world.teacher, "source": world.source, "views": world.views} | settings))


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_sound_guide(tapped, tmp_path, spec):
    tapped.write(tmp_path, spec=spec)
    hashed = verify(tmp_path)
    assert hashed.ok
    assert hashed.files == 7
    assert hashed.max_error is None
    asked = again(tapped, tmp_path, sample=100)
    assert asked.ok, asked.findings
    assert (asked.rows, asked.exact, asked.max_error) == (100, 100, 0.0)
    assert again(tapped, tmp_path, sample=10_000).rows == 450


class Off:
    """The teacher, a little different; it says that it is the same."""

    def __init__(self, teacher, amount):
        self.teacher, self.amount = teacher, amount

    def fingerprint(self):
        return self.teacher.fingerprint()

    def signals(self, batch):
        told = self.teacher.signals(batch)
        features = {path: values + self.amount for path, values in told.features.items()}
        logits = told.logits + self.amount * torch.arange(told.logits.shape[1])
        return Signals(logits=logits, features=features)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_teacher_that_says_something_else(tapped, tmp_path, spec):
    tapped.write(tmp_path, spec=spec)
    found = again(tapped, tmp_path, teacher=Off(tapped.teacher, 3.0))
    assert not found.ok
    assert {finding.where for finding in found.findings} == {"rows"}
    assert "example" in found.findings[0].what
    assert "view" in found.findings[0].what


def test_the_last_bit_counts_in_float32_only(tapped, tmp_path):
    for number, spec in enumerate(SPECS):
        tapped.write(tmp_path / str(number), spec=spec)
        found = again(tapped, tmp_path / str(number), teacher=Off(tapped.teacher, 1e-6))
        assert found.ok == (number != 0), (spec, found.findings)
    assert found.max_error < 1e-2


def test_indices_on_the_edge_may_differ():
    index = np.tile(np.arange(4, dtype=np.uint8), (100, 1))
    other = index.copy()
    other[7, 3] = 9
    assert compare({"index": index}, {"index": index[:, ::-1]}).wrong == ()
    assert compare({"index": index}, {"index": other}).wrong == ()
    other[:50, 3] = 9
    assert compare({"index": index}, {"index": other}).wrong == (
        (0, "12% of the stored classes in this batch are not the teacher's"),
    )


def test_damage(world, tmp_path):
    world.write(tmp_path)
    shards = tmp_path / "shards"
    content = bytearray((shards / "00001.safetensors").read_bytes())
    content[-1] ^= 1
    (shards / "00001.safetensors").write_bytes(bytes(content))
    (shards / "00003.safetensors").write_bytes(content[:-8])
    (shards / "00005.safetensors").unlink()
    found = again(world, tmp_path)
    assert [finding.where for finding in found.findings] == [f"shards/0000{n}.safetensors" for n in (1, 3, 5)]
    assert found.rows == 0, "a damaged guide is not compared"
    for finding, says in zip(found.findings, ("was changed", "cut off", "lacks"), strict=True):
        assert says in finding.what


def test_other_teacher_data_and_views(world, tmp_path, make_teacher, make_data):
    world.write(tmp_path)
    assert [f.where for f in again(world, tmp_path, teacher=make_teacher(seed=1)).findings] == ["teacher"]
    assert [f.where for f in again(world, tmp_path, source=make_data(seed=1)).findings] == ["data"]
    assert [f.where for f in again(world, tmp_path, views=type(world.views)()).findings] == ["views"]


def test_a_teacher_alone_is_not_enough(world, tmp_path):
    world.write(tmp_path)
    with pytest.raises(InputError, match="source, views"):
        verify(tmp_path, teacher=world.teacher)


def test_unfinished_guides_cannot_be_verified(world, tmp_path):
    world.write(tmp_path, rank=0, world=2)
    with pytest.raises(GuideError, match="not finished"):
        verify(tmp_path)


def test_info(world, tmp_path):
    manifest = world.write(tmp_path)
    facts = info(tmp_path)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["finished"]
    assert facts["teacher"]["licence"] == "MIT"
    assert facts["bytes_per_example"] == 60
    assert facts["bytes"] == manifest.bytes == sum(s.bytes for s in manifest.shards) + manifest.index.bytes
    assert (facts["rows"], facts["shards"], facts["classes"]) == (450, 6, 5)


def test_info_of_an_unfinished_guide(world, tmp_path):
    world.write(tmp_path, rank=1, world=3)
    facts = info(tmp_path)
    assert not facts["finished"]
    assert (facts["shards_done"], facts["rows_done"]) == (2, 160)
    with pytest.raises(GuideError, match="no guide"):
        info(tmp_path / "nothing")
