"""Students by name from timm and torchvision: small grey pictures, built again from name and settings alone."""

import warnings

import pytest
import torch
from safetensors.torch import save_file

import limbeck as lk
from limbeck import students
from limbeck.bundle.locate import bundle_of
from limbeck.bundle.rebuild import core_of
from limbeck.core.identity import state_fingerprint
from limbeck.errors import ModelError, RecipeError
from limbeck.recipe import dump, from_mapping
from limbeck.runs.given import Given
from limbeck.runs.plan import plan

pytest.importorskip("torchvision")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    timm = pytest.importorskip("timm")

SPECS = [
    {"family": "timm:test_resnet"},
    {"family": "timm:lcnet_050"},
    {"family": "timm:vit_tiny_patch16_224", "patch_size": 4, "depth": 1},
    {"family": "torchvision:resnet18"},
    {"family": "torchvision:mobilenet_v3_small"},
    {"family": "torchvision:shufflenet_v2_x0_5"},
]


def built(spec, inputs=(1, 28, 28), outputs=10, seed=0):
    torch.manual_seed(seed)
    return students.build(spec, inputs=inputs, outputs=outputs)


GREY, COLOUR, FOUR = (1, 28, 28), (3, 32, 32), (4, 32, 32)
CASES = [*((spec, GREY) for spec in SPECS), *((spec, inputs) for spec in SPECS[::3] for inputs in (COLOUR, FOUR))]


@pytest.mark.parametrize(("spec", "inputs"), CASES, ids=str)
def test_small_pictures_of_any_channels(spec, inputs):
    net = built(spec, inputs, outputs=7).eval()
    assert net(torch.randn(2, *inputs)).shape == (2, 7)
    again = built(spec, inputs, outputs=7)
    assert state_fingerprint(again.state_dict()) == state_fingerprint(net.state_dict())


def test_a_second_classifier_of_training_is_left_out():
    net = built({"family": "torchvision:googlenet"}, (3, 64, 64)).train()
    assert net(torch.randn(2, 3, 64, 64)).shape == (2, 10)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"family": "timm:resnet1o"}, "timm has no model 'resnet1o'; did you mean"),
        ({"family": "torchvision:resnet1"}, "torchvision has no image classifier 'resnet1'; did you mean"),
        ({"family": "timm:resnet18", "wibble": 3}, "timm:resnet18 cannot be built: TypeError"),
        ({"family": "timm:resnet18", "num_classes": 3}, "num_classes is decided by the data"),
        ({"family": "torchvision:resnet18", "weights": "DEFAULT"}, "weights is decided by"),
    ],
)
def test_what_cannot_be_built_is_named(spec, said):
    with pytest.raises(ModelError, match=said):
        built(spec)


@pytest.mark.parametrize("family", ["timm:resnet18", "torchvision:resnet18"])
def test_rows_are_refused(family):
    with pytest.raises(ModelError, match=r"takes images \(channels, height, width\), but an example has shape \(4,\)"):
        built({"family": family}, inputs=(4,))


def recipe(student, **more):
    return {
        "data": {"train": "digits"},
        "teacher": {"train": {"family": "wide-mlp", "width": 8, "depth": 1, "epochs": 1}},
        "student": student,
        "train": {"epochs": 1, "batch_size": 128, "evaluations": 1},
        "tune": {"trials": 0},
        "verdict": {"seeds": 0},
        "runtime": {"threads": 1},
        **more,
    }


def test_the_shorthand_and_the_long_form_are_one():
    short, long = (from_mapping(recipe(s)) for s in ("timm:test_resnet", {"family": "timm:test_resnet"}))
    assert short == long
    full = from_mapping(recipe({"family": "timm:vit_tiny_patch16_224", "patch_size": 4, "depth": 1}))
    assert full.student.settings == {"patch_size": 4, "depth": 1}
    assert "patch_size: 4" in dump(full)
    overridden = from_mapping(recipe("timm:test_resnet"), overrides={"student.depth": 2})
    assert overridden.student.settings == {"depth": 2}


def test_a_family_takes_no_output():
    with pytest.raises(RecipeError, match=r"student\.output: a family returns its logits alone"):
        from_mapping(recipe({"family": "timm:test_resnet", "output": "logits"}))


def test_too_small_pictures_are_answered_with_a_mend():
    with pytest.raises(ModelError, match=r"fails on examples of .*1 x 8 x 8.*data.size, or the library's own"):
        plan(from_mapping(recipe("timm:test_vit")), Given())


def test_weights_to_start_from(tmp_path):
    """A file for other classes gives everything but the classifier, which each seed draws anew."""
    save_file(built({"family": "timm:test_resnet"}, (1, 8, 8), 5).state_dict(), tmp_path / "w.safetensors")
    made = plan(
        from_mapping(recipe({"family": "timm:test_resnet", "weights": str(tmp_path / "w.safetensors")})), Given()
    )
    one, other = (made.student.make(seed).state_dict() for seed in (0, 1))
    differ = {name for name in one if not torch.equal(one[name], other[name])}
    assert differ == {"fc.weight", "fc.bias"}
    assert made.student.reseeds
    assert "no fitting fc, which begins anew" in made.student.notes[0]
    save_file(built({"family": "timm:test_resnet"}, (1, 8, 8)).state_dict(), tmp_path / "w.safetensors")
    made = plan(
        from_mapping(recipe({"family": "timm:test_resnet", "weights": str(tmp_path / "w.safetensors")})), Given()
    )
    assert not made.student.reseeds
    assert made.student.notes == ()


def test_a_student_of_timms_from_recipe_to_bundle_and_back(tmp_path):
    """Its bundle holds name and settings, from which it is built again without anybody's code."""
    run = lk.distil(
        recipe=recipe({"family": "timm:test_resnet", "stem_width": 8, "channels": [8, 8, 8, 16]}), out=tmp_path / "run"
    )
    bundle = bundle_of(run.folder)
    assert bundle.config.student == {"family": "timm:test_resnet", "stem_width": 8, "channels": [8, 8, 8, 16]}
    core = core_of(bundle)
    assert sum(p.numel() for p in core.parameters()) == bundle.config.params
    (again,) = lk.export(bundle=run.student, to=["onnx"], out=tmp_path / "again", timed=False)
    assert again.parity.agreement == 1.0
