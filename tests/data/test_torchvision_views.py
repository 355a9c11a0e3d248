"""torchvision's transforms by name: the same as calling them, fingerprinted by their settings, announced as slow."""

import numpy as np
import pytest
import torch

from limbeck.data.source import InputSpec
from limbeck.data.views import Views, op_named
from limbeck.errors import InputError, RecipeError
from limbeck.recipe import dump, from_mapping
from limbeck.recipe.text import parse

v2 = pytest.importorskip("torchvision.transforms.v2")

IMAGES = torch.randint(0, 256, (5, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
JITTER = {"op": "v2:ColorJitter", "brightness": 0.3}


def recipe(*ops):
    data = {"train": "digits", "views": {"ops": list(ops)}}
    return from_mapping({"data": data, "teacher": {"train": {}}})


def views(*ops):
    return Views(tuple(op_named(op.op, **op.settings) for op in recipe(*ops).data.views.ops))


def seen(made):
    return made.apply(IMAGES, torch.arange(5), torch.zeros(5, dtype=torch.int64))


def test_a_named_transform_is_the_transform():
    named, called = views(JITTER), Views((v2.ColorJitter(brightness=0.3),))
    assert torch.equal(seen(named), seen(called))
    assert not torch.equal(seen(named), IMAGES)
    assert named.path == "per-example"
    assert named.note.startswith("views: v2:ColorJitter runs one example at a time")


def test_names_alone_nesting_and_interpolation():
    assert torch.equal(seen(views({"op": "v2:RandomInvert", "p": 1.0})), 255 - IMAGES)
    assert torch.equal(seen(views("v2:Identity")), IMAGES)
    inner = {"op": "v2:RandomApply", "transforms": [{"op": "v2:RandomInvert", "p": 1.0}], "p": 1.0}
    assert torch.equal(seen(views(inner)), 255 - IMAGES)
    turn = {"op": "v2:RandomRotation", "degrees": [90, 90.0001], "interpolation": "bilinear"}
    assert seen(views(turn)).shape == IMAGES.shape


def test_the_fingerprint_tells_settings_apart():
    prints = [views(op).fingerprint() for op in (JITTER, {**JITTER, "brightness": 0.4}, {"op": "v2:ColorJitter"})]
    assert len(set(prints)) == 3
    assert prints[0] == views(JITTER).fingerprint()


def test_it_chains_with_built_in_views_and_does_not_change_them():
    alone = Views((op_named("shift", pixels=2),)).apply(IMAGES, torch.arange(5), torch.zeros(5, dtype=torch.int64))
    assert torch.equal(seen(views({"op": "shift", "pixels": 2}, "v2:Identity")), alone)


def test_the_resolved_recipe_says_the_same():
    first = recipe(JITTER, "flip", "v2:Identity")
    again = from_mapping(parse(dump(first), "again").values)
    assert again == first


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ({"op": "v2:ColourJitter"}, r"ops\[0\].*no transform 'ColourJitter'; did you mean v2:ColorJitter\?"),
        ({"op": "v2:ColorJitter", "brightnes": 1}, "v2:ColorJitter does not take"),
        ({"op": "v2:ColorJitter", "brightness": -1}, "v2:ColorJitter does not take"),
        ({"op": "v2:RandomRotation", "degrees": 5, "interpolation": "smooth"}, "does not take.*smooth"),
        ("v2:MixUp", "use mixup instead"),
        ("v2:functional", "no transform 'functional'"),
    ],
)
def test_wrong_names_and_settings_are_recipe_errors(op, said):
    with pytest.raises(RecipeError, match=said):
        recipe(op)


def test_what_does_not_fit_the_examples_is_said_before_training():
    with pytest.raises(InputError, match="v2:RandomCrop returned"):
        views({"op": "v2:RandomCrop", "size": 4}).check(InputSpec("image", (3, 8, 8), "uint8"))
    with pytest.raises(InputError, match=r"v2:Normalize fails on examples of torch\.uint8"):
        views({"op": "v2:Normalize", "mean": [0.0], "std": [1.0]}).check(InputSpec("image", (3, 8, 8), "uint8"))


def test_views_depend_on_the_example_alone():
    made = views(JITTER)
    order = np.array([3, 1, 4])
    numbers = torch.zeros(3, dtype=torch.int64)
    assert torch.equal(made.apply(IMAGES[order], torch.from_numpy(order), numbers), seen(made)[order])
