"""An export that is not the student is refused with numbers; a finished folder is whole, described and runnable."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from torch import nn

from limbeck.bundle.card import Facts
from limbeck.bundle.config import BundleConfig, InputConfig, Quality
from limbeck.bundle.locate import bundle_of, open_student
from limbeck.bundle.metadata import from_metadata
from limbeck.bundle.read import load_state, read
from limbeck.data.preprocess import PreprocessSpec
from limbeck.errors import BundleError, DataError, ExportError, InputError
from limbeck.exporting.export import export
from limbeck.exporting.finish import finish
from limbeck.exporting.formats import EXPORTERS, PLANNED, check_formats
from limbeck.exporting.onnx import _exporter_silenced
from limbeck.exporting.parity import parity, require_parity, scale_of
from limbeck.exporting.program import eager, program
from limbeck.record import Fingerprints, Parity
from limbeck.runtimes.noise import noise
from limbeck.runtimes.onnx import OnnxModel
from limbeck.students import build
from limbeck.task import Multiclass

CLASSES = ("null", "eins", "二", "ثلاثة", "<4>")
RAW = noise((1, 8, 8), "uint8", 50)
TARGET = np.arange(50) % 5


def configuration() -> BundleConfig:
    return BundleConfig(
        limbeck_version="0.1.0",
        name="digits",
        task="multiclass",
        classes=CLASSES,
        input=InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8"),
        preprocess={"scale": 1 / 255, "mean": (0.5,), "std": (0.25,), "size": None, "channels": None},
        student={"family": "convnet", "width": 4, "depth": 2},
        quality=Quality(metric="accuracy", value=0.97, ci95=(0.95, 0.99), split="test"),
        params=323,
        fingerprints=Fingerprints(data="d", teacher="t", recipe="r"),
    )


def core() -> nn.Module:
    torch.manual_seed(0)
    return build({"family": "convnet", "width": 4, "depth": 2}, inputs=(1, 8, 8), outputs=5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "student"
    facts = Facts(teacher="a resnet", verdict="no gain.")
    bundle, exports = finish(folder, core=core(), config=configuration(), facts=facts, raw=RAW, target=TARGET)
    return bundle, exports


# ---------------------------------------------------------------- parity


@given(st.integers(1, 40), st.floats(0, 1e-4))
def test_parity_of_a_student_with_itself(rows, error):
    logits = np.random.default_rng(rows).standard_normal((rows, 5)).astype(np.float32)
    shifted = logits + np.float32(error)
    found = parity(logits, lambda _: shifted, np.zeros(rows), None, Multiclass())
    assert found.agreement == 1
    assert found.max_abs_error == pytest.approx(error, abs=1e-6)
    assert found.quality is None
    require_parity(found, where="it", scale=scale_of(logits))


def test_parity_counts_only_known_labels():
    logits = np.eye(5, dtype=np.float32)
    target = np.array([0, 0, -1, -1, 4])
    found = parity(logits, lambda _: logits, logits, target, Multiclass())
    assert found.quality == pytest.approx(2 / 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none(bad):
    logits = np.ones((3, 5), np.float32)
    broken = logits.copy()
    broken[1, 2] = bad
    with pytest.raises(ExportError, match="NaN or infinity on 1 examples"):
        parity(logits, lambda _: broken, logits, None, Multiclass())


def test_another_shape():
    logits = np.ones((3, 5), np.float32)
    with pytest.raises(ExportError, match=r"shape \(3, 4\), but the student gives \(3, 5\)"):
        parity(logits, lambda _: logits[:, :4], logits, None, Multiclass())


def test_an_export_that_does_not_run():
    def fails(_):
        raise BundleError("boom")

    with pytest.raises(ExportError, match="boom"):
        parity(np.ones((3, 5), np.float32), fails, np.ones(3), None, Multiclass())


def found(**changes) -> Parity:
    return Parity(**{"examples": 1000, "max_abs_error": 1e-6, "agreement": 1.0, "quality": None, **changes})


def test_the_bounds():
    require_parity(found(agreement=0.999), where="it")
    require_parity(found(examples=5, agreement=0.8), where="it")  # one tie of five
    require_parity(found(max_abs_error=0.05), where="it", scale=100)
    with pytest.raises(ExportError, match=re.escape("differ by up to 0.05 (allowed: 0.001)")):
        require_parity(found(max_abs_error=0.05), where="it")
    with pytest.raises(ExportError, match=re.escape("99.80% of its labels agree (needed: 99.90%)")):
        require_parity(found(agreement=0.998), where="it")


# ---------------------------------------------------------------- formats


def test_every_format_resolves():
    check_formats(list(EXPORTERS))


@pytest.mark.parametrize(("name", "said"), [*((name, "planned") for name in PLANNED), ("tflight", "not a format")])
def test_unknown_formats(name, said):
    with pytest.raises(InputError, match=f"{name}.*{said}.*there is: onnx"):
        check_formats(["onnx", name])


# ---------------------------------------------------------------- export


def broken_onnx(student, config, folder, threads):
    """An exporter with a mistake: one weight is changed after the fact."""
    from limbeck.exporting.export import export_onnx

    done = export_onnx(student, config, folder, threads)
    model = onnx.load(done.path)
    weight = next(entry for entry in model.graph.initializer if entry.name == "core.head.weight")
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), weight.name))
    onnx.save(model, done.path)
    return type(done)(done.path, done.runtime, OnnxModel(done.path))


def test_a_broken_export_fails_loudly_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("limbeck.exporting.export.export_onnx_broken", broken_onnx, raising=False)
    monkeypatch.setattr("limbeck.exporting.export.EXPORTERS", {"onnx": "limbeck.exporting.export:export_onnx_broken"})
    with pytest.raises(
        ExportError, match=r"is not the student it came from: on 50 examples its logits differ"
    ) as error:
        finish(tmp_path / "student", core=core(), config=configuration(), facts=Facts(), raw=RAW)
    assert error.value.exit_code == 1
    assert (tmp_path / "student.exporting" / "model.onnx").is_file()
    assert not (tmp_path / "student").exists()


def test_without_examples_nothing_is_proven(tmp_path):
    with pytest.raises(DataError, match="at least one"):
        export(core(), configuration(), formats=["onnx"], folder=tmp_path, raw=RAW[:0])


def test_arrays_that_cannot_be_written_are_read():
    raw = RAW.copy()
    raw.flags.writeable = False
    student = program(core(), PreprocessSpec())
    np.testing.assert_array_equal(eager(student, raw), eager(student, RAW))


def test_silence_is_narrow(caplog):
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    with _exporter_silenced(), caplog.at_level(logging.WARNING, logger.name):
        logger.addHandler(caplog.handler)
        logger.warning("torchvision is not installed. Skipping %s", "torchvision::nms")
        logger.warning("something else")
        logger.removeHandler(caplog.handler)
    assert {record.getMessage() for record in caplog.records} == {"something else"}
    assert not logger.filters


# ---------------------------------------------------------------- finish


def test_the_record_tells_what_was_found(finished):
    bundle, (done,) = finished
    assert (done.format, done.path) == ("onnx", "model.onnx")
    assert done.size_bytes == bundle.program.stat().st_size
    assert done.parity.examples == 50
    assert done.parity.max_abs_error < 1e-5
    assert done.parity.agreement == 1
    assert 0 <= done.parity.quality <= 1
    (times,) = done.latency_ms
    assert (times.runtime, times.threads, times.batch) == ("onnxruntime", 1, 1)
    assert 0 < times.p50 <= times.p90 <= times.p99 <= times.max


def test_the_folder_is_whole_and_alone(finished):
    bundle, _ = finished
    assert read(bundle.folder) == bundle
    assert {path.name for path in bundle.folder.parent.iterdir()} == {"student"}
    assert load_state(bundle.folder).keys() == core().state_dict().keys()


def test_the_file_alone_says_what_it_is(finished):
    bundle, _ = finished
    about = from_metadata(OnnxModel(bundle.program).metadata, "it")
    assert about.classes == CLASSES
    assert (about.name, about.task, about.params) == ("digits", "multiclass", 323)
    assert about.input == configuration().input
    assert from_metadata({}, "it") is None
    with pytest.raises(BundleError, match="changed"):
        from_metadata({"limbeck": "{}"}, "it")


def test_the_cards_program_runs_with_numpy_and_onnxruntime_alone(finished):
    bundle, _ = finished
    text = (bundle.folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    blocker = "import sys; sys.modules.update(dict.fromkeys(('torch', 'limbeck', 'onnx', 'scipy', 'pydantic')))\n"
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", blocker + code],
        check=False,
        cwd=bundle.folder,
        capture_output=True,
        encoding="utf-8",
    )
    assert not ran.stderr
    answer = CLASSES[OnnxModel(bundle.program)(np.zeros((1, 1, 8, 8), np.uint8)).argmax()]
    assert ran.stdout == f"[{answer!r}]\n"


# ---------------------------------------------------------------- what people name


def test_a_bundle_a_run_and_a_file_are_found(finished):
    bundle, _ = finished
    assert bundle_of(bundle.folder) == bundle_of(bundle.folder.parent) == bundle
    assert bundle_of(bundle.program) is None
    for path in (bundle.folder, bundle.folder.parent, bundle.program):
        opened = open_student(path)
        assert opened.about.classes == CLASSES
        assert opened.model(RAW).shape == (50, 5)


@pytest.mark.parametrize(("name", "said"), [("none", "does not exist"), ("notes.txt", "is not an .onnx file")])
def test_what_is_no_student(tmp_path, name, said):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=said):
        open_student(tmp_path / name)


def test_a_file_that_is_not_what_it_says(finished, tmp_path):
    model = onnx.load(finished[0].program)
    (entry,) = model.metadata_props
    for change, said in (
        ('"shape": [1, 9, 9]', "do not belong together"),
        ('"classes": ["a"]', "said to have 1 class"),
    ):
        name = change.split(":")[0]
        edited = onnx.ModelProto()
        edited.CopyFrom(model)
        edited.metadata_props[0].value = re.sub(rf"{name}: \[.*?\]", change, entry.value)
        onnx.save(edited, tmp_path / "m.onnx")
        with pytest.raises(BundleError, match=said):
            open_student(Path(tmp_path / "m.onnx"))
