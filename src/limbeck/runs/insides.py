"""What a plan's objectives read of models beside their answers, tried on a few rows before anything is trained."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.needs import Needs, union
from limbeck.core.outputs import inner
from limbeck.core.protocols import SignalSource
from limbeck.core.signals import Signals
from limbeck.data.preprocess import Preprocess
from limbeck.data.source import Source
from limbeck.errors import RecipeError
from limbeck.objectives import WeightedSum
from limbeck.recipe.model import Recipe
from limbeck.runs.build import Blueprint
from limbeck.tapping import tapped
from limbeck.teachers.heads import Adapted
from limbeck.training import building

_ROWS = 4


class Untrained:
    """A teacher as it is before training: what it says has the right shapes and no sense.

    Args:
        blueprint: of the teacher.
        needs: what is read of it.
        outputs: of the models' last axis.
        seed: of the teacher.
    """

    def __init__(self, blueprint: Blueprint, needs: Needs, outputs: int, seed: int) -> None:
        module = blueprint.make(seed)
        self.module: nn.Module = (module.model if isinstance(module, Adapted) else module).eval()
        self.preprocess = Preprocess(blueprint.preprocess)
        self.needs, self.outputs = needs, outputs

    @torch.no_grad()
    def signals(self, batch: Batch) -> Signals:
        """Features of the right shapes; logits and gradients are zeros."""
        assert isinstance(batch.inputs, Tensor), "several inputs come with tokenised text"
        with tapped(inner(self.module), self.needs.teacher_taps, whose="teacher") as read:
            if self.needs.teacher_taps:
                self.module(self.preprocess(batch.inputs))
            features = {path: read[path].float() for path in self.needs.teacher_taps}
        gradient = torch.zeros(batch.inputs.shape) if self.needs.input_gradient else None
        return Signals(torch.zeros(len(batch), self.outputs), features, input_gradient=gradient)


def with_features(recipe: Recipe, needs: Needs) -> Recipe:
    """A guide that is written whatever it costs keeps the activations that the objective reads.

    Raises:
        RecipeError: the objective reads what the recipe's guide does not keep.
    """
    guide = recipe.guide
    if needs.input_gradient and (guide.from_ is not None or guide.use == "always"):
        raise RecipeError(
            "objective: gradient-attention asks the teacher for gradients, which no study guide holds; use guide: never"
        )
    if needs.insides and recipe.teacher.ensemble is not None:
        raise RecipeError(
            "objective: activations and gradients of several teachers have no mean; take one teacher, or an objective "
            "on the models' answers (soft-targets, dkd, dist, ...)"
        )
    absent = [path for path in needs.teacher_taps if path not in guide.features]
    if absent and guide.from_ is not None:
        raise RecipeError(
            f"objective: it reads the teacher's {', '.join(map(repr, absent))}, but guide.features names "
            f"{', '.join(map(repr, guide.features)) or 'nothing'}; write a guide that keeps them"
        )
    if not absent or guide.use != "always":
        return recipe
    features = {**guide.features, **dict.fromkeys(absent, "float16")}
    return recipe.model_copy(update={"guide": guide.model_copy(update={"features": features})})


def check_insides(
    stages: list[WeightedSum],
    *,
    student: Blueprint,
    teacher: Blueprint | SignalSource | None,
    source: Source,
    outputs: int,
    seed: int,
) -> None:
    """Tries the objectives of a training's stages on an untrained student and teacher.

    Args:
        stages: in order; the last one must reach the whole student.
        student: how students are made.
        teacher: how the teacher is made, or its guide.
        source: examples with labels.
        outputs: of the models' last axis.
        seed: of the models.

    Raises:
        ModelError: there is no such tap, no bridge between the shapes, or something would never be trained.
    """
    needs = union(stage.needs() for stage in stages)
    if not needs.insides:
        return
    rows = np.arange(min(_ROWS, len(source)))
    speaker = Untrained(teacher, needs, outputs, seed) if isinstance(teacher, Blueprint) else teacher
    inputs = torch.from_numpy(np.ascontiguousarray(source.read(rows)))
    ids = torch.from_numpy(np.ascontiguousarray(source.ids[rows]))
    target = torch.zeros(len(rows), dtype=torch.int64)
    batch = Batch(ids, torch.zeros(len(rows), dtype=torch.int64), inputs, target=target)
    model = student.prepared(seed)
    for number, objective in enumerate(stages):
        tried = copy.deepcopy(objective)
        unreached = building.build(tried, model, lambda: batch, speaker, device="cpu", seed=seed)
        if number == len(stages) - 1:
            building.refuse_untrained(unreached, tried, model)
