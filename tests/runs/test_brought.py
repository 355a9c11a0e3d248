"""Teachers that exist: by a library's name, as files, as runs; each says the same as the module it came from."""

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import limbeck as lk
from limbeck.core.batch import Batch
from limbeck.core.identity import state_fingerprint
from limbeck.core.progress import Silent
from limbeck.data.open import open_source
from limbeck.errors import BundleError, ModelError, RecipeError, TrustError
from limbeck.exporting.onnx import to_onnx
from limbeck.recipe import dump, from_mapping
from limbeck.runs.black_box import OnnxTeacher
from limbeck.runs.given import Given
from limbeck.runs.plan import plan
from limbeck.runs.teacher import raise_teacher
from limbeck.teachers.resnet import ResNet

NAMES = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def timm():
    pytest.importorskip("torchvision")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("timm")


@pytest.fixture(scope="module")
def resnet():
    """A small network for digits that was trained a little, so that it has something to say."""
    torch.manual_seed(1)
    net = ResNet(inputs=(1, 8, 8), outputs=10, width=8, depth=1)
    source = open_source("digits", split="train")
    x = torch.from_numpy(source.read(np.arange(512))).float() / 255
    y = torch.from_numpy(np.array(source.labels[:512])).long()
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net.eval()


PIXELS = {"mean": [0.0], "std": [1.0]}
"""What the network was trained on: pixels from 0 to 1."""


def planned(teacher, given=None, **changes):
    values = {
        "data": {"train": "digits"},
        "teacher": teacher,
        "student": {"family": "mlp", "width": 8, "depth": 1},
        "runtime": {"threads": 1},
        **changes,
    }
    return plan(from_mapping(values), given or Given(trust_code=True))


def said(made, tmp_path, rows=200):
    """The teacher's logits on the first digits."""
    live = raise_teacher(made, made.shop(tmp_path, Silent())).live
    raw = torch.from_numpy(made.splits.transfer.read(np.arange(rows)))
    zeros = torch.zeros(rows, dtype=torch.int64)
    return live.signals(Batch(zeros, zeros, raw)).logits


# -- by name


def test_a_teacher_of_timms_with_its_weights_in_a_file(timm, tmp_path):
    """Random weights saved, loaded back by name: the same answers, whatever the number of classes and channels."""
    torch.manual_seed(0)
    net = timm.create_model("test_resnet", num_classes=10, in_chans=1).eval()
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    made = planned({"from": "timm:test_resnet", "weights": str(tmp_path / "w.safetensors")})
    assert state_fingerprint(made.teacher.make(0).state_dict()) == state_fingerprint(net.state_dict())
    spec = made.teacher.preprocess
    assert (spec.size, spec.channels, spec.scale) == ((160, 160), 1, 1 / 255)
    config = timm.data.resolve_model_data_config(net)
    assert config["input_size"][1:] == spec.size
    assert any("cuts out the middle 95%; here whole pictures are resized" in note for note in made.teacher.notes)


def test_colour_and_64_pixels_teach_grey_and_8(timm, tmp_path):
    made = planned({"from": "timm:test_resnet", "pretrained": False, "preprocess": {"size": [64, 64]}})
    spec = made.teacher.preprocess
    assert (spec.size, spec.channels, spec.mean) == ((64, 64), 3, (0.5, 0.5, 0.5))
    net = made.teacher.make(0).eval()
    raw = torch.from_numpy(made.splits.transfer.read(np.arange(3))).float()
    large = nn.functional.interpolate(raw.expand(-1, 3, -1, -1), (64, 64), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = net((large / 255 - 0.5) / 0.5)
    torch.testing.assert_close(said(made, tmp_path, 3), expected, rtol=1e-4, atol=1e-4)


def test_a_vision_transformer_of_another_size(timm, tmp_path):
    settings = {"img_size": 32, "depth": 1}
    made = planned({"from": "timm:vit_tiny_patch16_224", "pretrained": False, "settings": settings})
    assert made.teacher.preprocess.size == (32, 32)
    assert said(made, tmp_path, 2).shape == (2, 10)


@pytest.mark.parametrize("tag", ["", ".IMAGENET1K_V1"])
def test_torchvisions_resnet18(timm, tag, tmp_path):
    import torchvision

    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=10)
    torch.save({"model": net.state_dict(), "epoch": 90}, tmp_path / "w.pth")
    made = planned({"from": f"torchvision:resnet18{tag}", "weights": str(tmp_path / "w.pth")})
    assert state_fingerprint(made.teacher.make(0).state_dict()) == state_fingerprint(net.state_dict())
    preset = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    spec = made.teacher.preprocess
    assert (list(spec.mean), list(spec.std)) == (preset.mean, preset.std)
    assert (spec.size, spec.channels) == ((224, 224), 3)


