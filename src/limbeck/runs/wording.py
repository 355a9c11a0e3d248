"""What a run tells its reader in words: objective, teacher, notes."""

from limbeck.record import Record, Tuning
from limbeck.runs.arms import in_words
from limbeck.runs.plan import Plan


def objective_in_words(plan: Plan, tunings: list[Tuning]) -> str:
    """The student's objective after tuning: the formula, and the choice in words."""
    chosen = tunings[0].chosen
    formula = str(plan.arms[0].objective(chosen))
    return f"{formula} ({in_words(chosen)})" if chosen else formula


def teacher_in_words(plan: Plan, record: Record) -> str:
    """Name, size and test quality of the teacher."""
    model = next(m for m in record.models if m.role == "teacher")
    name = plan.teacher.spec.get("family") or plan.teacher.spec.get("module")
    value = model.quality["test"][record.metric.name].value
    shown = f"{100 * value:.1f}%" if record.metric.percent else f"{value:.4g}"
    return f"{name} with {model.params:,} parameters, {shown} {record.metric.name} on test"


def notes_on(plan: Plan, conditions: str | None) -> list[str]:
    """What the reader should know before believing the numbers."""
    notes = [] if conditions is None else [conditions]
    splits = plan.splits
    if not plan.student.reseeds:
        notes.append(
            "The student was given as a module: every seed starts from its weights, and seeds vary order and dropout "
            "only. Pass a function that makes a fresh student, so that the verdict covers initialisation too."
        )
    if plan.views.note:
        notes.append(plan.views.note)
    if (
        plan.recipe.teacher.train is not None
        and plan.recipe.teacher.train.labels == "all"
        and len(splits.teacher) > len(splits.labelled)
    ):
        notes.append(
            f"The teacher was trained on {len(splits.teacher):,} labels, of which the students could see "
            f"{len(splits.labelled):,}: it stands for a teacher that exists already."
        )
    if len(splits.validation) < 200:
        notes.append(
            f"Validation has {len(splits.validation)} examples, so its choice of temperature and smoothing is coarse."
        )
    return notes
