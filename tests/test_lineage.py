"""Chains of distillations: which runs they are, that a stopped one goes on, and when they end."""

import json
import re

import pytest

import limbeck as lk
from limbeck import pipeline
from limbeck.errors import BundleError, InputError, Interrupted
from limbeck.lineage import chain as lineage
from limbeck.recipe import from_mapping, load
from limbeck.runs import stages

TINY = {
    "data": {"train": "digits", "keep_labels": 0.3},
    "teacher": {"train": {"family": "mlp", "width": 16, "depth": 1, "epochs": 2}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "objective": {"method": "soft-targets", "temperature": 1},
    "train": {"epochs": 1, "batch_size": 128, "learning_rate": 0.01, "evaluations": 1},
    "tune": {"trials": 0},
    "verdict": {"seeds": 1, "arms": []},
    "runtime": {"threads": 1},
}


def recipe_of(**how):
    return {**TINY, "lineage": how}


def test_generations_are_one_recipe_with_seeds_of_their_own():
    chain = lineage.links(from_mapping(recipe_of(generations=3)))
    assert [link.verdict.first_seed for link in chain] == [None, 1000, 2000]
    assert {link.seed for link in chain} == {0}, "the data are divided alike, so that nobody has seen the others' test"
    assert all(link.lineage is None and link.student == chain[0].student for link in chain)


def test_long_names_stay_names():
    chain = lineage.links(from_mapping({**recipe_of(generations=2), "name": "a" + 63 * "-"}))
    assert [from_mapping({**TINY, "name": link.name}).name for link in chain] == [link.name for link in chain]


def test_assistants_lead_to_the_student():
    chain = lineage.links(from_mapping(recipe_of(via=[{"family": "mlp", "width": 12}])))
    assert [link.student.settings["width"] for link in chain] == [12, 8]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"generations": 2, "via": [{"width": 4}]}, "one of both"),
        ({"generations": 1}, "plain run"),
        ({"via": [{"module": "mine:make"}]}, "a family"),
        ({"via": [{"family": "vgg"}]}, "vgg"),
        ({"generations": 0}, "generations"),
    ],
    ids=["both", "none", "module", "unknown", "zero"],
)
def test_chains_that_are_none_are_refused(how, words):
    with pytest.raises(InputError, match=words):
        from_mapping(recipe_of(**how))


def test_a_chain_that_was_stopped_goes_on_with_the_link_that_was_not_done(tmp_path, monkeypatch):
    recipe, ran = recipe_of(generations=2, stop_early=False), []
    whole = pipeline.run

    def noted(plan, folder, reporter):
        ran.append(folder.name)
        if folder.name == "2" and len(ran) == 2:
            raise KeyboardInterrupt
        return whole(plan, folder, reporter)

    monkeypatch.setattr(pipeline, "run", noted)
    with pytest.raises(Interrupted):
        lk.distil(recipe=recipe, out=tmp_path / "chain")
    run = lk.distil(recipe=recipe, out=tmp_path / "chain")
    assert ran == ["1", "2", "2"]
    told = json.loads((tmp_path / "chain" / "lineage.json").read_text())
    assert [each["folder"] for each in told["generations"]] == ["1", "2"]
    first, second = told["generations"]
    assert second["teacher_test"] == pytest.approx(first["test"]["value"]), "it is that student"
    assert told["together"]["test"]["value"] == pytest.approx(told["together"]["shipped_test"]), "of one seed"
    assert run.folder.name == str(told["best"] + 1)
    assert run.lineage.model_dump(mode="json") == told
    again = lk.distil(recipe=recipe, out=tmp_path / "chain")
    assert (ran, again.record) == (["1", "2", "2"], run.record)
    best = str(run.folder)
    with pytest.raises(
        BundleError, match=re.escape(f"a lineage, each generation a run of its own; give one, such as {best} ")
    ):
        lk.predict(bundle=tmp_path / "chain", inputs=[])


def test_a_chain_that_was_moved_goes_on_and_trains_only_what_is_missing(tmp_path, monkeypatch):
    recipe, ran = recipe_of(generations=3, stop_early=False), []
    fitted = stages.seeds

    def counted(plan, arm, settings, shop):
        if arm.role == "student":
            ran.append(str(shop.folder.parent.relative_to(tmp_path)))
        if len(ran) == 2 and ran[-1] == "here/2":
            raise KeyboardInterrupt  # the second link has a teacher and a guide, and no student yet
        return fitted(plan, arm, settings, shop)

    monkeypatch.setattr(stages, "seeds", counted)
    with pytest.raises(Interrupted):
        lk.distil(recipe=recipe, out=tmp_path / "here")
    moved = tmp_path / "elsewhere" / "chain"
    moved.parent.mkdir()
    (tmp_path / "here").rename(moved)
    run = lk.distil(recipe=recipe, out=moved)
    assert ran == ["here/1", "here/2", "elsewhere/chain/2", "elsewhere/chain/3"]
    assert not (tmp_path / "here").exists()
    moved.rename(tmp_path / "there")
    again = lk.distil(recipe=recipe, out=tmp_path / "there")
    assert (len(ran), again.lineage, again.record) == (4, run.lineage, run.record), "a finished one is read"
    link = load(tmp_path / "there" / "2" / "recipe.yaml")
    assert link.teacher.from_ == str(tmp_path / "there" / "1" / "student"), "a link's recipe finds its teacher"


def test_it_ends_where_a_generation_gains_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "_no_better", lambda *_: True)
    run = lk.distil(recipe=recipe_of(generations=3), out=tmp_path / "chain")
    assert len(run.lineage.generations) == 2
    assert "no better than generation 1" in run.lineage.stopped


def test_a_folder_of_a_single_run_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="single run"):
        lk.distil(recipe=recipe_of(generations=2), out=tmp_path / "run")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty"):
        lk.distil(recipe=recipe_of(generations=2), out=tmp_path)


def test_check_says_how_many_runs_it_is():
    assert any("2 runs" in note for note in lk.check(recipe=recipe_of(generations=2)).notes)
