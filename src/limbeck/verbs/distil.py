"""`distil`: from a recipe, or from models and data at hand, to one proven student."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.core.progress import Reporter, Silent
from limbeck.record import Record, Verdict

if TYPE_CHECKING:
    from torch import nn

    from limbeck.lineage.record import Lineage
    from limbeck.objectives import Objective, WeightedSum


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run.

    Attributes:
        folder: everything it wrote.
        record: everything it measured.
        lineage: the chain whose best generation this is, where the recipe asks for one.
    """

    folder: Path
    record: Record
    lineage: "Lineage | None" = None

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    @property
    def student(self) -> Path:
        """The bundle: weights, ONNX program, model card."""
        return self.folder / "student"

    @property
    def verdict(self) -> Verdict | None:
        """Whether the teacher helped; `None` where no verdict was asked for."""
        return self.record.verdict


def distil(
    *,
    recipe: Path | str | Mapping[str, Any] | None = None,
    teacher: "nn.Module | Sequence[nn.Module] | None" = None,
    student: "nn.Module | Callable[[], nn.Module] | None" = None,
    data: Any = None,  # noqa: ANN401 - arrays, a data set, a path
    test: Any = None,  # noqa: ANN401
    validation: Any = None,  # noqa: ANN401
    unlabelled: Any = None,  # noqa: ANN401
    objective: "Objective | WeightedSum | None" = None,
    out: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
    trust_code: bool = False,
    progress: Reporter | None = None,
) -> Run:
    """Distils a teacher into a student, measures and exports it, and says whether the teacher helped.

    Args:
        recipe: a recipe file, or its keys as a mapping; what is left out has the recipe's defaults.
        teacher: a module that gives logits, or several, which then speak as one. While the run lasts it is in eval mode
            and frozen; then its mode, its flags and its device are as they were.
        student: a function that makes a fresh module; or a module, a copy of which every seed starts from: then the
            verdict does not cover initialisation, and says so. Yours is not trained: the student is in `run.student`.
        data: training examples: a path, arrays `(x, y)`, or a map-style data set.
        test: likewise; left out, a share of the data is split off.
        validation: likewise; left out, a share of the labelled examples is split off.
        unlabelled: likewise: further examples without labels, for the teacher to label.
        objective: what the student minimises; left out, soft targets, or the labels alone: validation chooses the
            temperature and whether the teacher is listened to.
        out: folder of the run; `runs/<name>` by default. A run that was interrupted goes on there.
        overrides: dotted recipe keys, such as `{"train.epochs": 5}`; they win over the recipe.
        trust_code: whether names of the form `module:function` in the recipe may be loaded.
        progress: shows progress, such as `limbeck.core.progress.Terminal()`; silent by default.

    Returns:
        Folder and record; the report is in `run.report`.

    Raises:
        InputError: something given is wrong; nothing was written.
        RunError: the run failed; the same call goes on where it was.
    """
    from limbeck.runs.needed import require_packages

    require_packages()  # before anything below imports them

    from torch import nn

    from limbeck import pipeline
    from limbeck.core.memory import plain_shortage
    from limbeck.core.processes import joined
    from limbeck.lineage import chain as chains
    from limbeck.runs.folder import refuse_early
    from limbeck.runs.given import Given
    from limbeck.runs.lent import lent
    from limbeck.runs.plan import plan
    from limbeck.runs.stop import stoppable
    from limbeck.verbs.planning import recipe_of, smaller

    given = Given(
        teacher=teacher, student=student, data=data, test=test, validation=validation, unlabelled=unlabelled,
        objective=_summed(objective), trust_code=trust_code,
        folder=Path(recipe).absolute().parent if isinstance(recipe, str | Path) else None,
    )  # fmt: skip
    several = list(teacher) if isinstance(teacher, Sequence) else [teacher]
    modules = [each for each in several if isinstance(each, nn.Module)]
    with stoppable(), joined(), lent(*modules):
        read = recipe_of(recipe, given, overrides)
        folder = Path(out) if out is not None else Path("runs") / read.name
        if read.lineage is None:
            refuse_early(folder)
        with plain_shortage("labelling or measuring", smaller(read.train.batch_size)):
            if read.lineage is not None:
                best, record, chain = chains.run(read, given, folder, progress or Silent())
                return Run(best, record, chain)
            return Run(folder, pipeline.run(plan(read, given), folder, progress or Silent()))


def _summed(objective: Any) -> "WeightedSum | None":  # noqa: ANN401 - whatever was given
    from limbeck.errors import RecipeError
    from limbeck.objectives import Objective, WeightedSum, as_sum

    if objective is None:
        return None
    if not isinstance(objective, Objective | WeightedSum):
        raise RecipeError(
            f"objective: got {type(objective).__name__}, expected one of limbeck.objectives or a weighted sum of them"
        )
    return as_sum(objective)