@pytest.mark.parametrize(
    ("teacher", "reason"),
    [
        ({"from": "timm:test_resnet.nothing"}, "timm has no weights 'nothing' of test_resnet; it has r160_in1k"),
        (
            {"from": "torchvision:resnet18.NOTHING"},
            "torchvision has no weights 'NOTHING' of resnet18; it has IMAGENET1K",
        ),
        ({"from": "timm:resnet10x"}, "timm has no model 'resnet10x'; did you mean"),
        ({"from": "timm:test_resnet", "weights": "nowhere.pt"}, "nowhere.pt is not a file"),
        ({"from": "timm:test_resnet", "settings": {"in_chans": 1}}, "in_chans is decided by the data"),
    ],
)
def test_names_and_files_that_are_not_there(timm, teacher, reason):
    with pytest.raises(ModelError, match=reason):
        planned(teacher)


def test_weights_that_cannot_be_downloaded_are_answered_with_a_mend(timm, monkeypatch, tmp_path):
    """A closed port stands for no network; the real libraries fail at it."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"weights of torchvision:resnet18 cannot be had .* teacher.weights"):
        planned("torchvision:resnet18")
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"weights of timm:test_resnet cannot be had .* teacher.weights"):
        planned("timm:test_resnet")


# -- files


@pytest.fixture(scope="module")
def onnx_file(resnet, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "teacher.onnx"
    to_onnx(resnet, torch.zeros(2, 1, 8, 8), path)
    return path


def test_an_onnx_teacher_says_what_the_live_one_says(resnet, onnx_file, tmp_path):
    live = planned({"from": "given", "preprocess": PIXELS}, Given(teacher=resnet))
    file = planned({"from": str(onnx_file), "preprocess": PIXELS})
    torch.testing.assert_close(said(file, tmp_path), said(live, tmp_path), rtol=1e-4, atol=1e-4)


def test_an_onnx_teacher_gives_the_same_student(resnet, onnx_file, tmp_path, quick):
    values = {
        "data": {"train": "digits", "keep_labels": 0.3},
        "student": {"family": "mlp", "width": 8, "depth": 1},
        "objective": {"method": "soft-targets", "temperature": 2},
        "train": {"epochs": 1, "batch_size": 64, "optimiser": "sgd", "learning_rate": 0.1},
        "tune": {"trials": 0},
        "verdict": {"seeds": 1},
        "runtime": {"threads": 1},
    }
    runs = [
        lk.distil(recipe={**values, "teacher": {"preprocess": PIXELS}}, teacher=resnet, out=tmp_path / "live"),
        lk.distil(recipe={**values, "teacher": {"from": str(onnx_file), "preprocess": PIXELS}}, out=tmp_path / "file"),
    ]
    logits = [np.load(run.folder / "predictions" / "student-seed0.npz")["logits"] for run in runs]
    np.testing.assert_allclose(logits[0], logits[1], rtol=1e-3, atol=1e-3)


def test_the_fingerprint_is_that_of_the_bytes(onnx_file, tmp_path):
    copy = tmp_path / "elsewhere.onnx"
    copy.write_bytes(onnx_file.read_bytes())
    prints = [planned({"from": str(path)}).teacher for path in (onnx_file, copy)]
    one, other = (blueprint.make(0) for blueprint in prints)
    assert one.source == other.source
    import onnx

    changed = onnx.load(copy)
    changed.doc_string = "something else"
    onnx.save(changed, copy)
    assert OnnxTeacher(copy).source != one.source


def test_a_file_that_takes_pixels_gets_pixels(resnet, tmp_path):
    """Preprocessing inside the file, as Limbeck's own exports have it; other sizes are resized to its own."""

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.core = resnet

        def forward(self, x):
            return self.core(x.float() / 255)

    to_onnx(Whole().eval(), torch.zeros(2, 1, 8, 8, dtype=torch.uint8), tmp_path / "t.onnx")
    made = planned({"from": str(tmp_path / "t.onnx")})
    assert made.teacher.preprocess.scale == 1.0
    live = planned({"from": "given", "preprocess": PIXELS}, Given(teacher=resnet))
    torch.testing.assert_close(said(made, tmp_path), said(live, tmp_path), rtol=1e-4, atol=1e-4)
    colours = np.random.default_rng(0).integers(0, 256, (60, 3, 16, 16), dtype=np.uint8)
    given = Given(data=(colours, np.arange(60) % 10))
    large = planned({"from": str(tmp_path / "t.onnx")}, given, data={"train": "given"})
    assert (large.teacher.preprocess.size, large.teacher.preprocess.channels) == ((8, 8), 1)


