"""What a reader counts on, and what of it a guide is not. A guide that differs is refused, naming what differs."""

from collections.abc import Iterator
from dataclasses import dataclass

from limbeck.guide.manifest import DataFacts, Manifest, Plan, TeacherFacts, ViewFacts
from limbeck.guide.spec import SignalSpec


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the reader will ask; `None` asks nothing of that kind.

    Attributes:
        teacher: whose answers they must be (`plan.facts_of`).
        data: examples they must be about (`plan.data_facts`).
        views: which views will be asked for (`plan.view_facts`); the guide may hold more of them.
        signals: the output that must have been kept, and features that must be among those kept.
        any_view: takes the raw example's answer for every view of it, where that is what the guide holds. The teacher
            then did not see what the student sees: patient teaching (Beyer et al. 2022) is lost, and strong views make
            the labels wrong.
    """

    teacher: TeacherFacts | None = None
    data: DataFacts | None = None
    views: ViewFacts | None = None
    signals: SignalSpec | None = None
    any_view: bool = False


def differences(manifest: Manifest, expected: Expectation) -> list[str]:
    """Each way in which the guide is not what is expected, in words; none: it fits."""
    return unlike(manifest.plan, expected)


def unlike(plan: Plan, expected: Expectation) -> list[str]:
    """The same of a guide that may not be finished."""
    found: list[str] = []
    if expected.teacher is not None:
        found += _teacher(plan.teacher, expected.teacher)
    if expected.data is not None:
        found += _data(plan.data, expected.data)
    if expected.views is not None and not (expected.any_view and plan.views.path == "raw"):
        found += _views(plan.views, expected.views)
    if expected.signals is not None:
        found += _signals(plan.signals, expected.signals)
    return found


def plan_differences(there: Plan, wanted: Plan) -> list[str]:
    """Each way in which a folder's plan is not the one that is to be written."""
    found = [
        *_teacher(there.teacher, wanted.teacher),
        *_data(there.data, wanted.data),
        *_views(there.views, wanted.views),
    ]
    if there.views.count > wanted.views.count:
        found.append(f"it holds {there.views.count} views of each example, now {wanted.views.count} are wanted")
    if there.signals != wanted.signals:
        found.append(f"it keeps {there.signals}, now {wanted.signals} is wanted")
    if not found and there != wanted:
        found.append("it was cut into other shards, or names another licence or origin of the teacher")
    return found


def _teacher(there: TeacherFacts, wanted: TeacherFacts) -> Iterator[str]:
    if there.fingerprint == wanted.fingerprint and there.mode == wanted.mode:
        return
    if there.mode != wanted.mode:
        yield f"its labels are {there.mode}, expected {wanted.mode}"
        return
    parts = {
        "preprocessing": there.preprocess != wanted.preprocess,
        "classes": there.classes != wanted.classes,
        "chunk size": there.chunk != wanted.chunk,
    }
    other = [name for name, differs in parts.items() if differs] or ["weights"]
    yield (
        f"it was written by another teacher: {', '.join(other)} differ "
        f"({there.fingerprint[:12]}, expected {wanted.fingerprint[:12]})"
    )


def _data(there: DataFacts, wanted: DataFacts) -> Iterator[str]:
    if there.examples != wanted.examples:
        yield f"it is about {there.examples:,} examples, expected {wanted.examples:,}"
    elif there.fingerprint != wanted.fingerprint:
        yield (
            f"it is about other data: as many examples ({there.examples:,}), but contents, labels or ids differ "
            f"({there.fingerprint[:12]}, expected {wanted.fingerprint[:12]})"
        )


def _views(there: ViewFacts, wanted: ViewFacts) -> Iterator[str]:
    if there.seed != wanted.seed and "raw" not in (there.path, wanted.path):
        yield f"its views were drawn with seed {there.seed}, expected {wanted.seed}"
    elif there.fingerprint != wanted.fingerprint:
        yield f"its views are others ({there.path}), expected those of these view ops ({wanted.path})"
    elif there.count < wanted.count:
        yield f"it holds {there.count} views of each example, but {wanted.count} will be asked for (views.count)"


def _signals(there: SignalSpec, wanted: SignalSpec) -> Iterator[str]:
    if wanted.output is not None and there.output != wanted.output:
        yield f"it keeps {there}, expected {wanted}"
        return
    absent = [path for path in wanted.features if path not in there.features]
    if absent:
        yield f"it keeps no features at {', '.join(map(repr, absent))}"
    for path, feature in wanted.features.items():
        if path in there.features and there.features[path].dtype != feature.dtype:
            yield f"it keeps {path} as {there.features[path].dtype}, expected {feature.dtype}"
