"""A bundle is read as it was written, or not at all."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.bundle.config import BundleConfig, InputConfig, Quality
from limbeck.bundle.read import load_state, read
from limbeck.bundle.write import write
from limbeck.core.storage import read_json
from limbeck.errors import BundleError, StorageError
from limbeck.record import Fingerprints

FILES = {"README.md", "config.json", "labels.json", "model.onnx", "model.safetensors"}


def configuration(**changes) -> BundleConfig:
    fields = {
        "limbeck_version": "0.1.0",
        "name": "digits",
        "task": "multiclass",
        "classes": ("zero", "one", "two"),
        "input": InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8"),
        "preprocess": {"scale": 1 / 255, "mean": (0.5,), "std": (0.25,), "size": None, "channels": None},
        "student": {"family": "convnet", "width": 8, "depth": 2},
        "quality": Quality(metric="accuracy", value=0.97, ci95=(0.95, 0.99), split="test"),
        "params": 15,
        "fingerprints": Fingerprints(data="d" * 64, teacher="t" * 64, recipe="r" * 64),
    }
    return BundleConfig(**{**fields, **changes})


def state() -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(12.0).view(3, 4), "bias": torch.ones(3), "steps": torch.tensor(7)}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "made.onnx"
    path.write_bytes(b"a program" * 20)
    return path


@pytest.fixture
def folder(tmp_path: Path, program: Path) -> Path:
    write(tmp_path / "student", config=configuration(), state=state(), card="# digits\n", program=program)
    return tmp_path / "student"


def test_what_is_written_is_read(folder):
    bundle = read(folder)
    assert {path.name for path in folder.iterdir()} == FILES
    assert bundle.labels == ("zero", "one", "two")
    assert bundle.config.model_copy(update={"sha256": {}}) == configuration()
    assert bundle.program.read_bytes() == b"a program" * 20
    loaded = load_state(folder)
    assert loaded.keys() == state().keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state().items())


def test_writing_twice_gives_the_same_bytes(folder, tmp_path, program):
    write(tmp_path / "again", config=configuration(), state=state(), card="# digits\n", program=program)
    assert all((folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in FILES)


def test_tied_and_strided_weights_are_kept(tmp_path, program):
    matrix = torch.arange(6.0).view(2, 3)
    tied = {"a": matrix, "b": matrix, "turned": matrix.T}
    write(tmp_path / "student", config=configuration(), state=tied, card="", program=program)
    loaded = load_state(tmp_path / "student")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tied.items())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True))
def test_labels_in_any_script(tmp_path_factory, classes):
    base = tmp_path_factory.mktemp("script")
    (base / "made.onnx").write_bytes(b"x")
    config = configuration(classes=tuple(classes))
    write(base / "student", config=config, state=state(), card="", program=base / "made.onnx")
    bundle = read(base / "student")
    assert bundle.labels == bundle.config.classes == tuple(classes)
    shutil.rmtree(base)


@pytest.mark.parametrize("name", ["config.json", "labels.json", "model.onnx", "model.safetensors"])
def test_a_flipped_bit_is_refused(folder, name):
    path = folder / name
    content = path.read_bytes()
    for at in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(BundleError, match=f"{name}.*changed"):
            read(folder)
    path.write_bytes(content)
    read(folder)


def test_a_changed_value_of_the_config_is_refused(folder):
    values = read_json(folder / "config.json")
    values["quality"]["value"] = 0.99
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(BundleError, match=r"config\.json was changed"):
        read(folder)


def test_a_config_that_is_only_laid_out_anew_is_read(folder):
    values = read_json(folder / "config.json")
    (folder / "config.json").write_text(json.dumps(values, sort_keys=True))
    assert read(folder).config.name == "digits"


@pytest.mark.parametrize("name", ["config.json", "labels.json", "model.onnx", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        read(folder)


def test_card_and_exports_are_free_to_change(folder):
    (folder / "README.md").write_text("mine")
    (folder / "exports").mkdir()
    (folder / "exports" / "other.onnx").write_bytes(b"y")
    read(folder)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"surprise": 1}, "surprise"),
        ({"params": "many"}, "params"),
        ({"classes": ["a", "a"]}, "classes"),
    ],
)
def test_another_schema_is_refused(folder, change, where):
    values = read_json(folder / "config.json")
    (folder / "config.json").write_text(json.dumps({**values, **change}))
    with pytest.raises(BundleError, match=where):
        read(folder)


def test_what_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"holds no config\.json"):
        read(tmp_path)


def test_a_bundle_is_replaced_as_a_whole(folder, program):
    (folder / "exports").mkdir()
    write(folder, config=configuration(name="second"), state=state(), card="", program=program)
    assert read(folder).config.name == "second"
    assert {path.name for path in folder.iterdir()} == FILES
    assert {path.name for path in folder.parent.iterdir()} == {"student", "made.onnx"}


def test_exports_are_copied_in(tmp_path, program):
    exports = {"model.int8.onnx": program}
    write(tmp_path / "student", config=configuration(), state=state(), card="", program=program, exports=exports)
    assert (tmp_path / "student" / "exports" / "model.int8.onnx").read_bytes() == program.read_bytes()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_of_the_users_is_overwritten(tmp_path, program, kind):
    place = tmp_path / "photos"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "holiday.png").write_text("mine")
    with pytest.raises(BundleError, match="not a student"):
        write(place, config=configuration(), state=state(), card="", program=program)
    assert place.read_text() == "mine" if kind == "file" else (place / "holiday.png").read_text() == "mine"


def test_a_failure_leaves_the_old_bundle_and_no_remains(folder, program, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StorageError, match="no space left"):
        write(folder, config=configuration(name="second"), state=state(), card="", program=program)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {path.name for path in folder.parent.iterdir()} == {"student", "made.onnx"}


def test_a_failed_swap_puts_the_old_bundle_back(folder, program, monkeypatch):
    rename = Path.rename

    def stubborn(self: Path, target: Path) -> Path:
        if Path(target) == folder and read_json(self / "config.json")["name"] == "second":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stubborn)
    with pytest.raises(StorageError, match="cannot write"):
        write(folder, config=configuration(name="second"), state=state(), card="", program=program)
    assert read(folder).config.name == "digits"
    assert {path.name for path in folder.parent.iterdir()} == {"student", "made.onnx"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path, program):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(StorageError, match="cannot write"):
        write(locked / "student", config=configuration(), state=state(), card="", program=program)


@pytest.mark.parametrize("name", ["made.onnx/student", "n" * 300])
def test_a_place_that_cannot_be(tmp_path, program, name):
    with pytest.raises(StorageError, match="cannot write"):
        write(tmp_path / name, config=configuration(), state=state(), card="", program=program)


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="finite"):
        Quality(metric="accuracy", value=float("nan"), ci95=None, split="test")
