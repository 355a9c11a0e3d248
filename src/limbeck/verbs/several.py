"""Teachers of a study as somebody names them: a family, a model's name, or a recipe's `teacher` in full."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
    return str(teacher.get("from"))
