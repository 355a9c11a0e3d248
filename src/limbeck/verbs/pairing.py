"""Which layer of a student may imitate which layer of its teacher: equal pixel grids, else equal relative depth."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from limbeck.errors import ModelError
from limbeck.objectives.bridges import plan
from limbeck.objectives.bridges.layout import layout
from limbeck.recipe.text import emit
from limbeck.tapping import Place
from limbeck.tapping.layout import turned_shape

_SHALLOW = 0.05
"""Share of the work before which a layer has seen too little to be imitated."""
_ISOTROPIC = 0.4
"""Share of the work over which numbered blocks of one shape are a stack to pick several from."""
_MOST = 4
"""Pairs on one grid."""
_USABLE = ("map", "channels-last", "tokens", "vector")
"""Kinds of places that some objective reads as they are."""
_LONGEST = 32
"""Layers on one grid that are looked at."""
_NUMBERED = re.compile(r"(?:(.*)\.)?\d+")


@dataclass(frozen=True, slots=True)
class Pairing:
    """One layer a side.

    Attributes:
        student: path of its tap.
        teacher: likewise.
        why: what speaks for them.
        line: a term of a recipe's objective.
    """

    student: str
    teacher: str
    why: str
    line: str


@dataclass(frozen=True, slots=True)
class _Point:
    place: Place
    depth: float
    grid: tuple[int, int] | str


def pairs(student: Sequence[Place], teacher: Sequence[Place]) -> list[Pairing]:
    """Proposes layers to compare, from shallow to deep.

    Candidates are the last layer of each pixel grid, and all of a stack of blocks with one grid (transformers). Those
    of one grid are paired in order, so that their relative depths (shares of the multiply-accumulates done by then)
    differ least; where no grid is common to both models, all are.

    Args:
        student: its places, in the order of computation.
        teacher: likewise.

    Returns:
        At most four pairs on one grid and one for each place, none of which needs a bridge that does not exist.
    """
    mine, theirs = _candidates(student), _candidates(teacher)
    common = [grid for grid in dict.fromkeys(point.grid for point in mine) if grid in {each.grid for each in theirs}]
    groups = [([each for each in mine if each.grid == grid], [each for each in theirs if each.grid == grid])
              for grid in common] or [(mine, theirs)]  # fmt: skip
    found = [pair for group in groups for pair in _nearest(*group) if _bridgeable(*pair)]
    return [_pairing(one, other) for one, other in sorted(found, key=lambda pair: pair[0].depth)]


def _nearest(mine: Sequence[_Point], theirs: Sequence[_Point]) -> list[tuple[_Point, _Point]]:
    """Each of the shorter list with one of the longer, in order, so that depths differ least in all."""
    if len(mine) > len(theirs):  # the other way round
        return [(one, other) for other, one in _nearest(theirs, mine)]
    mine, theirs = _spaced(mine, _MOST), _spaced(theirs, _LONGEST)
    best = min(
        combinations(theirs, len(mine)),
        key=lambda chosen: sum(abs(one.depth - other.depth) for one, other in zip(mine, chosen, strict=True)),
    )
    return list(zip(mine, best, strict=True))


def _candidates(places: Sequence[Place]) -> list[_Point]:
    """The ends of stages, in order; the model's answer is none."""
    points = _points(places)
    chosen: dict[str, _Point] = {}
    for grid in dict.fromkeys(point.grid for point in points):
        group = [point for point in points if point.grid == grid]
        for point in _stack(group) or [_end(group)]:
            chosen[point.place.path] = point
    return sorted(chosen.values(), key=lambda point: point.depth)


def _points(places: Sequence[Place]) -> list[_Point]:
    usable = [place for place in places if place.kind in _USABLE and place.runs == 1]
    last = usable[-1] if usable else None
    total = max((place.work or 0 for place in places), default=0)
    points = []
    for number, place in enumerate(usable, start=1):
        read = layout(_shape(place))
        answers = last is not None and place.kind == last.kind == "vector" and place.shape == last.shape
        depth = (place.work or 0) / total if total else number / len(usable)
        if read is None or depth < _SHALLOW or (answers and depth >= 1 - 1e-9) or read.grid == (1, 1):
            continue
        grid = read.grid or ("vector" if read.kind == "vector" else "sequence")
        points.append(_Point(place, depth, grid))
    maps = any(isinstance(point.grid, tuple) or point.grid == "sequence" for point in points)
    return [point for point in points if not maps or point.grid != "vector"]


def _shape(place: Place) -> tuple[int, ...]:
    """As objectives read it, channels first."""
    return turned_shape(place.path, place.shape)


def _stack(group: Sequence[_Point]) -> list[_Point]:
    """Numbered blocks, where there is such a stack."""
    families: dict[str | None, list[_Point]] = {}
    for point in group:
        match = _NUMBERED.fullmatch(point.place.path)
        if match:
            families.setdefault(match[1], []).append(point)
    outer = min(families, key=lambda name: (name or "").count("."), default=None)
    blocks = list(
        {point.depth: point for point in families.get(outer, [])}.values()
    )  # what follows without work counts
    if len(blocks) < 2 or blocks[-1].depth - blocks[0].depth < _ISOTROPIC:
        return []
    return blocks


def _spaced(points: Sequence[_Point], most: int) -> list[_Point]:
    """At most so many, evenly spaced, the last among them."""
    count = min(most, len(points))
    return [points[round((number + 1) * len(points) / count) - 1] for number in range(count)]


def _end(group: Sequence[_Point]) -> _Point:
    """The last of a group, by its shortest name."""
    last = group[-1]
    same = [point for point in group if point.depth == last.depth and point.place.shape == last.place.shape]
    outer = min(point.place.path.count(".") for point in same)
    return [point for point in same if point.place.path.count(".") == outer][-1]


def _bridgeable(student: _Point, teacher: _Point) -> bool:
    try:
        plan(_shape(student.place), _shape(teacher.place), sequence="sequence" in (student.grid, teacher.grid))
    except ModelError:
        return False
    return True


def _pairing(student: _Point, teacher: _Point) -> Pairing:
    depth = f"after {student.depth:.0%} of the student's work and {teacher.depth:.0%} of the teacher's"
    if student.grid == teacher.grid and isinstance(student.grid, tuple):
        why = f"both {student.grid[0]} x {student.grid[1]}, {depth}"
    elif student.grid == teacher.grid:
        why = f"both a {student.grid}, {depth}"
    else:
        why = f"no grid in common; {depth}"
    method: dict[str, str] = {"method": "hint", "variant": "mean-square"}
    if "sequence" in (student.grid, teacher.grid):
        method = {"method": "pkd", "tokens": "all"}
    term = {**method, "student": student.place.path, "teacher": teacher.place.path}
    return Pairing(student.place.path, teacher.place.path, why, emit([term], width=10_000).strip().removeprefix("- "))
