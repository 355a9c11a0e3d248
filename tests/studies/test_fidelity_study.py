"""`study fidelity` on planted answers: what is arithmetic in it, and what is left on the teacher's errors."""

import numpy as np
import pytest

from limbeck.record import DataRecord, Estimate, Machine, MetricRecord
from limbeck.studies import page
from limbeck.studies.kinds import fidelity
from limbeck.studies.on_errors import on_errors
from limbeck.studies.record import ArmRecord, SeedRecord, StudyRecord, TeacherRecord
from limbeck.task import Multiclass

CLASSES, EXAMPLES, ERRORS = 5, 1000, 200
TASK = Multiclass()
TARGET = np.zeros(EXAMPLES, dtype=np.int64)
TEACHER = np.eye(CLASSES)[np.r_[np.full(ERRORS, 1), np.zeros(EXAMPLES - ERRORS, dtype=int)]]
"""Wrong, always with class 1, on the first ones."""


def answers(repeated, right, elsewhere):
    """A student that does so many of these on the teacher's errors, and is right on so many of the others."""
    said = np.full(EXAMPLES, 4)
    said[:repeated] = 1
    said[repeated : repeated + right] = 0
    said[ERRORS : ERRORS + elsewhere] = 0
    return np.eye(CLASSES)[said]


def planted(students):
    """A finished study: one sequence of students an arm."""
    arms = []
    for number, seeds in enumerate(students):
        made = []
        for seed, logits in enumerate(seeds):
            kept = on_errors(TASK, logits, TEACHER, TARGET)
            accuracy, agreement = (logits.argmax(1) == 0).mean(), (logits.argmax(1) == TEACHER.argmax(1)).mean()
            made.append(
                SeedRecord(
                    seed=seed, quality=Estimate(value=accuracy), validation=accuracy, agreement=agreement,
                    kl=1 - agreement, tutor="teacher", on_errors=kept, steps=1, kept_step=1, train_s=1.0,
                    predictions=None, history=None,
                )
            )  # fmt: skip
        arms.append(
            ArmRecord(
                name=f"arm {number}", about="an arm", line="arm", at=None, tutor="teacher", objective="", settings={},
                trials=[], quality=Estimate(value=np.mean([each.quality.value for each in made])), steps=1,
                step_ms=1.0, labelled=1, examples=1, curve=[], seeds=made,
            )
        )  # fmt: skip
    teacher = TeacherRecord(
        name="teacher", about="the teacher", quality=Estimate(value=1 - ERRORS / EXAMPLES), params=1, labelled=1,
        train_s=1.0, labelling_s=0.0, note="",
    )  # fmt: skip
    return StudyRecord(
        limbeck_version="0", created="2026-01-01T00:00:00+00:00", kind="methods", name="planted", question="?",
        answer=["!"], machine=Machine(cpu="", cores=1, gpu=None, os="", python="", torch=None), fingerprints={},
        task="multiclass", classes=[str(number) for number in range(CLASSES)],
        metric=MetricRecord(name="accuracy", higher_is_better=True, percent=True), margin=0.005,
        data=DataRecord(name="", input="", labelled=1, unlabelled=0, validation=1, test=EXAMPLES), teachers=[teacher],
        arms=arms, comparisons=[], findings=[], notes=[], timing_s={}, files={},
    )  # fmt: skip


def found(students, folder):
    record = fidelity.of(planted(students), folder, folder)
    return record, [each.value for each in record.findings]


def test_what_is_planted_is_counted():
    kept = on_errors(TASK, answers(30, 50, 600), TEACHER, TARGET)
    assert (kept.errors, kept.repeated, kept.right, kept.right_elsewhere) == (200, 0.15, 0.25, 0.75)


def test_unlabelled_rows_are_left_out():
    target = TARGET.copy()
    target[100:300] = -1
    assert on_errors(TASK, answers(30, 50, 600), TEACHER, target).errors == 100


@pytest.mark.parametrize("teacher", [np.eye(CLASSES)[TARGET], np.eye(CLASSES)[TARGET + 1]])
def test_nothing_is_said_of_a_teacher_without_errors_or_with_nothing_else(teacher):
    assert on_errors(TASK, answers(30, 50, 600), teacher, TARGET) is None


