"""Objectives read a map whose channels stand last as the same map with the channels first."""

import pytest
import torch

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives import (
    CRD,
    FSP,
    MGD,
    NST,
    PKT,
    VID,
    ActivationBoundaries,
    AttentionTransfer,
    ChannelWise,
    FactorTransfer,
    Hint,
    Review,
    SimilarityPreserving,
)

ROWS = 4
KINDS = [
    ActivationBoundaries,
    AttentionTransfer,
    ChannelWise,
    FactorTransfer,
    Hint,
    MGD,
    NST,
    PKT,
    SimilarityPreserving,
    VID,
]
SHAPES = {"a": (3, 4, 4), "b": (5, 8, 8)}
"""Of the student's tap and the teacher's."""


def made(objective, shapes_of_student, shapes_of_teacher):
    torch.manual_seed(0)
    objective.build(shapes_of_student, shapes_of_teacher)
    return objective.eval()


def features(shapes, last):
    """Random maps; where `last`, the same with their channels last."""
    draw = torch.Generator().manual_seed(1)
    maps = {path: torch.randn(ROWS, *shape, generator=draw) for path, shape in shapes.items()}
    return {path: (each.movedim(1, -1) if last else each).clone().requires_grad_() for path, each in maps.items()}


def value(objective, student, teacher):
    """The loss, and its gradient by the student's maps, channels first."""
    ids = torch.arange(ROWS)
    batch = Batch(ids, torch.zeros(ROWS, dtype=torch.int64), torch.zeros(ROWS, 1), target=ids % 2)
    torch.manual_seed(2)
    built = made(
        objective, *({path: tuple(each.shape[1:]) for path, each in side.items()} for side in (student, teacher))
    )
    logits = torch.zeros(ROWS, 2)
    loss = sum(built.terms(Signals(logits, student), Signals(logits, teacher), batch).values())
    return loss, torch.autograd.grad(loss, list(student.values()))


def same(make, student, teacher, last):
    plain = value(make(), features(student, False), features(teacher, False))
    turned = value(make(), features(student, last[0]), features(teacher, last[1]))
    torch.testing.assert_close(turned[0], plain[0])
    for one, other in zip(turned[1], plain[1], strict=True):
        torch.testing.assert_close(one.movedim(-1, 1) if last[0] else one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("last", [(True, False), (False, True), (True, True)], ids=["student", "teacher", "both"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_tap_a_side(kind, last):
    same(lambda: kind("a", "b"), {"a": SHAPES["a"]}, {"b": SHAPES["b"]}, last)


@pytest.mark.parametrize("kind", KINDS)
def test_oblong_maps_whose_paths_say_it(kind):
    """Some would be turned a second time, were what an objective makes of a map read like the map."""
    student, teacher = {"a": (3, 4, 6)}, {"b": (8, 4, 6)}
    plain = value(kind("a", "b"), features(student, False), features(teacher, False))
    named = [
        {f"{path}@channels-last": each for path, each in features(shapes, True).items()}
        for shapes in (student, teacher)
    ]
    turned = value(kind("a@channels-last", "b@channels-last"), *named)
    torch.testing.assert_close(turned[0], plain[0])
    torch.testing.assert_close(turned[1][0].movedim(-1, 1), plain[1][0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.75])
def test_as_many_factors_as_rows_are_no_square(rate):
    same(lambda: FactorTransfer("a", "b", rate=rate), {"a": (6, 4, 5)}, {"b": (8, 4, 5)}, (False, False))


@pytest.mark.parametrize("last", [(True, False), (False, True)], ids=["student", "teacher"])
@pytest.mark.parametrize("kind", [FSP, Review])
def test_several_taps_a_side(kind, last):
    student = {"a": (3, 8, 8), "c": (6, 4, 4)}
    teacher = {"b": (3, 8, 8), "d": (6, 4, 4)}
    same(lambda: kind(("a", "c"), ("b", "d")), student, teacher, last)


def test_the_bridge_maps_channels_not_rows():
    hint = made(Hint("a", "b"), {"a": (7, 7, 96)}, {"b": (64, 7, 7)})
    assert (hint.bridge.channels.in_channels, hint.bridge.channels.out_channels) == (96, 64)


def test_the_path_has_the_last_word():
    hint = made(Hint("a@channels-first", "b"), {"a@channels-first": (7, 7, 96)}, {"b": (64, 7, 96)})
    assert hint.bridge.channels.in_channels == 7
    hint = made(Hint("a@channels-last", "b"), {"a@channels-last": (7, 7, 7)}, {"b": (64, 7, 7)})
    same_place = torch.zeros(1, 7, 7, 7)
    same_place[0, 2, 3] = 1.0
    read = hint.bridge(same_place.movedim(-1, 1))
    changed = (read - hint.bridge(torch.zeros(1, 7, 7, 7))).abs().sum(dim=1)[0]
    assert changed.nonzero().tolist() == [[2, 3]]


def test_a_path_that_says_too_much_is_refused():
    with pytest.raises(ModelError, match="no map of three axes"):
        Hint("a@channels-last", "b").build({"a@channels-last": (49, 96)}, {"b": (64, 7, 7)})


def test_pooled_vectors_are_of_channels():
    crd = CRD("a", "b")
    made(crd, {"a": (7, 7, 96)}, {"b": (64, 7, 7)})
    assert {tuple(each.shape)[1] for each in crd.parameters() if each.ndim == 2} == {96, 64}
