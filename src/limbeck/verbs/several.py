"""Teachers of a study as somebody names them: a family, a model's name, or a recipe's `teacher` in full."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from limbeck.errors import InputError, RecipeError
from limbeck.teachers import FAMILIES

if TYPE_CHECKING:
    from limbeck.recipe import Recipe


def apart(teacher: str | Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """A teacher without its assistants, and the assistants.

    Example:
        >>> apart({"train": {"width": 8}, "via": [{"family": "convnet", "width": 16}]})
        ({'train': {'width': 8}}, [{'family': 'convnet', 'width': 16}])
        >>> apart("resnet")
        ('resnet', [])
    """
    if isinstance(teacher, str):
        return teacher, []
    via = teacher.get("via") or []
    own = {key: value for key, value in teacher.items() if key != "via"}
    return own, list(via) if isinstance(via, list | tuple) else [via]


def refuse_twice(teachers: Sequence[str | Mapping[str, Any]], where: str) -> None:
    """Refuses what names no teacher, and the same teacher with the same assistants twice.

    Args:
        teachers: as they were given.
        where: the option or key they were given in.

    Raises:
        RecipeError: one of them is neither text nor a mapping, or names another's.
    """
    seen: list[tuple[str, list[Any]]] = []
    for teacher in teachers:
        if not isinstance(teacher, str | Mapping):
            raise RecipeError(
                f"{where}: got {teacher!r} ({type(teacher).__name__}), expected a family, a model's name, or a mapping "
                "such as {train: {family: resnet, width: 8}}"
            )
        own, assistants = apart(teacher)
        if (called(own), assistants) in seen:
            raise RecipeError(
                f"{where}: {called(own)!r} is named twice; keep one, or give each settings of its own in the recipe, "
                "as in study.teachers: [{train: {family: resnet, width: 8}}, {train: {family: resnet, width: 32}}]"
            )
        seen.append((called(own), assistants))


@contextmanager
def blamed(teacher: str | Mapping[str, Any], where: str) -> Iterator[None]:
    """Errors name the teacher and where it was given, not the key of a recipe that nobody wrote.

    Args:
        teacher: as it was given, without its assistants.
        where: the option or key it was given in.

    Raises:
        InputError: what was wrong with it, of the same class.
    """
    try:
        yield
    except InputError as error:
        if isinstance(teacher, str) and isinstance(error, RecipeError) and re.fullmatch(r"[\w-]+", teacher):
            near = get_close_matches(teacher, FAMILIES, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise RecipeError(
                f"{where}: there is no teacher {teacher!r}{hint}; a family that is trained here is one of "
                f"{', '.join(FAMILIES)}, and one that exists is named as in timm:resnet18, ./runs/photos or a.onnx"
            ) from error
        told = str(error).removeprefix("recipe: ").replace("--set ", "")
        raise type(error)(f"{where}, {called(teacher)}: {told}") from error


def written(teacher: str | Mapping[str, Any], recipe: "Recipe") -> Any:  # noqa: ANN401 - a recipe's value
    """What stands under `teacher` in the recipe of this one.

    Args:
        teacher: a family is trained as long as the recipe's own teacher; all else stands as it is.
        recipe: of the study.
    """
    if not isinstance(teacher, str) or teacher not in FAMILIES:
        return teacher
    own = recipe.teacher.train
    how = {} if own is None else {"epochs": own.epochs, "labels": own.labels, "learning_rate": own.learning_rate}
    return {"train": {"family": teacher, **how}}


def called(teacher: str | Mapping[str, Any]) -> str:
    """A short name.

    Args:
        teacher: as it was given.

    Example:
        >>> called("timm:resnet18"), called({"train": {"family": "resnet", "width": 8, "epochs": 5}})
        ('timm:resnet18', 'resnet, width 8, epochs 5')
    """
    if isinstance(teacher, str):
        return teacher
    train = teacher.get("train")
    if isinstance(train, Mapping):
        settings = [f"{key} {value}" for key, value in train.items() if key != "family"]
        return ", ".join([str(train.get("family", "resnet")), *settings])
    members = teacher.get("ensemble")
    if isinstance(members, list | tuple):
        return " + ".join(called(each) for each in members)
    return str(teacher.get("from") or dict(teacher))
