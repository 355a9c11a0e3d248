"""onnxruntime behind one call: its answers against NumPy's own, its refusals in our words."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from limbeck.errors import BundleError, DataError, InputError
from limbeck.runtimes.noise import noise
from limbeck.runtimes.onnx import CHUNK, OnnxModel

WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)


def linear(path: Path, *, batch: int | str = "batch", dtype: int = TensorProto.UINT8, width: int | str = 4) -> Path:
    """A hand-written file: cast, then a matrix product."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["x", "w"], ["logits"]),
        ],
        "linear",
        [helper.make_tensor_value_info("input", dtype, [batch, width])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(WEIGHT, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model.metadata_props.add(key="said", value="ja")
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return linear(tmp_path_factory.mktemp("onnx") / "linear.onnx")


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(0, 2 * CHUNK + 3))
def test_any_number_of_rows_gives_numpys_answer(path, rows):
    raw = noise((4,), "uint8", rows)
    logits = OnnxModel(path)(raw)
    assert logits.dtype == np.float32
    assert logits.shape == (rows, 3)
    np.testing.assert_allclose(logits, raw.astype(np.float32) @ WEIGHT, rtol=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 5, 6, 7])
def test_a_fixed_batch_is_filled_and_cut(tmp_path, rows):
    raw = noise((4,), "uint8", rows)
    model = OnnxModel(linear(tmp_path / "fixed.onnx", batch=3))
    np.testing.assert_allclose(model(raw), raw.astype(np.float32) @ WEIGHT, rtol=1e-6)
    if rows == 5:
        with pytest.raises(DataError, match="fixed to a batch of 3"):
            model.bound(raw)


def test_what_the_file_says(path):
    model = OnnxModel(path, threads=2)
    assert (model.shape, model.dtype, model.outputs) == ((4,), "uint8", 3)
    assert model.metadata == {"said": "ja"}


def test_bound_runs_once_on_all_rows(path):
    raw = noise((4,), "uint8", CHUNK + 1)
    (logits,) = OnnxModel(path).bound(raw)()
    assert logits.shape == (CHUNK + 1, 3)


@pytest.mark.parametrize(
    ("raw", "came"),
    [
        (np.zeros((2, 4), np.float32), "float32, 2 x 4"),
        (np.zeros((2, 5), np.uint8), "uint8, 2 x 5"),
        (np.zeros(4, np.uint8), "uint8, 4"),
        (np.uint8(3)[None][0:1].reshape(()), "uint8, scalar"),
    ],
)
def test_another_input_is_refused_with_both_shapes(path, raw, came):
    with pytest.raises(DataError, match=f"takes uint8, n x 4; got {came}"):
        OnnxModel(path)(raw)


def test_a_missing_file(tmp_path):
    with pytest.raises(BundleError, match=r"none\.onnx does not exist"):
        OnnxModel(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a" * 40])
def test_a_broken_file(tmp_path, content):
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="not a whole ONNX file"):
        OnnxModel(tmp_path / "broken.onnx")


def test_a_cut_file(path, tmp_path):
    content = path.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match="not a whole ONNX file"):
        OnnxModel(tmp_path / "cut.onnx")


def test_open_sizes_are_refused(tmp_path):
    with pytest.raises(BundleError, match="fixed sizes"):
        OnnxModel(linear(tmp_path / "open.onnx", width="width"))


def test_several_inputs_are_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["c"])],
        "add",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "ab"],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1, 2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "m.onnx")
    with pytest.raises(BundleError, match="2 inputs and 1 outputs"):
        OnnxModel(tmp_path / "m.onnx")


def test_threads_below_one(path):
    with pytest.raises(InputError, match="at least 1"):
        OnnxModel(path, threads=0)


def saturating(path: Path, inputs: np.ndarray, weights: np.ndarray) -> Path:
    """A QDQ int8 file whose exact products overflow 16 bits on x86 without VNNI."""
    scale, zero8, zero = np.float32(1), np.uint8(0), np.int8(0)
    initializers = {"s": scale, "z8": zero8, "ws": scale, "wz": zero, "w": weights, "os": np.float32(4096), "oz": zero8}
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["input", "s", "z8"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z8"], ["x"]),
            helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"]),
            helper.make_node("MatMul", ["x", "wf"], ["y"]),
            helper.make_node("QuantizeLinear", ["y", "os", "oz"], ["yq"]),
            helper.make_node("DequantizeLinear", ["yq", "os", "oz"], ["logits"]),
        ],
        "int8",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", inputs.shape[1]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", weights.shape[1]])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initializers.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_int8_is_exact_on_every_processor(tmp_path):
    raw = np.full((2, 16), 255, np.float32)
    weights = np.full((16, 8), 31, np.int8)
    weights[:, ::2] = 127
    model = OnnxModel(saturating(tmp_path / "int8.onnx", raw, weights))
    exact = np.clip(np.rint(raw @ weights.astype(np.float32) / 4096), 0, 255) * 4096
    np.testing.assert_array_equal(model(raw), exact)
