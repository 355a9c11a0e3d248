"""The demo: an honest story in which a teacher helps, told on embedded data."""

import pytest
import yaml

import limbeck as lk
from limbeck import record as records
from limbeck.errors import RunFolderError
from limbeck.recipe import load
from limbeck.runs import measured
from limbeck.runs.given import Given
from limbeck.runs.plan import plan
from limbeck.verbs import demo as verb


def test_the_recipe_tells_the_story():
    recipe = load(verb.RECIPE)
    made = plan(recipe, Given())
    splits = made.splits
    assert [arm.role for arm in made.arms] == ["student", "baseline", "teacher-labels"]
    assert [len(arm.candidates) for arm in made.arms] == [6, 6, 6]
    seen = len(splits.labelled) + len(splits.validation)
    assert seen / (len(splits.transfer) + len(splits.validation)) == pytest.approx(0.1, abs=0.02)
    assert (splits.transfer.labels < 0).sum() > 1000
    assert len(splits.teacher) == len(splits.transfer)  # it exists: it knew all labels but validation's
    assert recipe.verdict.seeds >= 3
    assert recipe.teacher.min_quality is not None


@pytest.fixture
def short_recipe(tmp_path, monkeypatch):
    """The demo's recipe, each training a step or two long."""
    values = yaml.safe_load(verb.RECIPE.read_text())
    values["teacher"] = {"train": {**values["teacher"]["train"], "width": 4, "epochs": 1}}
    values["train"] |= {"epochs": 1, "batch_size": 512}
    values["tune"] |= {"trials": 2, "finalists": 1}
    values["verdict"]["seeds"] = 3
    values["runtime"] = {"threads": 1}
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump(values))
    monkeypatch.setattr(verb, "RECIPE", path)
    costs = measured.Costs(params=1, macs=1, size_bytes=1, peak_memory_bytes=None, latency_ms=[], note=None)
    monkeypatch.setattr("limbeck.runs.measured.costs", lambda *_: costs)
    monkeypatch.setattr("limbeck.pipeline.ship", lambda *_: [])
    monkeypatch.setattr("limbeck.pipeline.render.write", lambda _: None)


def test_it_runs_where_it_is_told_and_goes_on_there(short_recipe, tmp_path, monkeypatch):
    run = lk.demo(out=tmp_path / "demo")
    assert run.folder == tmp_path / "demo"
    assert run.record.name == "demo"
    assert run.verdict is not None
    assert [comparison.against for comparison in run.record.comparisons] == ["teacher-labels"]
    monkeypatch.setattr("limbeck.runs.fit.train", lambda *_, **__: pytest.fail("trained again"))
    assert lk.demo(out=tmp_path / "demo").verdict == run.verdict


def test_it_leaves_other_folders_alone(short_recipe, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunFolderError, match="choose another --out"):
        lk.demo(out=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.nightly
def test_the_whole_demo_shows_what_helped(tmp_path):
    run = lk.demo(out=tmp_path / "demo")
    record = records.read(run.folder)
    assert record.verdict.outcome == "beats"
    assert record.verdict.difference > 0.05
    teacher, student, *_ = record.models
    assert teacher.quality["test"]["accuracy"].value > 0.97
    assert student.params < teacher.params / 10
    assert [export.parity.agreement for export in record.exports] == [1.0]
    assert run.report.stat().st_size < 5_000_000
