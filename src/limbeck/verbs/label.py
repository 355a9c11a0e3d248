"""`label`: let the teacher speak once, into a study guide that every student reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.core.progress import Reporter, Silent

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Labelled:
    """A guide, or this process's share of one.

    Attributes:
        folder: of the guide.
        facts: what is inside, as `guide info` tells it; `None` while other processes still write.
    """

    folder: Path
    facts: Mapping[str, Any] | None


def label(
    *,
    recipe: Path | str | Mapping[str, Any],
    out: Path | str,
    teacher: "nn.Module | None" = None,
    data: Any = None,  # noqa: ANN401 - arrays, a data set, a path
    test: Any = None,  # noqa: ANN401
    validation: Any = None,  # noqa: ANN401
    unlabelled: Any = None,  # noqa: ANN401
    overrides: Mapping[str, Any] | None = None,
    engine: str = "local",
    workers: int = 2,
    trust_code: bool = False,
    progress: Reporter | None = None,
) -> Labelled:
    """Writes the study guide of a recipe: what its teacher says about every view that its students will see.

    Killed and called again it goes on. A recipe reads it with `guide: {from: FOLDER}`; the teacher that was trained for
    it is found there too.

    Args:
        recipe: a recipe file, or its keys as a mapping.
        out: folder of the guide; empty, absent, or this guide's own.
        teacher: a module that gives logits, instead of the recipe's.
        data: training examples, instead of the recipe's.
        test: as `distil` will be given it, so that both hold back the same examples.
        validation: likewise.
        unlabelled: further examples without labels.
        overrides: dotted recipe keys, such as `{"guide.signal": "top-k"}`.
        engine: "local", or "ray": actors on the machines of a Ray cluster write the shards (extra `cluster`). Under
            `torchrun` each process of the local engine writes its share.
        workers: actors of the ray engine.
        trust_code: whether names of the form `module:function` in the recipe may be loaded.
        progress: shows progress.

    Returns:
        The guide.

    Raises:
        InputError: something given is wrong, or the folder holds something else; nothing was written.
        RunError: the disk is full, or it was interrupted; the same call goes on.
    """
    from limbeck.core.memory import plain_shortage
    from limbeck.core.runtime import applied
    from limbeck.runs.given import Given
    from limbeck.runs.labelling import write_labels
    from limbeck.runs.lent import lent
    from limbeck.runs.needed import require_packages
    from limbeck.runs.stop import stoppable
    from limbeck.verbs.planning import planned, smaller

    require_packages()
    given = Given(
        teacher=teacher, data=data, test=test, validation=validation, unlabelled=unlabelled, trust_code=trust_code,
        folder=Path(recipe).absolute().parent if isinstance(recipe, str | Path) else None,
    )  # fmt: skip
    with stoppable(), lent(*([] if teacher is None else [teacher])):
        plan = planned(recipe, given, overrides, pupil=False)
        with applied(plan.runtime), plain_shortage("labelling", smaller(plan.recipe.train.batch_size)):
            facts = write_labels(plan, Path(out), engine=engine, workers=workers, reporter=progress or Silent())
    return Labelled(Path(out), facts)
