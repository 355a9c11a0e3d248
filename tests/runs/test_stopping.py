"""Signals outside a training, and seconds over several sittings."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from limbeck.core.interrupt import interruptible
from limbeck.errors import Interrupted, ProcessLostError, StorageError
from limbeck.runs.clock import Clock
from limbeck.runs.stop import stoppable


def sending(number):
    with stoppable():
        os.kill(os.getpid(), number)
        signal.sigtimedwait([], 5)  # never reached: the handler raises first
        pytest.fail("went on")


@pytest.fixture(autouse=True)
def foreground():
    """Ctrl-C reaches the tests, also where a script started them in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_end_a_run_with_the_exit_code_of_an_interruption(number):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="the same command goes on") as stopped:
        sending(number)
    assert stopped.value.exit_code == 130
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


STOPPED_IN_SOURCE_TEXT = """
import os, signal, sys
from limbeck.core.interrupt import interruptible
from limbeck.errors import Interrupted
from limbeck.runs.stop import stoppable

try:
    with stoppable():
        exec("import os, signal; os.kill(os.getpid(), signal.NUMBER); signal.sigtimedwait([], 5)")
except Interrupted as stopped:
    sys.exit(stopped.exit_code)
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_the_exit_code_is_ours_wherever_the_signal_strikes(number, tmp_path):
    """A plain KeyboardInterrupt that passes through `exec` makes Python end as if it had been killed."""
    (tmp_path / "stopped_here.py").write_text(STOPPED_IN_SOURCE_TEXT.replace("NUMBER", number))
    done = subprocess.run([sys.executable, "-m", "stopped_here"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 130


def test_a_signal_that_is_ignored_stays_ignored():
    """`nohup`, and `&` in scripts, mean that Ctrl-C is meant for somebody else."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable(), interruptible() as flag:
            os.kill(os.getpid(), signal.SIGINT)
        assert not flag.raised
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_errors_pass_and_the_handler_goes_back():
    before = signal.getsignal(signal.SIGTERM)

    def fail():
        with stoppable():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_thread_changes_no_handler():
    """Python lets only the main thread have handlers; a run in a worker thread works without them."""
    seen = []

    def work():
        with stoppable():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


# -- seconds


def sit(clock, now, *stages):
    """Passes stages of so many seconds each."""
    for name, seconds in stages:
        with clock.stage(name):
            now[0] += seconds


def test_trainings_add_up_and_the_rest_starts_afresh(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("limbeck.runs.clock.time.monotonic", lambda: now[0])
    path = tmp_path / "timing.json"
    sit(Clock(path), now, ("teacher", 5.0), ("tuning", 2.0), ("measuring", 7.0))
    second = Clock(path)
    sit(second, now, ("teacher", 0.5), ("tuning", 1.0), ("students", 4.0))
    assert second.seconds == {"teacher": 5.5, "tuning": 3.0, "students": 4.0}
    sit(second, now, ("measuring", 1.0))
    assert second.seconds["measuring"] == 1.0
    assert json.loads(path.read_text()) == second.seconds


def test_a_stage_that_fails_is_counted_and_its_error_is_the_one_that_is_told(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("limbeck.runs.clock.time.monotonic", lambda: now[0])
    clock = Clock(tmp_path / "timing.json")

    def fail():
        with clock.stage("teacher"):
            now[0] += 3.0
            raise ZeroDivisionError

    def full(*_):
        raise StorageError("no space left")

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Clock(tmp_path / "timing.json").seconds == {"teacher": 3.0}
    monkeypatch.setattr("limbeck.runs.clock.write_json", full)
    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(StorageError, match="no space left"):
        sit(clock, now, ("tuning", 1.0))


@pytest.mark.parametrize("ending", [SystemExit(2), ProcessLostError("process 1 of 2 was lost")])
def test_a_launchers_signal_does_not_speak_over_what_is_ending(ending):
    """torchrun sends SIGTERM to the processes that are left, while they leave because another failed."""

    def leaves():
        with stoppable():
            try:
                raise ending
            finally:
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(type(ending)) as found:
        leaves()
    assert found.value is ending
