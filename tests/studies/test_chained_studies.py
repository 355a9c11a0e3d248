"""Studies in which a trained model teaches the next: born-again generations, assistants; and several teachers."""

import json

import numpy as np
import pytest
import torch

import limbeck as lk
from limbeck.core.progress import Silent
from limbeck.errors import InputError
from limbeck.measuring.pooled import pooled
from limbeck.runs.clock import Clock
from limbeck.runs.given import Given
from limbeck.runs.teacher import student_as_teacher
from limbeck.studies import page
from limbeck.studies.conduct import conduct
from limbeck.studies.design import Options
from limbeck.studies.kinds import born_again, ensembles
from limbeck.verbs.planning import planned

ONE = {"train": {"family": "wide-mlp", "width": 24, "depth": 1, "epochs": 2}}
TINY = {
    "seed": 3,
    "data": {"train": "digits"},
    "teacher": ONE,
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "objective": {"method": "soft-targets", "temperature": 1},
    "train": {"epochs": 2, "batch_size": 128, "learning_rate": 0.01, "evaluations": 2},
    "tune": {"trials": 0},
    "verdict": {"seeds": 2},
    "runtime": {"threads": 1},
}


@pytest.fixture(scope="module")
def born(tmp_path_factory):
    return lk.study(kind="born-again", recipe=TINY, out=tmp_path_factory.mktemp("born") / "s", generations=2)


def logits(found, name):
    return [np.load(found.folder / seed.predictions.path)["logits"] for seed in found.record.arm(name).seeds]


def test_every_seed_is_a_lineage_of_its_own(tmp_path):
    """Generation 1 of seed s is what its generation 0 teaches by hand; the other seed's would teach another one."""
    plan = planned(TINY, Given(), {})
    design = born_again.design(plan, Options(generations=1))
    folder = tmp_path / "checkpoints"
    trained, taught = conduct(design, tmp_path, Clock(folder / "timing.json"), Silent())
    assert not taught
    for place in (0, 1):
        fitted = trained["generation 1"].fitted[place]
        own = trained["generation 1"].member.plan
        live = student_as_teacher(plan, trained["generation 0"].fitted[place]).live
        other = tmp_path / f"by-hand-{place}"
        shop = plan.shop(other, Silent())
        shop = type(shop)(**{**vars(shop), "teacher": live, "teacher_fingerprint": "by hand"})
        again = own.trained(own.arms[0], {}, shop=shop, seed=fitted.job.seed, steps=own.steps)
        for name, value in fitted.model().state_dict().items():
            assert torch.equal(value, again.model().state_dict()[name]), name


def test_generations_begin_apart_and_controls_where_the_first_one_did(born):
    seeds = {arm.name: [seed.seed for seed in arm.seeds] for arm in born.record.arms}
    assert seeds["generation 0"] == [3, 4]
    assert seeds["generation 1"] == seeds["cwtm"] == seeds["dkpp"]
    apart = [tuple(seeds[name]) for name in ("generation 0", "generation 1", "generation 2", "generation 0, set 2")]
    assert len({seed for each in apart for seed in each}) == 8
    assert [arm.tutor for arm in born.record.arms[:3]] == [None, "generation 0", "generation 1"]


def test_agreement_is_with_the_teacher_of_the_same_seed(born):
    ours, theirs = logits(born, "generation 2"), logits(born, "generation 1")
    for place, seed in enumerate(born.record.arm("generation 2").seeds):
        assert seed.agreement == pytest.approx(np.mean(ours[place].argmax(1) == theirs[place].argmax(1)))


def test_an_ensemble_is_the_mean_of_probabilities(born):
    target = np.load(born.folder / "predictions/test.npz")["target"]
    found = {each.name: each for each in born.record.findings}
    for name, arms in {
        born_again.TOGETHER: ("generation 1", "generation 2"),
        born_again.ALIKE: ("generation 0", "generation 0, set 2"),
    }.items():
        chances = [torch.from_numpy(np.stack(logits(born, arm))).double().softmax(-1) for arm in arms]
        right = (torch.stack(chances).mean(0).argmax(-1).numpy() == target).mean()
        assert found[name].value == pytest.approx(right)


def test_pooling_one_model_is_the_model():
    one = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert pooled([one, one]).argmax(1).tolist() == one.argmax(1).tolist()
    assert np.allclose(np.exp(pooled([one])).sum(1), 1, atol=1e-6)