def two_outputs(resnet, path):
    import onnx

    to_onnx(resnet, torch.zeros(2, 1, 8, 8), path)
    model = onnx.load(path)
    (logits,) = model.graph.output
    model.graph.node.append(onnx.helper.make_node("Softmax", [logits.name], ["probabilities"], axis=1))
    shape = [dim.dim_param or dim.dim_value for dim in logits.type.tensor_type.shape.dim]
    model.graph.output.append(onnx.helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, shape))
    onnx.save(model, path)


def test_of_several_outputs_one_is_named(resnet, tmp_path):
    path = tmp_path / "two.onnx"
    two_outputs(resnet, path)
    with pytest.raises(BundleError, match="name one of its outputs: logits, probabilities"):
        planned({"from": str(path)})
    logits = said(planned({"from": str(path), "output": "logits", "preprocess": PIXELS}), tmp_path)
    with pytest.raises(ModelError, match=r"sum to 1 in each row.*teacher.output_kind: probabilities"):
        planned({"from": str(path), "output": "probabilities", "preprocess": PIXELS})
    teacher = {"from": str(path), "output": "probabilities", "output_kind": "probabilities", "preprocess": PIXELS}
    soft = said(planned(teacher), tmp_path)
    torch.testing.assert_close(soft.softmax(1), logits.softmax(1), rtol=1e-4, atol=1e-5)


def test_a_softmax_at_the_end_is_found_in_any_teacher(net):
    soft = nn.Sequential(net(0), nn.Softmax(1))
    with pytest.raises(ModelError, match="so they seem to be probabilities"):
        planned("given", Given(teacher=soft))
    assert planned({"from": "given", "output_kind": "logits"}, Given(teacher=soft))


@pytest.mark.parametrize("batch", ["dynamic", 5, 300])
def test_a_pt2_file(batch, resnet, tmp_path):
    rows = 4 if batch == "dynamic" else batch
    open_batch = ({0: torch.export.Dim("batch", min=1, max=64)},) if batch == "dynamic" else None
    program = torch.export.export(resnet, (torch.zeros(rows, 1, 8, 8),), dynamic_shapes=open_batch)
    torch.export.save(program, tmp_path / "t.pt2")
    teacher = {"from": str(tmp_path / "t.pt2"), "preprocess": PIXELS}
    with pytest.raises(TrustError, match="add --trust-code"):
        planned(teacher, Given(trust_code=False))
    live = planned({"from": "given", "preprocess": PIXELS}, Given(teacher=resnet))
    torch.testing.assert_close(said(planned(teacher), tmp_path), said(live, tmp_path), rtol=1e-4, atol=1e-4)


def test_files_that_are_no_models(tmp_path):
    for name, error, reason in (
        ("t.onnx", BundleError, "is not a whole ONNX file"),
        ("t.pt2", ModelError, "cannot be opened as a torch.export file"),
    ):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(error, match=reason):
            planned({"from": str(tmp_path / name)})
        (tmp_path / name).unlink()
        with pytest.raises((BundleError, ModelError), match=r"does not exist|is not a file"):
            planned({"from": str(tmp_path / name)})
    with pytest.raises(ModelError, match="is not there, or no model; expected the folder of a run"):
        planned({"from": str(tmp_path / "nowhere")})


# -- finished runs


def test_a_finished_run_teaches_the_next(finished, tmp_path):
    """Its student, its student's folder, and its kept teacher; classes come along and are mapped by name."""
    whole = said(planned({"from": str(finished.folder)}), tmp_path)
    student = said(planned({"from": str(finished.student)}), tmp_path)
    torch.testing.assert_close(whole, student, rtol=0, atol=0)
    made = planned({"from": str(finished.student)})
    raw = made.splits.transfer.read(np.arange(200))
    program = OnnxTeacher(finished.student / "model.onnx")
    torch.testing.assert_close(student, program(torch.from_numpy(raw)), rtol=1e-4, atol=1e-4)
    assert made.teacher.classes == tuple(NAMES)
    kept = planned({"from": str(finished.folder / "teacher")})
    assert said(kept, tmp_path).shape == (200, 10)
    assert kept.teacher.spec == {"module": "run"}


