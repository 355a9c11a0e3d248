"""Arms: the student and whom it is compared with, each with as many candidates for validation to choose from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from limbeck.core.needs import Needs, union
from limbeck.data.source import Source
from limbeck.errors import RecipeError
from limbeck.objectives import METHODS, SCHEDULES, HardLabels, Objective, Schedule, TeacherLabels, WeightedSum, as_sum
from limbeck.recipe.model import ObjectiveTerm, Recipe
from limbeck.record import Role
from limbeck.runs.fit import Earlier, Settings
from limbeck.runs.given import Given
from limbeck.runs.named import load_named
from limbeck.runs.splits import Splits

TEMPERATURES = (1.0, 4.0, 2.0, 8.0, 1.5, 3.0)
"""In the order in which they are tried, so that few trials span the range."""
SMOOTHINGS = (0.0, 0.1, 0.05, 0.2, 0.15, 0.3, 0.025, 0.4)
"""Label smoothing is what a baseline without a teacher is tuned by: as many values as a student has candidates."""
NO_TEACHER: Settings = {"teacher_share": 0.0, "temperature": None}
MIXTURES: tuple[Settings, ...] = (
    {"teacher_share": 1.0, "temperature": 1.0},
    {"teacher_share": 1.0, "temperature": 4.0},
    NO_TEACHER,
    {"teacher_share": 1.0, "temperature": 2.0},
    {"teacher_share": 0.5, "temperature": 2.0},
    {"teacher_share": 0.1, "temperature": 1.0},
    {"teacher_share": 0.5, "temperature": 1.0},
    {"teacher_share": 1.0, "temperature": 8.0},
)
"""Where the weight is open too: from the teacher alone over mixtures with the labels to no teacher at all."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a comparison.

    Attributes:
        role: student, baseline or teacher-labels.
        candidates: settings that validation may choose among, at least one.
        objective: settings -> what is minimised.
        source: settings -> the examples learnt from.
        earlier: stages before the one that minimises `objective`.
    """

    role: Role
    candidates: tuple[Settings, ...]
    objective: Callable[[Settings], WeightedSum]
    source: Callable[[Settings], Source]
    earlier: tuple[Earlier, ...] = ()

    def stages(self, settings: Settings) -> list[WeightedSum]:
        """What is minimised, stage after stage."""
        return [*(stage.objective for stage in self.earlier), self.objective(settings)]

    def needs(self) -> Needs:
        """Everything that any candidate reads."""
        return union(objective.needs() for settings in self.candidates for objective in self.stages(settings))


def student_arm(recipe: Recipe, given: Given, splits: Splits) -> Arm:
    """The distilled student: the recipe's objective with what it leaves open.

    Args:
        recipe: its `objective` and `tune` sections.
        given: an objective made in Python, which leaves nothing open.
        splits: what there is to learn from.

    Returns:
        The arm.

    Raises:
        RecipeError: the objective contradicts the data.
    """
    if given.objective is not None:
        objective = as_sum(given.objective)
        source = _for(objective, splits)
        return Arm("student", ({},), lambda _settings: objective, lambda _settings: source, earlier(recipe))
    terms = recipe.objective
    open_weight = [term for term in terms if term.weight.kind == "auto"]
    open_temperature = [term for term in terms if term.settings.get("temperature") == "auto"]
    if open_weight and (len(terms) > 1 or terms[0].method != "soft-targets"):
        raise RecipeError(
            "objective: weight: auto balances one soft-targets term with the labels; leave other terms out"
        )
    written = written_temperatures(recipe)
    if open_weight:
        temperature = None if open_temperature else float(terms[0].settings["temperature"])
        candidates = _mixtures(recipe.tune.trials, temperature, written)
        return Arm(
            "student", candidates, _mixture, lambda s: splits.transfer if s["teacher_share"] else splits.labelled,
            earlier(recipe),
        )  # fmt: skip
    trials = max(1, recipe.tune.trials)
    tried = TEMPERATURES if written is None else written
    candidates = tuple({"temperature": t} for t in tried[: _most(trials)]) if open_temperature else ({},)

    def objective_of(settings: Settings) -> WeightedSum:
        return WeightedSum([(_schedule(term), _objective(term, settings)) for term in terms])

    return Arm(
        "student", candidates, objective_of, lambda settings: _for(objective_of(settings), splits), earlier(recipe)
    )


def earlier(recipe: Recipe) -> tuple[Earlier, ...]:
    """The recipe's stages before the last one."""
    return tuple(
        Earlier(
            WeightedSum([(_schedule(term), _objective(term, {})) for term in stage.objective]),
            stage.share, stage.trains, stage.learning_rate,
        )
        for stage in recipe.stages
    )  # fmt: skip


