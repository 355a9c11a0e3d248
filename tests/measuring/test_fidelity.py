"""How far a student is its teacher."""

import numpy as np
import pytest
from scipy.special import softmax

from limbeck.measuring.fidelity import agreement_ceiling, fidelity
from limbeck.task import Multiclass

TASK = Multiclass()


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(0, 2, (50, 4)).astype(np.float32)


def test_a_copy_agrees_everywhere_and_repeats_every_error(logits):
    target = np.random.default_rng(1).integers(0, 4, 50)
    found = fidelity(TASK, logits, logits + 3, target, 0.9)
    assert found.agreement.value == 1
    assert found.kl.value == pytest.approx(0, abs=1e-9)
    assert found.agreement_on_teacher_errors == 1
    assert found.agreement_ceiling == 0.9


def test_divergence_is_from_teacher_to_student_in_nats(logits):
    other = np.random.default_rng(2).normal(0, 2, (50, 4)).astype(np.float32)
    student, teacher = softmax(logits.astype(float), axis=1), softmax(other.astype(float), axis=1)
    expected = (teacher * np.log(teacher / student)).sum(1).mean()
    assert fidelity(TASK, logits, other, None, None).kl.value == pytest.approx(expected)


def test_errors_are_looked_for_among_labelled_rows_only():
    teacher = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    student = np.eye(3, dtype=np.float32)[[0, 1, 0, 1]]
    target = np.array([1, 2, 2, -1])  # the teacher errs on rows 0 and 1; row 3 is unknown
    assert fidelity(TASK, student, teacher, target, None).agreement_on_teacher_errors == 1
    student[1] = [1, 0, 0]
    assert fidelity(TASK, student, teacher, target, None).agreement_on_teacher_errors == 0.5


def test_what_does_not_apply_is_null(logits):
    best = logits.argmax(1)
    assert fidelity(TASK, logits, logits, best, None).agreement_on_teacher_errors is None
    assert fidelity(TASK, logits, logits, np.full(50, -1), None).agreement_on_teacher_errors is None
    assert fidelity(TASK, logits, logits, None, None).agreement_on_teacher_errors is None
    assert fidelity(TASK, logits, logits, None, None).agreement_ceiling is None


def test_ceiling_is_the_mean_over_pairs():
    a, b, c = (np.eye(2, dtype=np.float32)[labels] for labels in ([0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1]))
    assert agreement_ceiling(TASK, [a, b, c]) == pytest.approx((0.5 + 0.25 + 0.75) / 3)
    assert agreement_ceiling(TASK, [a, a]) == 1
    assert agreement_ceiling(TASK, [a]) is None
    assert agreement_ceiling(TASK, []) is None
