"""Terms that do nothing are said to do nothing."""

import json
from types import SimpleNamespace

import pytest

import limbeck as lk
from limbeck.core.progress import Silent
from limbeck.objectives import HardLabels, SoftTargets, WeightedSum
from limbeck.objectives.schedule import Constant, Decay, First, Late, Rise
from limbeck.runs.fit import _warn_of_idle_terms
from limbeck.runs.terms import early_words, notes_on_terms, shares


def rows(*values):
    return [
        {"step": n, "epoch": n, "values": {f"train/{k}": v for k, v in each.items()}} for n, each in enumerate(values)
    ]


def test_a_single_term_needs_no_words():
    assert notes_on_terms([rows({"soft-targets": 1.0})]) == []


def test_shares_are_told_and_an_idle_term_is_named():
    notes = notes_on_terms([rows({"hint": 0.001, "soft-targets": 1.0}, {"hint": 0.0, "soft-targets": 0.9})] * 2)
    assert "soft-targets 100%" in notes[0]
    assert notes[1].startswith("hint never had 1% of the loss")


@pytest.mark.parametrize("early", [0.02, 5.0])
def test_a_term_that_counted_once_is_not_idle(early):
    assert len(notes_on_terms([rows({"hint": early, "soft-targets": 1.0}, {"hint": 0.0, "soft-targets": 0.9})])) == 1


def test_the_gradient_counts_where_it_was_logged():
    row = {"hint": 1000.0, "soft-targets": 1.0, "gradient/hint": 0.004, "gradient/soft-targets": 0.996}
    assert shares(rows(row)[0]["values"]) == {"hint": 0.004, "soft-targets": 0.996}
    assert any("hint never had 1% of the gradient" in note for note in notes_on_terms([rows(row)]))


def test_logged_shares_are_no_terms():
    row = {"hint": 1.0, "soft-targets": 3.0, "share/hint": 0.25, "share/soft-targets": 0.75}
    assert shares(rows(row)[0]["values"]) == {"hint": 0.25, "soft-targets": 0.75}
    assert len(notes_on_terms([rows(row)])) == 1


IDLE = {"hint": 0.001, "soft-targets": 1.0}


def looks(*steps, **values):
    return [
        {"step": step, "epoch": 0, "values": {f"train/{k}": v for k, v in (values or IDLE).items()}} for step in steps
    ]


def said(history, objective=None, start=0, end=90, **more):
    objective = objective or SoftTargets(temperature=1) + 0.001 * HardLabels()
    return early_words(history, objective, start=start, end=end, **more)


def test_an_idle_term_is_named_at_the_first_look_after_a_third():
    when = [n for n in range(1, 10) if said(looks(*range(10, 10 * n + 1, 10)))]
    assert when == [3]
    words = said(looks(10, 20, 30))
    assert list(words) == ["hint"]
    assert "less than 1% of the loss in the first 33% of training" in words["hint"]
    assert "train.balance" in words["hint"]


def test_no_advice_is_given_that_a_recipe_would_refuse():
    """Beside a teacher that grows, train.balance is refused."""
    early = said(looks(10, 20, 30), grows=True)["hint"]
    late = notes_on_terms([rows(IDLE)], grows=True)[1]
    for words in (early, late):
        assert words.endswith("nothing: raise its weight, or leave it out.")
    assert "train.balance" in notes_on_terms([rows(IDLE)])[1]


def test_each_stage_is_looked_at_by_itself():
    assert said(looks(60, 100, 110, 120), start=90, end=180)
    assert not said(looks(100, 110), start=90, end=180)
    assert not said([]), "before the first look"
    words = said(looks(100, 110, 120), start=90, end=180, of="this stage")
    assert "in the first 33% of this stage" in words["hint"]


