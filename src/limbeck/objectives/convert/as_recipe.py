"""Any objective as the lines of a recipe."""

from dataclasses import asdict
from typing import Any

from limbeck.errors import RecipeError
from limbeck.objectives.objective import Objective
from limbeck.objectives.schedule import Constant
from limbeck.objectives.text import changed
from limbeck.objectives.weighted import WeightedSum, as_sum


def as_recipe(objective: Objective | WeightedSum) -> list[dict[str, Any]]:
    """What stands under `objective:` in a recipe that says the same; settings at their defaults are left out.

    Args:
        objective: of methods that recipes know.

    Raises:
        RecipeError: a part is none of the methods that recipes may name.

    Example:
        >>> from limbeck.objectives.convert import from_deit
        >>> as_recipe(from_deit(alpha=0.5, tau=3.0, classes=1000))[1]
        {'method': 'soft-targets', 'weight': 0.0005, 'temperature': 3.0}
    """
    from limbeck.objectives import METHODS, SCHEDULES

    names = {where: name for table in (METHODS, SCHEDULES) for name, where in table.items()}
    terms = []
    for schedule, part in as_sum(objective).weighted_parts():
        if _where(part) not in names:
            raise RecipeError(f"{type(part).__name__} is no method that a recipe can name; give it in Python")
        weight = (
            schedule.value if isinstance(schedule, Constant) else {"kind": names[_where(schedule)], **asdict(schedule)}
        )
        terms.append({"method": names[_where(part)], "weight": weight, **changed(part)})
    return terms


def _where(thing: object) -> str:
    return f"{type(thing).__module__}:{type(thing).__name__}"