def test_more_generations_train_only_what_is_new(born):
    done = {path: path.stat().st_mtime_ns for path in born.folder.glob("checkpoints/*/done.json")}
    more = lk.study(kind="born-again", recipe=TINY, out=born.folder, generations=3)
    assert [arm.name for arm in more.record.arms if arm.line == "generations"][-1] == "generation 3"
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    assert more.record.arm("generation 2").seeds == born.record.arm("generation 2").seeds


def test_what_makes_no_lineage_is_refused(tmp_path):
    alone = {**TINY, "objective": {"method": "hard-labels"}}
    with pytest.raises(InputError, match="listens to no teacher"):
        lk.study(kind="born-again", recipe=alone, out=tmp_path / "a")
    with pytest.raises(InputError, match="at least 1"):
        lk.study(kind="born-again", recipe=TINY, out=tmp_path / "b", generations=0)
    assert not any(tmp_path.iterdir())


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    recipe = {**TINY, "teacher": {"ensemble": [ONE, ONE]}}
    return lk.study(kind="ensembles", recipe=recipe, out=tmp_path_factory.mktemp("several") / "s")


def test_all_rules_hear_the_same_teachers(several):
    trained = [json.loads(path.read_text())["name"] for path in several.folder.glob("checkpoints/*/done.json")]
    assert sum(name.startswith("teacher") and "seed" not in name for name in trained) == 2
    arms = {arm.name: arm for arm in several.record.arms}
    assert list(arms)[:3] == ["no teacher", "teacher 1", "teacher 2"]
    taught = [arms[name].seeds[0].predictions.sha256 for name in list(arms)[1:]]
    assert len(set(taught)) == len(taught)  # no two rules say the same
    params = {each.name: each.params for each in several.record.teachers}
    assert params["mean-of-logits"] == params["teacher-1"] + params["teacher-2"]


def test_rules_that_share_guides_share_what_these_took(several):
    took = {each.name: each.labelling_s for each in several.record.teachers}
    shared = {took[name] for name in ("mean-of-probabilities", "mean-of-logits", "by-confidence")}
    assert len(shared) == 1
    assert 0 < took["one-at-random-a-view"] not in shared


def test_rules_are_measured_against_the_teacher_that_validation_names(several):
    rules = [arm.name for arm in several.record.arms if arm.line == "several teachers"]
    first = [each for each in several.record.comparisons if each.against != "no teacher"]
    assert [each.arm for each in first] == rules
    assert {each.against for each in first} <= {"teacher 1", "teacher 2"}
    assert len({each.against for each in first}) == 1


def test_rules_under_which_one_teacher_speaks_show_what_it_reaches_alone(several):
    study = several.record
    alone = {each.name: each.quality.value for each in study.teachers}
    mean = (alone["teacher-1"] + alone["teacher-2"]) / 2
    (table,) = ensembles.view(study).tables
    place = table.head.index("Teacher's own")
    cells = {row[0]: row[place] for row in table.rows}
    for name in ("one at random a step", "one at random a view"):
        assert cells[name] == f"{100 * mean:.1f}%, each alone"
    assert cells["mean of probabilities"].startswith(f"{100 * alone['mean-of-probabilities']:.1f}% (")
    told = {each.name: each.about for each in study.teachers}
    assert told["one-at-random-a-step"].endswith("measured by the mean of their probabilities")
    assert any("each example keeps one teacher" in note for note in study.notes)


def test_one_teacher_is_no_ensemble(tmp_path):
    with pytest.raises(InputError, match="needs several teachers"):
        lk.study(kind="ensembles", recipe=TINY, out=tmp_path / "s")


@pytest.fixture(scope="module")
def assisted(tmp_path_factory):
    teachers = [{**ONE, "via": [{"family": "mlp", "width": 16, "depth": 1}]}]
    return lk.study(kind="teachers", recipe=TINY, out=tmp_path_factory.mktemp("via") / "s", teachers=teachers)


def test_assistants_stand_between_teacher_and_student(assisted):
    straight, assistant, student = assisted.record.arms[1:]
    assert (assistant.line, assistant.tutor) == ("assistant", straight.tutor)
    assert student.tutor == assistant.name
    assert straight.name in {each.against for each in assisted.record.comparisons if each.arm == student.name}
    assert all(each.arm != assistant.name for each in assisted.record.comparisons)


@pytest.mark.parametrize("kind", ["born", "several", "assisted"])
def test_their_pages_show_every_arm(kind, request):
    record = request.getfixturevalue(kind).record
    text = page.render(record).replace("&gt;", ">")
    assert all(f">{arm.name}<" in text for arm in record.arms)
    assert record.answer[0][:30] in text