@pytest.mark.parametrize(
    ("history", "objective"),
    [
        (looks(10, 20, 30, hint=0.5, **{"soft-targets": 1.0}), None),
        (looks(10, 20, 30, hint=0.0), None),
        (looks(90), None),
        (looks(30), SoftTargets(temperature=1) + HardLabels() * Late(1.0, after=0.5)),
        (looks(30), WeightedSum([(1.0, SoftTargets(temperature=1)), (Decay(0.0, 1.0), HardLabels())])),
    ],
    ids=["not idle", "a single term", "the only look is the last", "begins late", "rises"],
)
def test_nothing_is_said_early_where_there_is_nothing_to_say(history, objective):
    assert said(history, objective) == {}


def test_a_jump_that_is_over_is_no_change_to_come():
    assert said(
        looks(30), WeightedSum([(1.0, SoftTargets(temperature=1)), (First(0.01, share=0.2, end=0.001), HardLabels())])
    )


@pytest.mark.parametrize(
    ("schedule", "steady"),
    [
        (Constant(0.001), True),
        (First(0.001, share=0.95, end=5.0), False),
        (First(0.001, share=0.34, end=5.0), False),
        (First(5.0, share=0.3, end=0.001), True),
        (First(0.001, share=1.0, end=5.0), True),
        (First(0.001, share=0.9, end=0.001), True),
        (Late(5.0, after=0.99), False),
        (Late(0.001, after=1 / 3), True),
        (Decay(0.001, 5.0), False),
        (Decay(0.001, 0.001), True),
        (Rise(5.0, share=1.0), False),
        (Rise(0.001, share=0.2), True),
    ],
    ids=str,
)
def test_words_wait_for_every_change_that_is_still_to_come(schedule, steady):
    """The change is looked for at every step there is: no step is at the very end."""
    weights = {schedule.at(step / 9000) for step in range(3000, 9000)}
    assert (len(weights) == 1) is steady
    objective = WeightedSum([(1.0, SoftTargets(temperature=1)), (schedule, HardLabels())])
    assert bool(said(looks(30), objective)) is steady


class Diary(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.mark.parametrize(("stages", "whose"), [(1, "of training"), (2, "of this stage")])
def test_a_share_is_said_to_be_of_what_it_is_a_share_of(stages, whose):
    objective = WeightedSum([(1.0, SoftTargets(temperature=1)), (0.001, HardLabels())])
    job = SimpleNamespace(name="student", role="student")
    shop = SimpleNamespace(said=set(), reporter=Diary(), teacher=None)
    last = 90 * (stages - 1)
    history = looks(last + 10, last + 20, last + 30)
    _warn_of_idle_terms(job, shop, [SimpleNamespace(objective=objective, steps=90)] * stages, history)
    (line,) = shop.reporter.said
    assert f"in the first 33% {whose}, so" in line


def test_a_run_says_once_and_early_what_the_report_says_at_its_end(tiny, tmp_path, quick):
    diary = Diary()
    terms = [{"method": "soft-targets", "temperature": 2.0}, {"method": "hard-labels", "weight": 1e-4}]
    recipe = tiny(
        objective=terms, verdict={"seeds": 2, "arms": []}, tune={"trials": 0}, train={"epochs": 1, "evaluations": 4}
    )
    run = lk.distil(recipe=recipe, out=tmp_path / "run", progress=diary)
    early = [line for line in diary.said if "hard-labels has had less than 1% of the loss" in line]
    assert len(early) == 1
    assert early[0].startswith("student, seed 3: ")
    assert any(note.startswith("hard-labels never had 1% of the loss") for note in run.record.notes)
    rows = [row["values"] for done in tmp_path.glob("run/checkpoints/*/done.json") for row in history(done)]
    shared = [row for row in rows if "train/share/hard-labels" in row]
    assert len(shared) == 2 * 4, "at each look of each seed; the teacher and the baseline have one term"
    for row in shared:
        assert row["train/share/hard-labels"] + row["train/share/soft-targets"] == pytest.approx(1)


def history(done):
    return json.loads(done.read_text())["history"]
