"""Whether a study guide pays, and the teacher as students hear it: live, or from its guide."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from limbeck.core import processes
from limbeck.core.identity import fingerprint
from limbeck.core.needs import union
from limbeck.core.progress import Reporter
from limbeck.core.protocols import SignalSource
from limbeck.data.loader import evaluation_batches
from limbeck.errors import GuideError
from limbeck.guide.combine import Ensemble
from limbeck.guide.estimate import size, with_shapes
from limbeck.guide.expect import Expectation, unlike
from limbeck.guide.manifest import INDEX, MANIFEST, PLAN, SHARDS, read_plan
from limbeck.guide.plan import data_facts, facts_of, view_facts, views_asked
from limbeck.guide.read import Guide, open_guide
from limbeck.guide.spec import OUTPUTS, FeatureSpec, LogitsSpec, OutputSpec, SignalSpec, bytes_per_example
from limbeck.guide.write import write_guide
from limbeck.recipe.model import Recipe
from limbeck.runs.arms import Arm
from limbeck.runs.growing import Growth, growth_of
from limbeck.runs.named import load_named
from limbeck.runs.plan import Plan
from limbeck.teachers.crossfit import CrossFitted
from limbeck.teachers.live import LiveTeacher
from limbeck.teachers.turns import TakingTurns

OneVoice = LiveTeacher | CrossFitted | TakingTurns
"""Whoever gives each row one answer, which one guide holds."""
Speaker = OneVoice | Ensemble

FILES = (PLAN, INDEX, MANIFEST)
GAIN = 1.2
"""How much less the teacher must run before `auto` writes a guide."""


ONE_FOR_ALL = (
    " It holds one answer an example, about the raw one, which stands for all views of it (guide.any_view): "
    "labels do not follow the views."
)


@dataclass(frozen=True, slots=True)
class Heard:
    """The teacher as students hear it.

    Attributes:
        source: live, a guide, or how one grows beside each student.
        fingerprint: of the answers; a float32 guide gives the live teacher's bits, so it has the live one's.
        note: what was decided, for the reader.
    """

    source: SignalSource | Growth
    fingerprint: str
    note: str


def signal_spec(recipe: Recipe) -> SignalSpec:
    """What the recipe's guide keeps."""
    output: OutputSpec = load_named(OUTPUTS, recipe.guide.signal, recipe.guide.settings)
    return SignalSpec(output, {path: FeatureSpec(dtype) for path, dtype in recipe.guide.features.items()})


def views_needed(plan: Plan) -> int:
    """Views of each example that the longest training asks for."""
    passes = plan.steps * plan.recipe.train.batch_size / len(plan.splits.transfer)
    return views_asked(plan.views, passes)


def expectation(plan: Plan, teacher: Speaker | None) -> Expectation:
    """What a guide for this plan must be."""
    count = views_needed(plan)
    return Expectation(
        teacher=None if teacher is None or isinstance(teacher, Ensemble) else facts_of(teacher),
        data=data_facts(plan.splits.transfer),
        views=view_facts(plan.views, count),
        signals=signal_spec(plan.recipe),
        any_view=plan.recipe.guide.any_view and plan.views.mixing is None,
    )


