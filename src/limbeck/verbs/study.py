"""`study`: a question about distillation, answered on the user's own data with seeds, intervals and plots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.core.progress import Reporter, Silent

if TYPE_CHECKING:
    from torch import nn

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
        kind: "methods", "data", "time" or "temperature"; docs/studies.md tells what each asks.
        recipe: a recipe file, or its keys as a mapping.
        out: folder of the study; `studies/<name>-<kind>` by default.
        methods: `methods`: names of objectives, or mappings `{"method": name, ...}` with settings; left out, those of
            the recipe's `study.methods`, else all that fit.
        shares: `data`: shares of the labels, each above 0 and at most 1; 0.01, 0.03, 0.1, 0.3 and 1 by default.
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
    from limbeck.studies.kinds import named
    from limbeck.studies.run import run
    from limbeck.verbs.planning import recipe_of, smaller

    how = named(kind)
    given = Given(
        teacher=teacher, student=student, data=data, test=test, validation=validation, unlabelled=unlabelled,
        trust_code=trust_code, folder=Path(recipe).absolute().parent if isinstance(recipe, str | Path) else None,
    )  # fmt: skip
    asked = None if methods is None else tuple({"method": m} if isinstance(m, str) else dict(m) for m in methods)
    several = list(teacher) if isinstance(teacher, Sequence) else [teacher]
    with stoppable(), joined(), lent(*(each for each in several if isinstance(each, nn.Module))):
        read = recipe_of(recipe, given, {**(overrides or {}), **how.CHANGES})
        folder = Path(out) if out is not None else Path("studies") / f"{read.name}-{kind}"
        refuse_early(folder)
        with plain_shortage("labelling or measuring", smaller(read.train.batch_size)):
            options = Options(methods=asked, shares=None if shares is None else tuple(shares))
            record = run(plan(read, given), kind, options, folder, progress or Silent())
    return Studied(folder, record)