def test_a_run_whose_student_was_a_module_teaches_through_its_program(net, digits, tmp_path):
    run = lk.distil(
        teacher=net(1), student=net(2), data=digits, out=tmp_path / "run",
        recipe={"train": {"epochs": 1}, "tune": {"trials": 0}, "verdict": {"seeds": 0}, "runtime": {"threads": 1}},
    )  # fmt: skip
    made = planned({"from": str(run.folder)})
    assert isinstance(made.teacher.make(0), OnnxTeacher)
    raw = torch.from_numpy(made.splits.transfer.read(np.arange(200)))
    torch.testing.assert_close(said(made, tmp_path), OnnxTeacher(run.student / "model.onnx")(raw))


# -- recipes


@pytest.mark.parametrize(
    ("word", "key"),
    [("timm:a.b", "from"), ("runs/x", "from"), ("t.onnx", "from"), ("m:f", "from"), ("timm:hf_hub:a/b", "from")],
)
def test_shorthands(word, key, tmp_path):
    recipe = from_mapping({"data": {"train": "digits"}, "teacher": word})
    written = recipe.teacher.from_
    assert written == (str((tmp_path.cwd() / word).absolute()) if word in ("runs/x", "t.onnx") else word)
    (tmp_path / "r.yaml").write_text(dump(recipe))
    from limbeck.recipe import load

    assert load(tmp_path / "r.yaml") == recipe


@pytest.mark.parametrize(
    ("teacher", "reason"),
    [
        ({"from": "a/t.onnx", "weights": "w.pt"}, "teacher.weights: a file brings its own weights"),
        ({"from": "runs/x", "settings": {"a": 1}}, "teacher.settings: a run brings its own settings"),
        ({"from": "m:f", "pretrained": False}, "teacher.pretrained: belongs to timm and torchvision"),
        ({"from": "timm:a", "weights_key": "ema"}, "teacher.weights_key: belongs to teacher.weights"),
        ({"from": "timm:a", "adapt": "head", "classes": ["a", "b"]}, "an adapted teacher has the data's classes"),
        ({"train": {}, "adapt": "head"}, "teacher.adapt: belongs to a teacher that exists"),
        ({"from": "timm:a", "adapt": "tail"}, "teacher.adapt"),
    ],
)
def test_contradictions(teacher, reason):
    with pytest.raises(RecipeError, match=reason):
        from_mapping({"data": {"train": "digits"}, "teacher": teacher})


def test_a_function_with_settings(tmp_path, monkeypatch):
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    text = "from torch import nn\ndef make(width):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, width))\n"
    (tmp_path / "limbeck_sized.py").write_text(text)
    given = Given(trust_code=True, folder=tmp_path)
    assert (
        planned({"from": "limbeck_sized:make", "settings": {"width": 10}}, given).teacher.make(0)[1].out_features == 10
    )
    with pytest.raises(ModelError, match=r"missing 1 required positional argument.*teacher.settings gives it some"):
        planned({"from": "limbeck_sized:make"}, given)
    sys.modules.pop("limbeck_sized")


@pytest.mark.parametrize(
    ("outputs", "classes", "reason"),
    [
        (7, None, r"it gave shape \(2, 7\) for 2 rows; train a new head on it \(teacher.adapt: head\)"),
        (12, None, r"it gave shape \(2, 12\) .*name its classes in teacher.classes, or train a new head"),
        (9, NAMES[:9], r"does not know '9'.*train a new head on the teacher \(teacher.adapt: head\)"),
    ],
)
def test_other_classes_are_answered_with_mends(net, outputs, classes, reason):
    with pytest.raises(ModelError, match=reason):
        planned({"from": "given", "classes": classes}, Given(teacher=net(0, outputs=outputs)))


def test_more_classes_in_another_order_are_mapped_by_name(net, tmp_path):
    wide = net(0, outputs=12)
    names = ["x", *reversed(NAMES), "y"]
    mapped = said(planned({"from": "given", "classes": names}, Given(teacher=wide)), tmp_path)
    kept = nn.Sequential(wide, _Columns([names.index(name) for name in NAMES]))
    torch.testing.assert_close(mapped, said(planned("given", Given(teacher=kept)), tmp_path))


class _Columns(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.columns = columns

    def forward(self, x):
        return x[:, self.columns]