def hear(plan: Plan, teacher: Speaker | None, folder: Path, reporter: Reporter) -> Heard:
    """The teacher as this plan's students hear it; writes a guide where that pays, and says so.

    Args:
        plan: what will be trained.
        teacher: frozen; `None`: it exists only as its guide, or grows with the student.
        folder: of the run; its guide is `folder / "guide"`.
        reporter: is told what was decided.

    Returns:
        Whom the students listen to.

    Raises:
        GuideError: the recipe's guide was written for something else.
        StorageError: the disk cannot hold the guide.
    """
    how, growth = plan.recipe.guide, growth_of(plan.recipe)
    if growth is not None:
        reporter.say(growth.note)
        return Heard(growth, growth.fingerprint(), growth.note)
    if how.from_ is not None:
        guide = open_guide(how.from_, expect=expectation(plan, teacher))
        told = f"The students read the study guide {how.from_}; no teacher was asked about what they learn from."
        return _read(
            guide, teacher, told + (ONE_FOR_ALL if _stretched(plan, guide) else ""), exact=not _stretched(plan, guide)
        )
    assert teacher is not None, "a teacher that cannot be asked has a guide"
    speakers = _speakers(teacher)
    live, written = rows_asked(plan), len(plan.splits.transfer) * views_needed(plan)
    needed = _bytes(plan, speakers[0], written) * len(speakers)
    choice = _choice(plan, live, written, needed)
    if choice is not None:
        reporter.say(choice)
        return Heard(_reading(plan, teacher), teacher.fingerprint(), choice)
    several = len(speakers) > 1
    guides = [
        _written(plan, each, folder / "guide" / str(number) if several else folder / "guide", reporter)
        for number, each in enumerate(speakers, start=1)
    ]
    one = "The teachers, one for each view," if isinstance(teacher, TakingTurns) else "The teacher"
    who = f"Each of {len(speakers)} teachers" if several else one
    note = (
        f"{who} spoke once, into a study guide ({size(needed)}): {written:,} answers, which the trainings read "
        f"up to {live:,} times."
    )
    reporter.say(note)
    if not isinstance(teacher, Ensemble):
        return _read(guides[0], teacher, note)
    heard = [_read(guide, each, note) for guide, each in zip(guides, speakers, strict=True)]
    together = Ensemble(guides, rule=teacher.rule, weights=teacher.weights, seed=teacher.seed)
    prints = [each.fingerprint for each in heard]
    exact = prints == [each.fingerprint() for each in speakers]
    return Heard(together, teacher.fingerprint() if exact else fingerprint([teacher.fingerprint(), prints]), note)


def _speakers(teacher: Speaker) -> Sequence[OneVoice]:
    """Who writes a guide: of several, each one of its own, so that another rule or teacher re-labels nothing."""
    if not isinstance(teacher, Ensemble):
        return [teacher]
    return [each for each in teacher.sources if isinstance(each, OneVoice)]


def _written(plan: Plan, teacher: OneVoice, folder: Path, reporter: Reporter) -> Guide:
    how = plan.recipe.guide
    write_guide(
        folder,
        teacher=teacher,
        facts=facts_of(teacher, licence=how.licence, origin=how.origin),
        source=plan.splits.transfer,
        views=plan.views,
        count=views_needed(plan),
        spec=signal_spec(plan.recipe),
        device=plan.runtime.device,
        rank=processes.rank(),
        world=processes.world(),
        reporter=reporter,
    )
    processes.barrier()
    return open_guide(folder, expect=expectation(plan, teacher))


def check_guide(plan: Plan) -> None:
    """Refuses a guide of the recipe's that cannot teach this plan, before anything is written or trained.

    Raises:
        GuideError: there is none, or it was written for something else.
    """
    if plan.recipe.guide.from_ is not None:
        open_guide(plan.recipe.guide.from_, expect=expectation(plan, None), check=False)


def check_place(plan: Plan, folder: Path) -> None:
    """Refuses a folder for this plan's guide that holds other files, or a guide of other data, views or signals.

    Raises:
        GuideError: it does; nothing was written.
    """
    other = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    other = sorted(name for name in other if not name.startswith(".") and name not in (*FILES, SHARDS))
    if other:
        raise GuideError(f"{folder} holds other files ({', '.join(other[:3])}); choose a folder of the guide's own")
    there = read_plan(folder) if folder.is_dir() else None
    found = [] if there is None else unlike(there, expectation(plan, None))
    if found:
        raise GuideError(f"{folder} holds another guide: {'; '.join(found)}. Choose another folder, or remove that one")


