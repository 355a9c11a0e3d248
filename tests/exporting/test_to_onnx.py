"""An exported file gives the eager module's logits, leaves the module as it was, and says nothing about its maker."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import limbeck
from limbeck.core.identity import state_fingerprint
from limbeck.data.preprocess import PreprocessSpec
from limbeck.errors import ExportError, ModelError
from limbeck.exporting.onnx import to_onnx
from limbeck.exporting.program import eager, program
from limbeck.runtimes.noise import noise
from limbeck.runtimes.onnx import OnnxModel
from limbeck.students import build

GREY = PreprocessSpec(scale=1 / 255, mean=(0.3,), std=(0.3,))
ROWS = PreprocessSpec(mean=tuple(range(13)), std=tuple(range(1, 14)))
COLOUR = PreprocessSpec(scale=1 / 255, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), size=(12, 10), channels=3)


def convnet(inputs: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    core = build({"family": "convnet", "width": 4, "depth": 2}, inputs=inputs, outputs=5)
    with torch.no_grad():  # running statistics that are not the initial ones, so that folding is tested
        core.train()(torch.randn(64, *inputs))
    return core


CASES = {
    "grey": (convnet((1, 8, 8)), GREY, (1, 8, 8), "uint8"),
    "resized-to-colour": (convnet((3, 12, 10)), COLOUR, (1, 8, 8), "uint8"),
    "colour-to-grey": (convnet((1, 8, 8)), PreprocessSpec(scale=1 / 255, channels=1), (3, 8, 8), "uint8"),
    "rows": (nn.Sequential(nn.Linear(13, 7), nn.Tanh(), nn.Linear(7, 5)), ROWS, (13,), "float32"),
}


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    core, spec, shape, dtype = CASES[request.param]
    student = program(core, spec)
    path = tmp_path_factory.mktemp("onnx") / f"{request.param}.onnx"
    example = torch.zeros(1, *shape, dtype=getattr(torch, dtype))
    to_onnx(student, example, path, metadata={"limbeck": "ja"})
    return student, path, shape, dtype


def test_logits_are_the_eager_ones_at_any_batch(case):
    student, path, shape, dtype = case
    model = OnnxModel(path)
    for rows in (1, 2, 7, 300):
        raw = noise(shape, dtype, rows, seed=rows)
        reference = eager(student, raw)
        np.testing.assert_allclose(model(raw), reference, atol=1e-5 * max(1, np.abs(reference).max()))


def test_the_file_names_nobody_and_no_place(case):
    _, path, *_ = case
    content = path.read_bytes()
    home = Path(limbeck.__file__).parent
    for secret in (str(home), str(Path.home()), "site-packages", 'File "', ".py", str(Path(torch.__file__).parent)):
        assert secret.encode() not in content
    model = onnx.load(path)
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("limbeck", "ja")]
    parts = [*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input]
    assert not any(part.metadata_props or part.doc_string for part in [*parts, *model.graph.output, model.graph])


def test_names_shapes_and_types(case):
    _, path, shape, dtype = case
    model = OnnxModel(path)
    assert (model.shape, model.dtype, model.outputs) == (shape, dtype, 5)
    graph = onnx.load(path).graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["input", "logits"]
    assert graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert not any(entry.external_data for entry in graph.initializer)
    onnx.checker.check_model(str(path), full_check=True)


def test_the_module_is_left_as_found_and_the_bytes_are_the_same_each_time(tmp_path):
    core = convnet((1, 8, 8)).train()
    core.body[1].eval()  # a mixed mode, as users freeze parts
    modes = [module.training for module in core.modules()]
    before = state_fingerprint(core.state_dict())
    for name in ("a.onnx", "b.onnx"):
        to_onnx(program(core, GREY), torch.zeros(2, 1, 8, 8, dtype=torch.uint8), tmp_path / name)
    assert [module.training for module in core.modules()] == modes
    assert state_fingerprint(core.state_dict()) == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in core.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in core.parameters())
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_half_precision_is_exported_in_float32():
    student = program(nn.Linear(4, 3).bfloat16(), PreprocessSpec())
    assert eager(student, noise((4,), "float32", 2)).dtype == np.float32


@pytest.mark.gpu
def test_a_module_on_a_gpu_stays_there(tmp_path):
    core = convnet((1, 8, 8)).cuda()
    student = program(core, GREY)
    to_onnx(student, torch.zeros(2, 1, 8, 8, dtype=torch.uint8), tmp_path / "m.onnx")
    assert all(parameter.is_cuda for parameter in core.parameters())
    raw = noise((1, 8, 8), "uint8", 9)
    np.testing.assert_allclose(OnnxModel(tmp_path / "m.onnx")(raw), eager(student, raw), atol=1e-5)


def test_a_fixed_batch(tmp_path):
    student = program(nn.Linear(4, 3), PreprocessSpec())
    to_onnx(student, torch.zeros(3, 4), tmp_path / "m.onnx", dynamic_batch=False)
    raw = noise((4,), "float32", 7)
    np.testing.assert_allclose(OnnxModel(tmp_path / "m.onnx")(raw), eager(student, raw), atol=1e-6)


class Returns(nn.Module):
    def __init__(self, what) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: Tensor):
        return self.what(x)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda x: {"logits": x}, "returns a dict"),
        (lambda x: (x, x), "returns a tuple"),
        (lambda x: x[:, :, None], r"returns shape \(2, 4, 1\)"),
    ],
)
def test_what_is_not_one_tensor_of_logits(tmp_path, what, said):
    student = program(Returns(what), PreprocessSpec())
    with pytest.raises(ModelError, match=said):
        eager(student, noise((4,), "float32", 2))


def test_its_own_error_comes_through_the_tracer(tmp_path):
    student = program(Returns(lambda x: {"logits": x}), PreprocessSpec())
    with pytest.raises(ModelError, match="returns a dict"):
        to_onnx(student, torch.zeros(2, 4), tmp_path / "m.onnx")


def branching(x: Tensor) -> Tensor:
    return x if x.sum() > 0 else -x


def fixed(x: Tensor) -> Tensor:
    return x.reshape(2, 4)


@pytest.mark.parametrize(("what", "said"), [(branching, "torch cannot export"), (fixed, "a batch of 2 only")])
def test_what_cannot_be_traced(tmp_path, what, said):
    with pytest.raises(ExportError, match=said):
        to_onnx(program(Returns(what), PreprocessSpec()), torch.zeros(2, 4), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_module_that_cannot_be_copied():
    core = nn.Linear(4, 3)
    core.leftover = core(torch.zeros(1, 4))  # a tensor with a graph behind it cannot be deep-copied
    with pytest.raises(ExportError, match="cannot be copied"):
        program(core, PreprocessSpec())
