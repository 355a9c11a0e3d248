"""Weighted sums: arithmetic, schedules, names, text, and when the teacher is asked."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from limbeck import objectives
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives import (
    DKD,
    METHODS,
    Constant,
    Decay,
    First,
    HardLabels,
    Late,
    Needs,
    Objective,
    Rise,
    SoftTargets,
    TeacherLabels,
    WeightedSum,
    as_sum,
)
from limbeck.objectives.schedule import as_schedule
from limbeck.objectives.text import number
from limbeck.recipe.settings import loaded

from .worlds import logits_world

WORLD = logits_world(torch.Generator().manual_seed(0))
WHOLE = WORLD.student, WORLD.teacher, WORLD.batch


def terms(objective, progress=0.0, world=WORLD):
    return {name: term.item() for name, term in as_sum(objective)(*WHOLE, progress).items()}


def alone(objective):
    return sum(term.item() for term in objective(*WHOLE).values())


class Silent(Objective):
    """Says which parts were asked."""

    def __init__(self, *, teacher=False, taps=(), couples=False, name="hard-labels"):
        super().__init__()
        self.asked, self.teacher, self.taps, self.couples_batch, self.term = 0, teacher, taps, couples, name

    def needs(self):
        return Needs(teacher=self.teacher, labels=True, student_taps=self.taps, teacher_taps=self.taps[:1])

    def terms(self, student, teacher, batch):
        self.asked += 1
        return {self.term: torch.ones(())}


def test_arithmetic():
    soft, hard = SoftTargets(2.0), HardLabels()
    for made in (
        0.9 * soft + 0.1 * hard,
        soft * 0.9 + hard * 0.1,
        0.1 * (9 * soft) + 0.05 * (2 * hard),
        WeightedSum([(0.9, soft), (0.1, hard)]),
    ):
        assert terms(made) == pytest.approx({"soft-targets": 0.9 * alone(soft), "hard-labels": 0.1 * alone(hard)})
    assert terms(0.5 * (soft + hard) + TeacherLabels())["teacher-labels"] == pytest.approx(alone(TeacherLabels()))
    assert terms(soft + 2 * hard + soft) == pytest.approx(
        {"soft-targets": alone(soft), "hard-labels": 2 * alone(hard), "soft-targets-2": alone(soft)}
    )
    assert [str(part) for part in (soft + (hard + TeacherLabels())).parts] == [
        "SoftTargets(temperature=2)", "HardLabels()", "TeacherLabels()",
    ]  # fmt: skip


def test_nothing_is_changed_in_place():
    soft, hard = SoftTargets(2.0), HardLabels()
    first = soft + hard
    texts = str(first)
    _ = 2 * first, first + TeacherLabels()
    assert str(first) == texts
    assert next(iter(first.parts)) is soft


def test_a_weight_of_one_is_exact():
    assert terms(SoftTargets())["soft-targets"] == alone(SoftTargets())


@given(st.floats(0, 1, exclude_max=True))
def test_constant_stays(progress):
    assert Constant(0.3).at(progress) == 0.3


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 1), st.floats(0, 10))
def test_decay_is_a_straight_line(start, end, progress, factor):
    schedule = Decay(start, end)
    assert schedule.at(0.0) == start
    assert schedule.at(1.0) == pytest.approx(end)
    assert min(start, end) - 1e-12 <= schedule.at(progress) <= max(start, end) + 1e-12
    middle = (schedule.at(0.2) + schedule.at(0.6)) / 2
    assert schedule.at(0.4) == pytest.approx(middle)
    assert schedule.scaled(factor).at(progress) == pytest.approx(factor * schedule.at(progress))


@given(st.floats(0, 10), st.floats(0.01, 1), st.floats(0, 10), st.floats(0, 1, exclude_max=True))
def test_first_jumps_once(value, share, end, progress):
    assert First(value, share, end).at(progress) == (value if progress < share else end)
    assert First(value, share, end).scaled(2.0) == First(2 * value, share, 2 * end)


@pytest.mark.parametrize("steps", [1, 3, 10, 100, 1438])
def test_first_takes_its_share_of_the_steps(steps):
    taught = sum(First(1.0, share=0.3).at(step / steps) > 0 for step in range(steps))
    assert taught == -(-3 * steps // 10)


@given(st.floats(0, 10), st.floats(0.01, 0.99), st.floats(0, 1, exclude_max=True))
def test_late_begins_where_first_ends(value, share, progress):
    late = Late(value, after=share)
    assert late.at(progress) == First(0.0, share, value).at(progress)
    assert late.at(progress) + First(value, share).at(progress) == value
    assert late.scaled(2.0) == Late(2 * value, share)


@pytest.mark.parametrize("steps", [1, 3, 10, 100, 1438])
def test_early_and_late_share_all_steps(steps):
    """One of both speaks at every step, whichever share: they jump at one and the same number."""
    for share in (0.3, 1 / 3, 0.7, 2 / 3):
        objective = First(1.0, share=share) * SoftTargets() + Late(1.0, after=share) * HardLabels()
        as_sum(objective)
        early = sum(objective.needs_teacher(step / steps) for step in range(steps))
        late = sum(Late(1.0, after=share).at(step / steps) > 0 for step in range(steps))
        assert early + late == steps


def test_late_from_the_beginning_is_constant():
    assert Late(0.3, after=0).at(0.0) == 0.3


def test_schedules_weigh_terms():
    objective = Decay(1.0, 0.5) * SoftTargets() + First(0.2, share=0.5, end=0.1) * HardLabels()
    soft, hard = alone(SoftTargets()), alone(HardLabels())
    assert terms(objective, 0.0) == pytest.approx({"soft-targets": soft, "hard-labels": 0.2 * hard})
    assert terms(objective, 0.75) == pytest.approx({"soft-targets": 0.625 * soft, "hard-labels": 0.1 * hard})


def test_the_teacher_is_not_asked_where_its_weight_is_0():
    early, hard = First(1.0, share=0.4) * SoftTargets(), HardLabels()
    objective = early + hard
    assert objective.needs().teacher
    assert [objective.needs_teacher(p) for p in (0.0, 0.39, 0.4, 0.9)] == [True, True, False, False]
    assert list(objective(WORLD.student, None, WORLD.batch, 0.5)) == ["hard-labels"]
    assert not (0 * SoftTargets() + hard).needs_teacher(0.0)
    assert not as_sum(hard).needs_teacher(0.0)


def test_the_teacher_is_not_asked_before_it_begins():
    objective = Late(1.0, after=0.4) * SoftTargets() + HardLabels()
    assert [objective.needs_teacher(p) for p in (0.0, 0.39, 0.4, 0.9)] == [False, False, True, True]
    assert list(objective(WORLD.student, None, WORLD.batch, 0.1)) == ["hard-labels"]


def test_a_part_of_weight_0_is_not_computed():
    idle, busy = Silent(), Silent(name="busy")
    objective = WeightedSum([(First(1.0, 0.5), idle), (1.0, busy)])
    objective(*WHOLE, 0.7)
    assert (idle.asked, busy.asked) == (0, 1)


def test_needs_are_those_of_all_parts():
    objective = Silent(taps=("a", "b"), teacher=True) + Silent(taps=("b", "c")) + SoftTargets()
    assert objective.needs() == Needs(teacher=True, labels=True, student_taps=("a", "b", "c"), teacher_taps=("a", "b"))
    assert not objective.couples_batch
    assert (objective + Silent(couples=True)).couples_batch


def test_terms_are_named_apart_and_keep_their_names():
    """Also when the first of them falls silent, or another method logs under the same name."""
    objective = First(1.0, share=0.5) * SoftTargets(1.0) + SoftTargets(4.0) + 0.5 * SoftTargets(8.0)
    before, after = terms(objective, 0.0), terms(objective, 0.6)
    assert list(before) == ["soft-targets", "soft-targets-2", "soft-targets-3"]
    assert after == {name: before[name] for name in ("soft-targets-2", "soft-targets-3")}
    assert list(terms(HardLabels() + Silent() + Silent())) == ["hard-labels", "hard-labels-2", "hard-labels-2-2"]


TEXTS = (
    "0.9 * SoftTargets(temperature=2) + 0.1 * HardLabels()",
    "1 * HardLabels(label_smoothing=0.1)",
    "Decay(1, 0.25) * SoftTargets(temperature=0.5, classes=[3, 1]) + 1 * TeacherLabels(label_smoothing=0.05)",
    "First(1, share=0.3, end=0) * SoftTargets(temperature=1e-07) + 1 * HardLabels()",
    "Late(0.5, after=0.3) * SoftTargets(temperature=2) + 1 * HardLabels()",
    "Rise(1, share=0.08333333333333333) * DKD() + 1 * HardLabels()",
    "0.3333333333333333 * SoftTargets(temperature=2.0000001)",
)


@pytest.mark.parametrize("text", TEXTS)
def test_text_there_and_back(text):
    again = eval(text, vars(objectives).copy())
    assert str(again) == text
    assert str(eval(str(again), vars(objectives).copy())) == text


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_the_text_of_a_number_reads_back(value):
    assert float(number(value)) == value


def test_the_text_tells_close_settings_apart():
    """It goes into the fingerprint of a run."""
    assert str(SoftTargets(2.0)) != str(SoftTargets(2.0 + 1e-9))
    assert str(0.1 * HardLabels()) != str((0.1 + 1e-12) * HardLabels())
    assert str(First(1.0, share=1 / 3) * HardLabels()) != str(First(1.0, share=0.333333) * HardLabels())


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ([], "name at least one"),
        ([(0.0, SoftTargets())], "every weight is 0"),
        ([(0, SoftTargets()), (0.0, HardLabels())], "every weight is 0"),
        ([(Decay(0.0, 0.0), HardLabels())], "every weight is 0"),
        ([(Decay(0.0, 1.0), HardLabels())], "every weight is 0"),
        ([(First(1.0, share=0.3), SoftTargets())], "from 30% of training on every weight is 0"),
        ([(First(0.0, share=0.3, end=1.0), SoftTargets())], "every weight is 0"),
        ([(First(1.0, share=0.3), SoftTargets()), (First(0, share=0.5, end=1), HardLabels())], "from 30%"),
        ([(Rise(1.0), SoftTargets())], "at the first step, from which weights rise, every weight is 0"),
        ([(Decay(0.0, 1.0), SoftTargets()), (Rise(1.0), HardLabels())], "at the first step"),
        ([(Rise(0.0), HardLabels())], "objective: every weight is 0"),
        ([(Rise(1.0, share=0.5), SoftTargets()), (Late(1.0, after=0.3), HardLabels())], "at the first step"),
        ([(Late(1.0, after=0.3), SoftTargets())], "objective: every weight is 0"),
        ([(Late(0.0, after=0.3), SoftTargets()), (First(1.0, share=0.3), HardLabels())], "from 30%"),
        ([(First(1.0, share=0.3), SoftTargets()), (Late(1.0, after=0.5), HardLabels())], "from 30%"),
    ],
)
def test_sums_that_teach_nothing_for_a_while(parts, named):
    with pytest.raises(RecipeError, match=named):
        WeightedSum(parts)


def test_sums_that_teach_throughout():
    for parts in (
        [(Decay(1.0, 0.0), HardLabels())],
        [(First(1.0, share=1.0), SoftTargets())],
        [(First(1.0, share=0.5), SoftTargets()), (First(0.0, share=0.4, end=1.0), HardLabels())],
        [(First(1.0, share=0.7), SoftTargets()), (Late(1.0, after=0.7), HardLabels())],
        [(Late(1.0, after=0.0), SoftTargets())],
        [(Rise(1.0, share=0.3), SoftTargets()), (Decay(1.0, 0.0), HardLabels())],
        [(Rise(1.0, share=0.3), SoftTargets()), (First(1.0, share=0.2), HardLabels())],
        [(0.0, SoftTargets()), (Decay(0.1, 1.0), HardLabels())],
    ):
        objective = WeightedSum(parts)
        assert all(objective(*WHOLE, step / 10) for step in range(10))


def test_a_sum_in_the_making_may_weigh_nothing():
    """`a * soft + (1 - a) * hard` for every a, the ends among them; it is looked at when it is used."""
    for a in (0.0, 0.5, 1.0):
        assert as_sum(a * SoftTargets() + (1 - a) * HardLabels()).needs().labels
    made = First(1.0, share=0.3) * SoftTargets() + HardLabels()
    assert len(terms(made, 0.9)) == 1
    for nothing in (0 * SoftTargets(), 0 * (SoftTargets() + HardLabels())):
        with pytest.raises(RecipeError, match="every weight is 0"):
            as_sum(nothing)
        with pytest.raises(RecipeError, match="every weight is 0"):
            nothing(*WHOLE, 0.5)
    with pytest.raises(RecipeError, match="from 30%"):
        (First(1.0, share=0.3) * SoftTargets())(*WHOLE, 0.5)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_weights_that_are_none(weight):
    with pytest.raises(RecipeError, match="not a finite number of at least 0"):
        weight * SoftTargets()
    with pytest.raises(RecipeError, match="not a finite number of at least 0"):
        Decay(1.0, weight)
    with pytest.raises(RecipeError, match="not a finite number of at least 0"):
        First(1.0, end=weight)
    with pytest.raises(RecipeError, match="not a finite number of at least 0"):
        Late(weight)
    with pytest.raises(RecipeError, match="not a finite number of at least 0"):
        Rise(weight)


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_shares_that_are_none(share):
    with pytest.raises(RecipeError, match="share"):
        First(1.0, share=share)
    with pytest.raises(RecipeError, match="share"):
        Rise(1.0, share=share)


@given(st.floats(0, 10), st.floats(0.01, 1), st.floats(0, 1, exclude_max=True), st.floats(0, 10))
def test_rise_is_a_straight_line_and_then_stays(value, share, progress, factor):
    rise = Rise(value, share)
    assert rise.at(0.0) == 0
    assert rise.at(progress) == (value if progress >= share else pytest.approx(Decay(0, value).at(progress / share)))
    assert rise.at(progress) <= rise.at(min(1.0, progress + 0.1)) <= value
    assert rise.scaled(factor) == Rise(factor * value, share)
    assert rise.scaled(factor).at(progress) == pytest.approx(factor * rise.at(progress))


def test_rise_over_all_of_training_is_decay_from_0():
    assert [Rise(2.0, share=1).at(p) for p in (0, 0.3, 0.9)] == [Decay(0, 2.0).at(p) for p in (0, 0.3, 0.9)]


def test_the_teacher_is_not_asked_at_the_step_from_which_its_weight_rises():
    objective = Rise(1.0, share=0.4) * SoftTargets() + HardLabels()
    assert [objective.needs_teacher(p) for p in (0.0, 1e-6, 0.4, 0.9)] == [False, True, True, True]
    assert list(objective(WORLD.student, None, WORLD.batch, 0.0)) == ["hard-labels"]
    assert terms(objective, 0.1)["soft-targets"] == pytest.approx(0.25 * alone(SoftTargets()))


def test_sum_and_division():
    soft, hard = SoftTargets(2.0), HardLabels()
    assert str(sum([soft, hard])) == str(soft + hard)
    assert str(sum([0.5 * soft, hard])) == str(0.5 * soft + hard)
    assert (
        str(sum([0.5 * soft, Decay() * hard]) / 2) == "0.25 * SoftTargets(temperature=2) + Decay(0.5, 0) * HardLabels()"
    )
    assert str(soft / 4 + hard) == "0.25 * SoftTargets(temperature=2) + 1 * HardLabels()"
    assert str(soft + (0 + hard)) == str(soft + hard)
    for nothing in (lambda: soft / 0, lambda: (soft + hard) / 0):
        with pytest.raises(RecipeError, match="divided by 0"):
            nothing()
    for other in (1, 0.5, "a"):
        with pytest.raises(TypeError):
            other + soft
        with pytest.raises(TypeError):
            other + (soft + hard)


def test_auto_is_a_word_of_recipes():
    with pytest.raises(RecipeError, match=r"temperature: 'auto' lets validation choose.*leave the objective out"):
        SoftTargets("auto")
    with pytest.raises(RecipeError, match="weight: 'auto' lets validation choose"):
        "auto" * SoftTargets()
    with pytest.raises(
        RecipeError, match=r"of soft-targets alone \(objective: \{method: soft-targets, temperature: auto"
    ):
        DKD(temperature="auto")


TEMPERED = [name for name, where in METHODS.items() if "temperature" in inspect.signature(loaded(where)).parameters]


@pytest.mark.parametrize("name", TEMPERED)
def test_auto_is_answered_by_every_method_that_has_a_temperature(name):
    """All else that a method asks for is there: the temperature is what is wrong."""
    made = loaded(METHODS[name])
    needed = {
        key: 10 if each.annotation is int else "tap"
        for key, each in inspect.signature(made).parameters.items()
        if each.default is inspect.Parameter.empty and key != "temperature"
    }
    with pytest.raises(RecipeError, match="temperature: 'auto' lets validation choose"):
        made(**needed, temperature="auto")


@pytest.mark.parametrize("after", [-0.1, 1.0, float("nan")])
def test_beginnings_that_are_none(after):
    with pytest.raises(RecipeError, match="after"):
        Late(1.0, after=after)


def test_a_number_is_a_constant_schedule():
    assert as_schedule(2) == Constant(2.0)
    assert as_schedule(Decay()) == Decay()


def test_parameters_of_parts_are_its_own():
    """Bridges are found by optimisers and checkpoints."""

    class Bridged(Silent):
        def __init__(self):
            super().__init__()
            self.bridge = nn.Linear(2, 2)

    objective = SoftTargets() + 2 * Bridged()
    assert [name for name, _ in objective.named_parameters()] == ["parts.1.bridge.weight", "parts.1.bridge.bias"]
    assert as_sum(objective) is objective


def test_gradients_are_weighted():
    logits = WORLD.student.logits.clone().requires_grad_()
    objective = 0.25 * SoftTargets(3.0) + 2 * HardLabels()
    sum(objective(Signals(logits), WORLD.teacher, WORLD.batch).values()).backward()
    parts = []
    for part in (SoftTargets(3.0), HardLabels()):
        leaf = WORLD.student.logits.clone().requires_grad_()
        sum(part(Signals(leaf), WORLD.teacher, WORLD.batch).values()).backward()
        parts.append(leaf.grad)
    assert torch.allclose(logits.grad, 0.25 * parts[0] + 2 * parts[1])