def _reading(plan: Plan, teacher: Speaker) -> Speaker:
    """The live teacher, which also says what the objective reads beside its answers."""
    needs = union(arm.needs() for arm in plan.arms)
    if not needs.insides:
        return teacher
    if not isinstance(teacher, LiveTeacher):
        raise GuideError(
            "activations of several teachers are not told apart; remove teacher.train.folds or teacher.ensemble, or "
            "the objective that reads them"
        )
    return teacher.reading(needs.teacher_taps, input_gradient=needs.input_gradient)


def _stretched(plan: Plan, guide: Guide) -> bool:
    """Whether one answer stands for all views of an example."""
    return bool(plan.views.ops) and guide.manifest.plan.views.path == "raw"


def rows_asked(plan: Plan) -> int:
    """Rows that a live teacher would be asked about over all trainings of the plan."""
    return sum(_steps(plan, arm) for arm in plan.arms) * plan.recipe.train.batch_size


def _steps(plan: Plan, arm: Arm) -> int:
    """Optimiser steps of an arm in which the teacher is listened to."""
    listens = [any(stage.needs().teacher for stage in arm.stages(settings)) for settings in arm.candidates]
    if not any(listens):
        return 0
    tuned = len(arm.candidates) > 1
    short = max(1, round(plan.recipe.tune.short_share * plan.steps)) * sum(listens) if tuned else 0
    finalists = min(plan.recipe.tune.finalists, len(arm.candidates))
    full = plan.steps * (max(1, plan.recipe.verdict.seeds) + (finalists - 1 if tuned else 0))
    return short + full


def _choice(plan: Plan, live: int, written: int, needed: int) -> str | None:
    """Why the teacher is asked live; `None` where a guide is to be written."""
    cannot, how = _cannot(plan), plan.recipe.guide
    if cannot is not None:
        return cannot
    if how.use == "always" or how.signal != "logits":
        return None
    if not how.features and live < GAIN * written:
        return (
            f"The teacher runs at every step: {live:,} answers are needed, and a study guide would hold {written:,}, "
            "so that it would not pay."
        )
    if needed > how.max_gb * 1e9:
        less = "name fewer guide.features" if how.features else "keep less (guide.signal: top-k)"
        return (
            f"The teacher runs at every step: a study guide would take {size(needed)}, more than guide.max_gb "
            f"({how.max_gb:g}); raise that, set data.views.count, or {less}."
        )
    return None


def _cannot(plan: Plan) -> str | None:
    """Why no guide can be written, or could hold what is needed."""
    how, needs = plan.recipe.guide, union(arm.needs() for arm in plan.arms)
    if how.use == "never":
        return "The teacher runs at every step (guide.use: never)."
    if find_spec("fcntl") is None:
        return "The teacher runs at every step: guides are written on Linux and macOS."
    if needs.input_gradient:
        return "The teacher runs at every step: the objective asks it for gradients, which no study guide holds."
    absent = [path for path in needs.teacher_taps if path not in how.features]
    if absent:
        return (
            f"The teacher runs at every step: the objective reads its {', '.join(absent)}, which the study guide does "
            "not keep (guide.features, or guide: always)."
        )
    return None


def _bytes(plan: Plan, teacher: OneVoice, rows: int) -> int:
    """Of a guide of so many rows; activations have the shapes that the teacher gives for one example."""
    spec = signal_spec(plan.recipe)
    if spec.features:
        spec = with_shapes(spec, teacher.signals(next(evaluation_batches(plan.splits.transfer, 1))))
    return rows * bytes_per_example(spec, len(plan.splits.classes)) + 8 * len(plan.splits.transfer)


def _read(guide: Guide, teacher: Speaker | None, note: str, *, exact: bool = True) -> Heard:
    if teacher is None:
        return Heard(guide, guide.fingerprint(), note)
    exact = (
        exact
        and guide.manifest.plan.signals.output == LogitsSpec("float32")
        and not guide.manifest.plan.signals.features
    )
    own = teacher.fingerprint() if exact else fingerprint([teacher.fingerprint(), guide.fingerprint()])
    return Heard(guide, own, note)