def comparison_arms(recipe: Recipe, splits: Splits, trials: int) -> list[Arm]:
    """The baseline, and the arms that explain a gain, each with `trials` candidates: as many as the student's."""
    candidates: tuple[Settings, ...] = tuple({"label_smoothing": s} for s in SMOOTHINGS[: max(1, trials)])
    arms = [
        Arm("baseline", candidates, lambda s: as_sum(HardLabels(_number(s))), lambda _settings: splits.labelled),
    ]
    if "teacher-labels" in recipe.verdict.arms:
        arms.append(
            Arm(
                "teacher-labels",
                candidates,
                lambda s: as_sum(TeacherLabels(_number(s))),
                lambda _settings: splits.transfer,
            )
        )
    return arms


def _most(trials: int) -> int:
    """Candidates that every arm can have: no more than a baseline has values of label smoothing."""
    return max(1, min(trials, len(SMOOTHINGS)))


def _number(settings: Settings) -> float:
    return float(settings["label_smoothing"] or 0.0)


def written_temperatures(recipe: Recipe) -> tuple[float, ...] | None:
    """Temperatures that the recipe's guide can be read at; `None`: any."""
    settings = recipe.guide.settings
    if recipe.guide.signal == "top-k":
        return tuple(settings["temperatures"])
    return (float(settings["temperature"]),) if recipe.guide.signal == "sampled" else None


def _mixtures(trials: int, temperature: float | None, written: tuple[float, ...] | None) -> tuple[Settings, ...]:
    """Candidates for an open weight; a temperature that the user fixed stays, and so do those of a sparse guide."""
    only = written if temperature is None else (temperature,)
    candidates: list[Settings] = list(MIXTURES)
    if only is not None:
        mixed: list[Settings] = [{"teacher_share": share, "temperature": t} for share in (0.5, 0.1) for t in only]
        alone: list[Settings] = [{"teacher_share": 1.0, "temperature": t} for t in only]
        candidates = [*alone[:2], NO_TEACHER, *alone[2:], *mixed]
    return tuple(candidates[: _most(trials)])


def _mixture(settings: Settings) -> WeightedSum:
    share, temperature = float(settings["teacher_share"] or 0.0), settings["temperature"]
    parts: list[tuple[float | Schedule, Objective]] = []
    if share > 0:
        from limbeck.objectives import SoftTargets

        parts.append((share, SoftTargets(float(temperature or 1.0))))
    if share < 1:
        parts.append((1 - share, HardLabels()))
    return WeightedSum(parts)


def _schedule(term: ObjectiveTerm) -> Schedule:
    schedule: Schedule = load_named(SCHEDULES, term.weight.kind, term.weight.settings)
    return schedule


def _objective(term: ObjectiveTerm, settings: Settings) -> Objective:
    values: dict[str, Any] = term.settings
    if values.get("temperature") == "auto":
        values["temperature"] = settings["temperature"]
    objective: Objective = load_named(METHODS, term.method, values)
    return objective


def _for(objective: WeightedSum, splits: Splits) -> Source:
    """Who listens to a teacher learns from everything; who does not, from what has labels."""
    return splits.transfer if objective.needs().teacher else splits.labelled


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings for people.

    Args:
        settings: of one candidate.

    Returns:
        A phrase.

    Example:
        >>> in_words({"teacher_share": 0.5, "temperature": 2.0})
        'half teacher at temperature 2, half labels'
        >>> in_words({"teacher_share": 0.0, "temperature": None})
        'no teacher at all'
    """
    if "teacher_share" in settings:
        return _mixture_in_words(float(settings["teacher_share"]), settings["temperature"])
    if "temperature" in settings:
        return f"temperature {settings['temperature']:g}"
    if "label_smoothing" in settings:
        return (
            f"label smoothing {settings['label_smoothing']:g}" if settings["label_smoothing"] else "no label smoothing"
        )
    return "as given"


def _mixture_in_words(share: float, temperature: float | None) -> str:
    if share == 0:
        return "no teacher at all"
    if share == 1:
        return f"the teacher alone at temperature {temperature:g}"
    if share == 0.5:
        return f"half teacher at temperature {temperature:g}, half labels"
    return f"{100 * share:g}% teacher at temperature {temperature:g}, the rest labels"
