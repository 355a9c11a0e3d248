"""Optional packages, foreign code, devices and threads, progress, batches, signals of the system."""

import os
import pty
import random
import signal
import subprocess
import sys
import threading
from dataclasses import fields

import numpy as np
import pytest
import torch

from limbeck.core import runtime
from limbeck.core.batch import Batch, Mix
from limbeck.core.dotted import load_object
from limbeck.core.families import build_family
from limbeck.core.interrupt import interruptible
from limbeck.core.optional import require
from limbeck.core.progress import Silent, Terminal
from limbeck.core.runtime import SMALL, Runtime, applied, resolve, seed_everything
from limbeck.errors import InputError, MissingDependencyError, ModelError, TrustError

# --- optional packages


def package(tmp_path, monkeypatch, name, text):
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


def test_an_absent_package_is_answered_with_the_line_that_installs_it():
    with pytest.raises(
        MissingDependencyError, match=r"^timm students needs absent_one: pip install 'limbeck\[vision\]'$"
    ):
        require("absent_one", extra="vision", purpose="timm students")
    with pytest.raises(MissingDependencyError, match=r"training needs absent\.inner: pip install 'limbeck'$") as absent:
        require("absent.inner", extra=None, purpose="training")
    assert absent.value.exit_code == 2
    assert isinstance(absent.value.__cause__, ModuleNotFoundError)
    with pytest.raises(MissingDependencyError, match="pip install 'limbeck'"):
        require("json.absent", extra=None, purpose="training")
    assert require("json.decoder", extra=None, purpose="this").JSONDecoder


def test_a_package_that_lacks_another(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch, "lb_lacking", "import lb_deeper_absent")
    with pytest.raises(MissingDependencyError, match="installed but lacks lb_deeper_absent: pip install lb_deeper"):
        require("lb_lacking", extra="vision", purpose="timm students")


def test_a_package_that_fails_to_import(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch, "lb_broken", "raise ImportError('libfoo.so.1: cannot open')")
    with pytest.raises(MissingDependencyError, match="fails to import: libfoo"):
        require("lb_broken", extra=None, purpose="this")
    text = "raise RuntimeError('operator torchvision::nms does not exist')"
    package(tmp_path, monkeypatch, "lb_mismatch", text)
    with pytest.raises(MissingDependencyError, match="pip install torch torchvision"):
        require("lb_mismatch", extra=None, purpose="this")


# --- foreign code


@pytest.fixture
def clean_path():
    path, modules = sys.path.copy(), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.usefixtures("clean_path")
def test_foreign_code_runs_only_where_it_is_trusted(tmp_path):
    (tmp_path / "lb_foreign.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef make(): return 7"
    )
    with pytest.raises(TrustError, match="'lb_foreign:make' runs code of yours; if you trust it, add --trust-code"):
        load_object("lb_foreign:make", trust_code=False, what="teacher.from", folder=tmp_path)
    assert not (tmp_path / "ran").exists()
    assert str(tmp_path) not in sys.path
    assert load_object("lb_foreign:make", trust_code=True, what="teacher.from", folder=tmp_path)() == 7
    assert (tmp_path / "ran").exists()


@pytest.mark.usefixtures("clean_path")
@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("lb_there", "not of the form module:function"),
        ("lb_there:", "not of the form module:function"),
        (":make", "cannot import"),
        (".lb_there:make", "cannot import"),
        ("lb_absent:make", "cannot import 'lb_absent'"),
        ("lb_there:absent", "'lb_there' has no 'absent'"),
        ("lb_there:Net.absent", "'lb_there' has no 'Net.absent'"),
        ("lb_wrong:make", "ZeroDivisionError"),
        ("lb_typo:make", "SyntaxError"),
        ("lb_attribute:make", "cannot import 'lb_attribute': AttributeError"),
    ],
)
def test_names_that_lead_nowhere(name, named, tmp_path):
    (tmp_path / "lb_there.py").write_text("class Net:\n    @staticmethod\n    def make(): return 3")
    (tmp_path / "lb_wrong.py").write_text("1 / 0")
    (tmp_path / "lb_typo.py").write_text("def make(:")
    (tmp_path / "lb_attribute.py").write_text("import json; json.absent")
    with pytest.raises(ModelError, match=f"^teacher: .*{named}"):
        load_object(name, trust_code=True, what="teacher", folder=tmp_path)
    assert load_object("lb_there:Net.make", trust_code=True, what="teacher", folder=tmp_path)() == 3


