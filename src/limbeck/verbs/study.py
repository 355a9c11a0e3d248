"""`study`: a question about distillation, answered on the user's own data with seeds, intervals and plots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.core.progress import Reporter, Silent
from limbeck.errors import RecipeError, RunFolderError

if TYPE_CHECKING:
    from torch import nn

    from limbeck.recipe import Recipe
    from limbeck.runs.given import Given
    from limbeck.runs.plan import Plan
    from limbeck.studies.record import StudyRecord


@dataclass(frozen=True, slots=True)
class Studied:
    """A finished study.

    Attributes:
        folder: everything it wrote.
        record: everything it measured.
    """

    folder: Path
    record: "StudyRecord"

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / "study.html"

    @property
    def answer(self) -> list[str]:
        """What was found, in plain words."""
        return self.record.answer


def study(
    *,
    kind: str,
    recipe: Path | str | Mapping[str, Any],
    out: Path | str | None = None,
    methods: Sequence[str | Mapping[str, Any]] | None = None,
    shares: Sequence[float] | None = None,
    without: str | int | None = None,
    teachers: Sequence[str | Mapping[str, Any]] | None = None,
    generations: int | None = None,
    teacher: "nn.Module | Sequence[nn.Module] | None" = None,
    student: "nn.Module | Callable[[], nn.Module] | None" = None,
    data: Any = None,  # noqa: ANN401 - arrays, a data set, a path
    test: Any = None,  # noqa: ANN401
    validation: Any = None,  # noqa: ANN401
    unlabelled: Any = None,  # noqa: ANN401
    overrides: Mapping[str, Any] | None = None,
    trust_code: bool = False,
    progress: Reporter | None = None,
) -> Studied:
    """Trains the arms of a study with every seed, compares them on test, and writes `study.json` and `study.html`.

    Killed and called again it goes on; more seeds in the same folder train only what is not there yet.

    Args:
        kind: "methods", "data", "time", "schedule", "temperature", "fidelity", "missing-class", "teachers", "ensembles"
            or "born-again"; docs/studies.md tells what each asks.
        recipe: a recipe file, or its keys as a mapping; for `fidelity` the folder of a finished study.
        out: folder of the study; `studies/<name>-<kind>` by default.
        methods: `methods`: names of objectives, or mappings `{"method": name, ...}` with settings; left out, those of
            the recipe's `study.methods`, else all that fit.
        shares: `data`: shares of the labels, each above 0 and at most 1; 0.01, 0.03, 0.1, 0.3 and 1 by default.
            `schedule`: shares of training, each above 0 and below 1; 0.1, 0.2, 0.35 and 0.5 by default.
        without: `missing-class`: the class that students never see, by its name or number.
        teachers: `teachers`: at least two, each as a recipe's `teacher`, or the family of one that is trained like the
            recipe's, or such a mapping with `via`, the assistants between it and the student; left out, those of the
            recipe's `study.teachers`.
        generations: `born-again`: how often the student is born again; 3 by default.
        teacher: a module that gives logits, or several, instead of the recipe's.
        student: a function that makes a fresh module, or a module, instead of the recipe's.
        data: training examples, instead of the recipe's.
        test: likewise.
        validation: likewise.
        unlabelled: further examples without labels.
        overrides: dotted recipe keys, such as `{"verdict.seeds": 3}`.
        trust_code: whether names of the form `module:function` in the recipe may be loaded.
        progress: shows progress; silent by default.

    Returns:
        Folder and record.

    Raises:
        InputError: something given is wrong, or the folder holds something else; nothing was written.
        RunError: it failed or was interrupted; the same call goes on.
    """
    from limbeck.runs.needed import require_packages

    require_packages()

    from torch import nn

    from limbeck.core.memory import plain_shortage
    from limbeck.core.processes import joined
    from limbeck.runs.folder import refuse_early
    from limbeck.runs.given import Given
    from limbeck.runs.lent import lent
    from limbeck.runs.plan import plan
    from limbeck.runs.stop import stoppable
    from limbeck.studies.design import Options
    from limbeck.studies.kinds import named, refuse_others
    from limbeck.studies.run import run
    from limbeck.verbs.planning import recipe_of, smaller

    how = named(kind)
    own = {"methods": methods, "shares": shares, "without": without, "teachers": teachers, "generations": generations}
    refuse_others(kind, [name for name, value in own.items() if value is not None])
    if kind == "fidelity" and isinstance(recipe, str | Path) and Path(recipe).is_dir():
        return _of_a_study(Path(recipe), None if out is None else Path(out))
    given = Given(
        teacher=teacher, student=student, data=data, test=test, validation=validation, unlabelled=unlabelled,
        trust_code=trust_code, folder=Path(recipe).absolute().parent if isinstance(recipe, str | Path) else None,
    )  # fmt: skip
    asked = None if methods is None else tuple({"method": m} if isinstance(m, str) else dict(m) for m in methods)
    changes = {**(overrides or {}), **how.CHANGES}
    several = list(teacher) if isinstance(teacher, Sequence) else [teacher]
    with stoppable(), joined(), lent(*(each for each in several if isinstance(each, nn.Module))):
        read = recipe_of(recipe, given, changes)
        _refuse_lineage(read)
        folder = Path(out) if out is not None else Path("studies") / f"{read.name}-{kind}"
        refuse_early(folder)
        with plain_shortage("labelling or measuring", smaller(read.train.batch_size)):
            made = plan(read, given)
            named_ones = (read.study.teachers if teachers is None else teachers) if kind == "teachers" else ()
            others, via = _entrants(
                named_ones, read, lambda keys, own: plan(recipe_of(recipe, own, changes | keys), own), given,
                where="study.teachers" if teachers is None else "--teachers",
            )  # fmt: skip
            _refuse_growing([made, *others.values()])
            options = Options(
                methods=asked, shares=None if shares is None else tuple(shares),
                without=None if without is None else str(without), teachers=others, via=via,
                generations=generations,
            )  # fmt: skip
            record = run(made, kind, options, folder, progress or Silent())
    return Studied(folder, record)


def _refuse_growing(plans: "Sequence[Plan]") -> None:
    if any(each.recipe.teacher.grows for each in plans):
        raise RecipeError(
            "teacher: studies compare what a finished teacher does, and with teacher.peers or teacher.ema there is "
            "none; use `limbeck distil`, whose baseline tells what they bring"
        )


def _refuse_lineage(recipe: "Recipe") -> None:
    if recipe.lineage is not None:
        raise RecipeError(
            "lineage: studies train links one by one; remove it, or ask study born-again or study teachers (via)"
        )


def _entrants(
    teachers: Sequence[str | Mapping[str, Any]], recipe: "Recipe", planned: "Callable[[dict[str, Any], Given], Plan]",
    given: "Given", *, where: str,
) -> "tuple[dict[str, Plan], tuple[tuple[str, tuple[Plan, ...]], ...]]":  # fmt: skip
    """The plan of each teacher by its name, and the plans of assistants with the name of the teacher they begin at."""
    from limbeck.verbs.several import apart, blamed, called, refuse_twice, written

    refuse_twice(teachers, where)
    plans, via = {}, []
    for teacher, assistants in map(apart, teachers):
        name, own = called(teacher), {"teacher": written(teacher, recipe)}
        with blamed(teacher, where):
            plans[name] = planned(own, given)
        if assistants:
            alone = replace(given, student=None)
            with blamed(f"the assistants of {name}", where):
                via.append((name, tuple(planned(own | {"student": student}, alone) for student in assistants)))
    return plans, tuple(via)


def _of_a_study(source: Path, out: Path | None) -> Studied:
    """`fidelity`: what a finished study says about imitation; nothing is trained."""
    from limbeck.studies import page
    from limbeck.studies import record as records
    from limbeck.studies.kinds import fidelity

    found = records.read(source)
    folder = out if out is not None else source.parent / f"{source.name}-fidelity"
    if (folder / records.FILE_NAME).is_file() and records.read(folder).kind != "fidelity":
        raise RunFolderError(f"{folder} holds another study; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    record = fidelity.of(found, source.resolve(), folder.resolve())
    records.write(record, folder)
    page.write(folder)
    return Studied(folder, record)
