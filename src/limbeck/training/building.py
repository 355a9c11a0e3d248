"""Before a stage: objectives on activations get their bridges, and what they do not reach is not trained."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from limbeck.core.batch import Batch
from limbeck.core.input_gradient import asked_with_gradient
from limbeck.core.modes import evaluating
from limbeck.core.protocols import Objective, SignalSource
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.tapping import tapped
from limbeck.training.asking import own_part

_ROWS = 4
"""Of a batch: enough for objectives that compare rows."""
_MOMENTS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.999)
"""Of training, at which schedules may weigh other terms."""


def build(
    objective: Objective,
    model: nn.Module,
    batch: Callable[[], Batch],
    teacher: SignalSource | None,
    *,
    device: str,
    seed: int,
) -> frozenset[str]:
    """Makes the bridges and memories of an objective, the same in every process and whenever a run is resumed.

    The student is asked about a few rows in eval mode; it and the random state are left as they were.

    Args:
        objective: its `build` is called once.
        model: the student; moved to the device.
        batch: the stage's first batch; asked for only where the objective reads more than answers.
        teacher: likewise.
        device: where training computes.
        seed: of what is made; apart from the student's own seed.

    Returns:
        Names of parameters that the objective never reaches, which a stage must not train: gradients that never come
        would be waited for by other processes.

    Raises:
        ModelError: there is no such tap, no teacher, or no bridge between the shapes.
    """
    needs = objective.needs()
    assert isinstance(objective, nn.Module), "objectives are modules"
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        if not needs.insides:
            objective.build({}, {})
            return frozenset()
        rows = batch().rows(slice(0, _ROWS)).to(device)
        model.to(device)
        with evaluating(model):
            said, heard = _asked(objective, model, rows), _heard(objective, teacher, rows)
            objective.build(_shapes(said), {} if heard is None else _shapes(heard))
            objective.to(device)
            return _unreached(objective, model, said, heard, rows)


def refuse_untrained(unreached: frozenset[str], objective: Objective, model: nn.Module) -> None:
    """Refuses a last stage after which parts of the student would be as they began.

    Raises:
        ModelError: the objective does not reach every parameter that may be trained.
    """
    own = {id(parameter): name for name, parameter in own_part(model).named_parameters()}
    left = [
        own.get(id(parameter), name)
        for name, parameter in model.named_parameters()
        if name in unreached and parameter.requires_grad
    ]
    if left:
        raise ModelError(
            f"the objective ({objective}) never reaches {len(left)} of the student's parameters ({left[0]}, ...), "
            "which would stay as they began; add an objective on the answers (soft-targets, hard-labels), or make "
            "this one an earlier stage"
        )


def _asked(objective: Objective, model: nn.Module, batch: Batch) -> Signals:
    needs = objective.needs()
    with tapped(own_part(model), needs.student_taps, whose="student") as read, torch.enable_grad():
        if needs.input_gradient:
            logits, gradient = asked_with_gradient(model, batch, student=True)
            return Signals(logits=logits, features=dict(read), input_gradient=gradient)
        return Signals(logits=model(batch.inputs), features=dict(read))


def _heard(objective: Objective, teacher: SignalSource | None, batch: Batch) -> Signals | None:
    if not objective.needs().teacher:
        return None
    if teacher is None:
        raise ModelError("the objective listens to a teacher, but there is none; give one or use hard-labels")
    said = teacher.signals(batch)
    absent = [path for path in objective.needs().teacher_taps if path not in said.features]
    if absent:
        there = ", ".join(map(repr, said.features)) or "none"
        raise ModelError(
            f"the objective reads the teacher's {', '.join(map(repr, absent))}, but its activations are known at: "
            f"{there}; name them in guide.features, or ask a live teacher (guide.use: never)"
        )
    return said


def _shapes(signals: Signals) -> dict[str, tuple[int, ...]]:
    return {path: tuple(feature.shape[1:]) for path, feature in signals.features.items()}


def _unreached(
    objective: Objective, model: nn.Module, student: Signals, teacher: Signals | None, batch: Batch
) -> frozenset[str]:
    """Parameters that the answers hang on, but no term of the objective at any moment."""
    assert isinstance(objective, nn.Module), "objectives are modules"
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    training = objective.training
    objective.eval()  # memories do not remember these rows
    try:
        terms = [
            value
            for moment in _MOMENTS
            for value in objective(
                student, teacher if objective.needs_teacher(moment) else None, batch, moment
            ).values()
        ]
    finally:
        objective.train(training)
    assert student.logits is not None, "a student gives logits"
    answers = _reached(student.logits.sum(), trained)
    return frozenset(answers - _reached(torch.stack([term.sum() for term in terms]).sum(), trained))


def _reached(value: Tensor, parameters: dict[str, nn.Parameter]) -> set[str]:
    """Parameters that the value's graph ends at; nothing is computed."""
    names = {id(parameter): name for name, parameter in parameters.items()}
    found: set[str] = set()
    seen: set[Node] = set()
    left = [value.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)  # of a node that adds up a parameter's gradient
        if leaf is not None and id(leaf) in names:
            found.add(names[id(leaf)])
        left += [following for following, _ in node.next_functions]
    return found