@pytest.mark.usefixtures("clean_path")
def test_two_modules_of_one_name_are_not_mistaken(tmp_path):
    """As two recipes in two folders, each with its own net.py, in one process."""
    for folder, value in (("one", 1), ("two", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "lb_net.py").write_text(f"VALUE = {value}")
    (tmp_path / "two" / "json.py").write_text("VALUE = 3")
    assert load_object("lb_net:VALUE", trust_code=True, what="student", folder=tmp_path / "one") == 1
    with pytest.raises(
        ModelError, match=r"'lb_net' in .*two, but this process has already loaded another one .*rename"
    ):
        load_object("lb_net:VALUE", trust_code=True, what="student", folder=tmp_path / "two")
    with pytest.raises(ModelError, match="rename yours"):
        load_object("json:VALUE", trust_code=True, what="student", folder=tmp_path / "two")
    assert load_object("json:dumps", trust_code=True, what="student", folder=tmp_path / "one")(1) == "1"


def test_families_by_name():
    families = {"fraction": "fractions:Fraction", "batch": "limbeck.core.batch:Batch"}
    with pytest.raises(ModelError, match=r"student\.size: family batch has no such knob; it has: ids, views, target"):
        build_family(families, {"family": "batch", "size": 3}, inputs=(1,), outputs=2, where="student")
    with pytest.raises(ModelError, match="there is no family 'Batch'; use one of: fraction, batch"):
        build_family(families, {"family": "Batch"}, inputs=(1,), outputs=2, where="student")


# --- device, threads, seeds


def machine(monkeypatch, *, cuda=0, mps=False, cores=8, threads=6):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(runtime, "cores", lambda: cores)


@pytest.mark.parametrize(
    ("has", "asked", "got"),
    [
        ({}, "auto", "cpu"),
        ({"mps": True}, "auto", "mps"),
        ({"cuda": 1, "mps": True}, "auto", "cuda"),
        ({"cuda": 2}, "cuda:1", "cuda:1"),
        ({"cuda": 2}, "cpu", "cpu"),
        ({"mps": True}, "mps", "mps"),
    ],
)
def test_devices(has, asked, got, monkeypatch):
    machine(monkeypatch, **has)
    assert resolve(device=asked).device == got


@pytest.mark.parametrize(
    ("has", "asked", "named"),
    [
        ({}, "cuda", "no CUDA device; use 'cpu' or 'auto'"),
        ({}, "cuda:0", "no CUDA device"),
        ({"cuda": 2}, "cuda:2", "has 2 of them"),
        ({"cuda": 2}, "cuda:", "none; use 'auto', 'cpu'"),
        ({"cuda": 2}, "cuda:x", "none; use 'auto', 'cpu'"),
        ({"cuda": 1}, "mps", "no Apple GPU"),
        ({}, "gpu", "none; use 'auto', 'cpu'"),
        ({}, "cpu:1", "none; use 'auto', 'cpu'"),
        ({}, "", "none; use 'auto', 'cpu'"),
    ],
)
def test_devices_that_are_not_here(has, asked, named, monkeypatch):
    machine(monkeypatch, **has)
    with pytest.raises(InputError, match=f"^device: .*{named}"):
        resolve(device=asked)


def test_half_precision_needs_its_device(monkeypatch):
    machine(monkeypatch, cuda=1)
    assert resolve(device="cuda", mixed_precision="fp16").mixed_precision == "fp16"
    assert resolve(device="cpu", mixed_precision="bf16").mixed_precision == "bf16"
    with pytest.raises(InputError, match="fp16 needs a GPU; use 'bf16'"):
        resolve(device="cpu", mixed_precision="fp16")


def test_threads(monkeypatch):
    machine(monkeypatch, cores=8, threads=6)
    assert resolve(parameters=SMALL - 1).threads == 1
    assert resolve(parameters=SMALL).threads == 6
    assert resolve(threads=3, parameters=SMALL).threads == 3
    assert resolve(threads=3).threads == 3
    machine(monkeypatch, cores=2, threads=6)
    assert resolve(parameters=SMALL).threads == 2
    assert Runtime("cpu", 2).as_dict() == {
        "device": "cpu",
        "threads": 2,
        "mixed_precision": "no",
        "strategy": "ddp",
    }


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with applied(Runtime("cpu", before + 1)) as device:
        assert device == torch.device("cpu")
        assert torch.get_num_threads() == before + 1
    with pytest.raises(ZeroDivisionError), applied(Runtime("cpu", before + 2)):
        _ = 1 / 0
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("seed", [0, 2**40 + 1])
def test_one_seed_for_all(seed):
    drawn = []
    for _ in range(2):
        seed_everything(seed)
        drawn.append((random.random(), np.random.random(), torch.rand(1).item()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


# --- progress


def test_silence(capsys):
    silent = Silent()
    silent.say("hello")
    with silent.task("training", 3) as task:
        task.advance(values={"loss": 1.0})
        task.advance(2)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_there_are_lines_and_no_bars(capsys):
    terminal = Terminal()
    terminal.say("a [bold]line[/bold] that is longer than any terminal is wide: " + "x" * 200)
    with terminal.task("training", 3) as task:
        task.advance(values={"loss": 1.0})
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "a [bold]line[/bold] that is longer than any terminal is wide: " + "x" * 200 + "\n"


def test_without_a_terminal_long_work_says_how_far_it_is(capsys):
    with Terminal(seconds=0.0).task("student", 1200) as task:
        task.advance(1000)
        task.advance(values={"soft-targets": 0.123456, "hard-labels": 2.0})
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("student: step 1,001 of 1,200, ")
    assert said[0].endswith(" s left  soft-targets 0.1235  hard-labels 2")


def test_on_a_terminal_there_is_a_bar_with_the_losses_by_name():
    code = (
        "from limbeck.core.progress import Terminal\n"
        "with Terminal().task('student', 4) as task:\n"
        "    for step in range(4): task.advance(values={'soft-targets': 0.5})\n"
        "    task.advance(0)\n"
        "    import time; time.sleep(0.3)\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    child = subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env=environment)
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 4096):
            drawn += part
    except OSError:  # the other end was closed
        pass
    os.close(ours)
    assert child.wait() == 0
    assert b"student" in drawn
    assert b"4/4" in drawn
    assert b"soft-targets 0.5" in drawn


# --- batches


def test_a_batch_moves_as_a_whole():
    rows = torch.arange(3)
    one = Batch(
        rows,
        rows,
        torch.zeros(3, 1),
        rows,
        rows > 0,
        torch.ones(3, 2),
        torch.rand(3),
        Mix(torch.rand(3), rows, rows > 1),
    )
    moved = one.to("meta")
    assert len(moved) == 3
    for field in fields(Batch):
        value = getattr(moved, field.name)
        if field.name != "mix":
            assert value.device.type == "meta"
    assert {getattr(moved.mix, field.name).device.type for field in fields(Mix)} == {"meta"}
    named = Batch(rows, rows, {"tokens": rows, "mask": rows > 0}).to("meta")
    assert {name: value.device.type for name, value in named.inputs.items()} == {"tokens": "meta", "mask": "meta"}
    assert named.target is named.weight is named.mix is None
    assert one.ids.device.type == "cpu"


# --- signals of the system


def test_handlers_are_given_back():
    def mine(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGTERM, mine)
    try:
        with interruptible() as flag:
            assert signal.getsignal(signal.SIGTERM) == flag.handle
            assert signal.getsignal(signal.SIGINT) == flag.handle
        assert signal.getsignal(signal.SIGTERM) is mine
        with pytest.raises(ZeroDivisionError), interruptible():
            _ = 1 / 0
        assert signal.getsignal(signal.SIGTERM) is mine
        assert not flag.raised
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_first_asks_the_second_insists():
    with interruptible() as flag:
        os.kill(os.getpid(), signal.SIGTERM)
        assert flag.raised
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        flag.raised = False  # or it would be handed on to the test run


def test_a_late_request_is_not_swallowed():
    """It came after the last look at the flag: the handler from before gets it."""
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGINT)


def test_other_threads_leave_handlers_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with interruptible() as flag:
            seen.append((flag.raised, signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, True)]