def test_accuracy_is_made_of_the_parts():
    kept, logits = on_errors(TASK, answers(13, 47, 611), TEACHER, TARGET), answers(13, 47, 611)
    share = ERRORS / EXAMPLES
    whole = share * kept.right + (1 - share) * kept.right_elsewhere
    assert whole == pytest.approx((logits.argmax(1) == TARGET).mean())
    agreement = share * kept.repeated + (1 - share) * kept.right_elsewhere
    assert agreement == pytest.approx((logits.argmax(1) == TEACHER.argmax(1)).mean())


def test_mere_arithmetic_is_seen_through(tmp_path):
    """Students differ where the teacher is right only: agreement tells their accuracy wholly, and that says nothing."""
    random = np.random.default_rng(0)
    noise = [[random.integers(20, 60, size=2) for _ in range(5)] for _ in range(12)]
    record, values = found(
        [[answers(r, k, 400 + 30 * arm + seed) for seed, (r, k) in enumerate(own)] for arm, own in enumerate(noise)],
        tmp_path,
    )
    assert values[0] > 0.95, "arithmetic"
    for finding in record.findings[2:]:
        assert abs(finding.value) < 0.4
        assert finding.ci95[0] < 0 < finding.ci95[1], finding.sentence
    assert record.answer[0].startswith("Yes: who agrees more")
    assert record.answer[1].startswith("Without arithmetic: Not settled: the interval holds 0")


@pytest.mark.parametrize(("sign", "said"), [(1, "Yes: who repeats more"), (-1, "No, the other way round")])
def test_what_is_more_than_arithmetic_is_found(sign, said, tmp_path):
    """Who repeats more errors is right more often, or less often, where the teacher is right."""
    students = [[answers(60 + sign * (4 * arm + seed), 40, 500 + 20 * arm + seed) for seed in range(3)]
                for arm in range(12)]  # fmt: skip
    record, values = found(students, tmp_path)
    assert values[2] == values[3] == sign
    assert record.answer[1].startswith(f"Without arithmetic: {said}")


def test_knowing_better_than_the_teacher_is_found(tmp_path):
    students = [[answers(20, 100 - 5 * arm - seed, 500 + 20 * arm + seed) for seed in range(3)] for arm in range(6)]
    record, values = found(students, tmp_path)
    assert values[4] == -1
    assert record.findings[4].name == (
        "rank correlation of accuracy where the teacher errs with agreement where it is right"
    )


def test_a_study_that_kept_nothing_of_the_errors_says_how_to_mend_it(tmp_path):
    study = planted([[answers(20 + arm, 30, 500 + arm)] for arm in range(6)])
    seeds = [arm.seeds[0].model_copy(update={"on_errors": None}) for arm in study.arms]
    old = study.model_copy(
        update={"arms": [a.model_copy(update={"seeds": [s]}) for a, s in zip(study.arms, seeds, strict=True)]}
    )
    record = fidelity.of(old, tmp_path, tmp_path)
    assert len(record.findings) == 2
    assert len(record.answer) == 1
    assert any("same command in the same folder measures again" in note for note in record.notes)


def test_few_errors_are_said_to_be_few(tmp_path):
    study = planted([[answers(20 + arm, 30, 500 + arm)] for arm in range(6)])
    assert not any("mostly luck" in note for note in fidelity.of(study, tmp_path, tmp_path).notes)
    seeds = [arm.seeds[0] for arm in study.arms]
    few = [each.model_copy(update={"on_errors": each.on_errors.model_copy(update={"errors": 2})}) for each in seeds]
    study = study.model_copy(
        update={"arms": [a.model_copy(update={"seeds": [s]}) for a, s in zip(study.arms, few, strict=True)]}
    )
    assert any("errs on 2 test examples; on so few" in note for note in fidelity.of(study, tmp_path, tmp_path).notes)


def test_the_page_shows_the_parts(tmp_path):
    record, _ = found([[answers(20 + arm, 30, 500 + arm)] for arm in range(6)], tmp_path)
    text = page.render(record)
    assert "Repeats of the teacher&#39;s errors" in text or "Repeats of the teacher's errors" in text
    assert ">62.5%<" in text, "right where the teacher is, of arm 0"
