"""`guide info`, `guide verify`, `guide import`: a study guide looked into, proven, made of labels that others made."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from limbeck.core.progress import Reporter, Silent

if TYPE_CHECKING:
    from limbeck.guide.verify import Verification


def guide_info(*, guide: Path | str) -> dict[str, Any]:
    """Facts about a guide; of one that is still being written, how far it is.

    Args:
        guide: its folder, or a URL that fsspec can open.

    Returns:
        A JSON value; sizes in bytes.

    Raises:
        GuideError: there is no guide, or it cannot be read.
    """
    from limbeck.guide.info import info

    return info(guide)


def verify_guide(
    *,
    guide: Path | str,
    recipe: Path | str | None = None,
    sample: int = 1024,
    trust_code: bool = False,
    progress: Reporter | None = None,
) -> "Verification":
    """Hashes every file of a guide again, and asks its teacher again about a sample of rows.

    Args:
        guide: its folder, or a URL.
        recipe: of the teacher; by default the one that lies with a guide of `label` or of a run. Without any, files
            alone are checked.
        sample: rows that the teacher is asked about.
        trust_code: whether names of the form `module:function` in the recipe may be loaded.
        progress: shows progress.

    Returns:
        What is wrong, if anything.

    Raises:
        GuideError: there is no finished guide.
    """
    from limbeck.core.runtime import applied
    from limbeck.guide.verify import verify
    from limbeck.runs.given import Given
    from limbeck.runs.labelling import home_of, recipe_of, taught
    from limbeck.verbs.planning import planned

    reporter = progress or Silent()
    found, home = recipe_of(guide) if recipe is None else Path(recipe), home_of(guide)
    why = _unaskable(found, home, own=recipe is None)
    if found is None or why is not None:
        reporter.say(f"files are checked, and the teacher is not asked again: {why}")
        return verify(guide, sample=sample, reporter=reporter)
    plan = planned(found, Given(trust_code=trust_code, folder=found.absolute().parent), None, pupil=False)
    with applied(plan.runtime), TemporaryDirectory() as scratch:
        teacher = taught(plan, home or Path(scratch), reporter)
        return verify(
            guide,
            teacher=teacher,
            source=plan.splits.transfer,
            views=plan.views,
            sample=sample,
            device=plan.runtime.device,
            reporter=reporter,
        )


def _unaskable(recipe: Path | None, home: Path | None, *, own: bool) -> str | None:
    """Why the teacher of a guide cannot be asked again; `None`: it can."""
    from limbeck.recipe import GIVEN, GUIDE, load

    if recipe is None:
        return "no recipe lies with the guide; name one with --recipe"
    loaded = load(recipe)
    if home is None and (loaded.teacher.train or loaded.teacher.adapt) is not None:
        return "the teacher that was trained for it does not lie with the guide"
    if loaded.teacher.grows:
        return "its recipe has no teacher that is there before the student"
    if loaded.teacher.from_ == GUIDE:
        return "it exists only as this guide"
    data = (loaded.data.train, loaded.data.test, loaded.data.validation, loaded.data.unlabelled)
    if own and GIVEN in (loaded.teacher.from_, *data):
        return "data or teacher were given in Python"
    return None


def import_guide(
    *,
    file: Path | str,
    origin: str,
    out: Path | str,
    data: Any = None,  # noqa: ANN401 - a path, arrays, a data set
    recipe: Path | str | None = None,
    licence: str | None = None,
    key: str | None = None,
    progress: Reporter | None = None,
) -> dict[str, Any]:
    """Makes a guide of predicted probabilities in a CSV, Parquet or npz file, matched by example.

    Args:
        file: a column a class, named after it, and one that says which example a row is about.
        origin: who made the labels, and how.
        out: the guide's folder.
        data: the training examples; every one needs a row.
        recipe: takes the examples of this recipe's transfer set instead (a run holds some back for validation and
            testing, so its guide must be about the others).
        licence: what the labels may be used for.
        key: name of the column that says which example a row is about: a relative path, a row number or an id.
        progress: is told what was left out.

    Returns:
        Facts about the guide, as `guide_info` gives them.

    Raises:
        DataError: a missing or double example, NaN, numbers that are no probabilities, classes that cannot be mapped.
        InputError: neither data nor recipe, or both.
    """
    from limbeck.data.open import open_source
    from limbeck.errors import InputError
    from limbeck.guide.importing import import_guide as write
    from limbeck.guide.info import info
    from limbeck.recipe import load
    from limbeck.runs.given import Given
    from limbeck.runs.splits import open_splits
    from limbeck.task import named

    if (data is None) == (recipe is None):
        raise InputError("guide import: name the examples once, by data or by recipe")
    if recipe is not None:
        loaded = load(recipe)
        source = open_splits(loaded, Given(), named(loaded.task)).transfer
    else:
        source = open_source(data, split="train")
    write(
        Path(file), out=Path(out), source=source, origin=origin, licence=licence, key=key, reporter=progress or Silent()
    )
    return info(out)
