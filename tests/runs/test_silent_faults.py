"""Faults that stay silent in other toolkits, each looked for in a whole run."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

import limbeck as lk
from limbeck.core.identity import state_fingerprint

SHORT = {
    "train": {"epochs": 3, "batch_size": 64, "evaluations": 3},
    "tune": {"trials": 0},
    "objective": {"method": "soft-targets", "temperature": 4},
    "verdict": {"seeds": 1},
    "runtime": {"threads": 1},
    "guide": {"use": "never"},
}
EVERY_STEP = {"epochs": 1, "batch_size": 64, "evaluations": 1000}
SHIFTED = {**SHORT, "data": {"views": {"ops": [{"op": "shift", "pixels": 2}]}}}


class Watching(nn.Module):
    """Writes down how it is called, under its role: mode, gradients, input and output."""

    def __init__(self, core, role, log):
        super().__init__()
        self.core, self.role, self.log = core, role, log

    def forward(self, x):
        output = self.core(x)
        self.log.append(
            (self.role, self.core.training, torch.is_grad_enabled(), x.detach().clone(), output.detach().clone())
        )
        return output

    def __deepcopy__(self, memo):
        return Watching(copy.deepcopy(self.core, memo), self.role, self.log)


@pytest.fixture
def watched(digits, net, tmp_path, quick):
    """`watched(recipe)`: what teacher and students were asked, in order, in a run of it."""

    def run(recipe):
        log = []
        teacher = Watching(net(1).train(), "teacher", log)
        lk.distil(
            teacher=teacher, student=lambda: Watching(net.kind(), "student", log), data=digits, recipe=recipe,
            out=tmp_path / "run",
        )  # fmt: skip
        return log

    return run


# -- a teacher left in train mode, or back-propagated through; a student left in eval mode


def test_the_teacher_is_never_in_train_mode_and_never_gives_a_gradient(watched):
    calls = [call for call in watched(SHORT) if call[0] == "teacher"]
    assert len(calls) > 30
    assert not any(training for _, training, *_ in calls)
    assert not any(gradients for _, _, gradients, *_ in calls)


def test_the_student_is_in_train_mode_at_every_step_and_never_when_it_is_judged(watched):
    calls = [call for call in watched(SHORT) if call[0] == "student"]
    steps = [call for call in calls if call[2]]
    judged = [call for call in calls if not call[2]]
    assert all(training for _, training, *_ in steps)
    assert not any(training for _, training, *_ in judged)
    per_run = len(steps) / 3  # student, baseline, the teacher's labels
    assert per_run == int(per_run) == -(-3 * 408 // 64)


@pytest.mark.parametrize("mode", [True, False])
def test_dropout_and_statistics_of_the_teacher_do_not_matter(mode, digits, net, tmp_path, quick, trainings):
    """Lent in train mode or in eval mode: the same students to the bit, and its running statistics stay."""
    teachers = [net(1).train(mode), net(1).eval()]
    before = state_fingerprint(teachers[0].state_dict())
    for number, teacher in enumerate(teachers):
        lk.distil(teacher=teacher, student=net.kind, data=digits, recipe=SHORT, out=tmp_path / str(number))
    assert state_fingerprint(teachers[0].state_dict()) == before
    assert trainings(tmp_path / "0") == trainings(tmp_path / "1")


# -- answers that do not belong to the batch


def steps_of(log):
    """Pairs of what the teacher was asked and what the student was asked next, at each step that has both."""
    pairs, asked = [], None
    for role, _, gradients, x, output in log:
        if role == "teacher":
            asked = (x, output)
        elif gradients and asked is not None:
            pairs.append((asked, (x, output)))
            asked = None
        else:
            asked = None
    return pairs


def test_teacher_and_student_see_the_same_view_of_the_same_examples(watched):
    pairs = steps_of(watched(SHIFTED))
    assert len(pairs) == 2 * -(-3 * 408 // 64)
    for (asked, _), (seen, _) in pairs:
        assert torch.equal(asked, seen)
    first, later = pairs[0][0][0], pairs[13][0][0]
    rows = {tuple(row.flatten().tolist()) for row in first}
    assert not rows >= {tuple(row.flatten().tolist()) for row in later}  # and views differ from pass to pass


# -- "KD, T=4" means something else everywhere


def test_the_loss_is_hintons(watched, tmp_path):
    """`T^2 * KL(teacher_T || student_T)`, summed over classes, mean over rows: recomputed from what both said."""
    (_, teacher), (_, student) = steps_of(watched({**SHORT, "train": EVERY_STEP}))[0]
    log_t, log_s = (log_softmax(logits.double().numpy() / 4, axis=1) for logits in (teacher, student))
    expected = 16 * (np.exp(log_t) * (log_t - log_s)).sum(1).mean()
    row = json.loads((tmp_path / "run" / "history" / "student-seed0.json").read_text())[0]
    assert row["step"] == 1
    assert row["values"]["train/soft-targets"] == pytest.approx(expected, rel=1e-5)


def test_both_terms_are_told_with_their_weights(watched, tmp_path):
    """A term a hundred times below the other is seen to be: what is shown adds up to the loss."""
    terms = [
        {"method": "soft-targets", "temperature": 2, "weight": 0.25},
        {"method": "hard-labels", "weight": 0.75},
    ]
    (_, teacher), (_, student) = steps_of(watched({**SHORT, "objective": terms, "train": EVERY_STEP}))[0]
    log_t, log_s = (log_softmax(logits.double().numpy() / 2, axis=1) for logits in (teacher, student))
    expected = 0.25 * 4 * (np.exp(log_t) * (log_t - log_s)).sum(1).mean()
    row = json.loads((tmp_path / "run" / "history" / "student-seed0.json").read_text())[0]
    assert row["step"] == 1
    assert row["values"]["train/soft-targets"] == pytest.approx(expected, rel=1e-5)
    assert row["values"]["train/hard-labels"] == pytest.approx(0.75 * np.log(10), rel=0.3)


# -- one run does not rub off on the next, nor on its caller


def test_runs_of_one_process_are_strangers(digits, net, tmp_path, quick, trainings):
    arguments = {"teacher": net(1), "student": net.kind, "recipe": SHORT}
    lk.distil(data=digits, out=tmp_path / "first", **arguments)
    lk.distil(data=(digits[0][:300], digits[1][:300]), out=tmp_path / "between", **arguments)
    torch.manual_seed(99)
    torch.randn(1000)
    lk.distil(data=digits, out=tmp_path / "again", **arguments)
    assert trainings(tmp_path / "first") == trainings(tmp_path / "again")
    assert trainings(tmp_path / "first") != trainings(tmp_path / "between")


def test_the_callers_random_numbers_threads_and_settings_stay(digits, net, tmp_path, quick):
    def state():
        numpy = np.random.get_state()  # noqa: NPY002 - the state that must not change
        return (
            torch.get_rng_state().tolist(), random.getstate(), numpy[1].tolist(), numpy[2:], torch.get_num_threads(),
            torch.is_grad_enabled(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(),
        )  # fmt: skip

    teacher = net(1)
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - the same
    before = state()
    lk.distil(teacher=teacher, student=net.kind, data=digits, recipe=SHORT, out=tmp_path / "run")
    assert state() == before


# -- what cannot be asked about is refused, not guessed


def test_a_teacher_that_cannot_be_traced_is_measured_as_far_as_it_goes(digits, net, tmp_path, monkeypatch):
    """Control flow that depends on values: no peak memory, a note that says why, and all the rest."""

    monkeypatch.setattr("limbeck.pipeline.ship", lambda *_: [])
    monkeypatch.setattr("limbeck.pipeline.render.write", lambda _: None)

    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.core = net(1)

        def forward(self, x):
            return self.core(x) if x.sum() > 0 else self.core(-x)

    run = lk.distil(teacher=Branching(), student=net.kind, data=digits, recipe=SHORT, out=tmp_path / "run")
    teacher, student, *_ = run.record.models
    assert (teacher.peak_memory_bytes, student.peak_memory_bytes is None) == (None, False)
    assert teacher.params > 0
    assert any(note.startswith("teacher: peak memory: ") for note in run.record.notes)
