"""Processes that know of each other, played by threads over one store."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from torch.distributed import HashStore

from limbeck.core import company, processes
from limbeck.core.company import BrokenCompanyError, Company, Trouble, Watch
from limbeck.errors import Interrupted, NonFiniteError, ProcessLostError


@pytest.fixture
def two():
    """Two members; for a thread there is no process number to look after."""
    store = HashStore()
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda rank: Company(store, rank, 2), range(2))
    one._pids, other._pids = {}, {}
    return one, other


@pytest.fixture
def lost_pid():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_alone_everything_is_free():
    assert (processes.rank(), processes.world(), processes.is_main(), processes.speaks()) == (0, 1, True, True)
    assert processes.gather("a") == ["a"]
    assert processes.agreed(3) == 3
    assert processes.sums([1.5, 2]) == [1.5, 2]
    processes.barrier()
    with processes.joined():
        assert processes.world() == 1


def test_a_launcher_is_known_by_all_that_it_sets(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert processes.launched() == 1, "some schedulers set this one"
    for name, value in {"RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert processes.launched() == 4
    assert not processes.speaks()


def test_waiting_ends_when_the_last_one_comes(two):
    one, other = two
    came = []
    thread = threading.Thread(target=lambda: (one.wait(), came.append(time.monotonic())))
    thread.start()
    time.sleep(0.2)
    assert not came
    other.wait()
    thread.join(5)
    assert came


def test_waiting_for_one_that_failed_ends_too(two):
    one, other = two
    assert other.claim(2)
    with pytest.raises(BrokenCompanyError):
        one.wait()


def test_the_first_to_fail_tells_it_and_the_other_leaves_with_its_code(two):
    one, other = two
    cause = NonFiniteError("a term is not finite")
    assert other.ending(cause) is cause
    followed = one.ending(RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer"))
    assert isinstance(followed, SystemExit)
    assert followed.code == 1


def test_the_same_error_in_both_is_told_once(two):
    endings = [member.ending(Interrupted("stopped at step 3")) for member in two]
    assert [type(ending) for ending in endings] == [Interrupted, SystemExit]
    assert endings[1].code == 130


def test_a_lost_one_is_told_of(two, lost_pid):
    one, _ = two
    one._pids = {1: lost_pid}
    assert one.trouble() == Trouble(1, None)
    ending = one.ending(KeyboardInterrupt())
    assert isinstance(ending, ProcessLostError)
    assert "process 1 of 2" in str(ending)
    assert "same command" in str(ending)


def test_one_that_is_done_is_not_lost(two, lost_pid):
    one, other = two
    one._pids = {1: lost_pid}
    other.leave()
    assert one.trouble() is None


def test_an_error_of_ours_stays_what_it_is(two, monkeypatch):
    monkeypatch.setattr(company, "ROOT_CAUSE_SECONDS", 0.05)
    error = RuntimeError("a mistake")
    assert two[0].ending(error) is error


def test_a_broken_wire_without_a_culprit_is_a_loss(two, monkeypatch):
    monkeypatch.setattr(company, "ROOT_CAUSE_SECONDS", 0.05)
    ending = two[0].ending(RuntimeError("NCCL communicator was aborted"))
    assert isinstance(ending, ProcessLostError)
    assert "one of the 2 processes" in str(ending)


def test_who_cannot_end_by_itself_is_ended(two, lost_pid, monkeypatch, capfd):
    monkeypatch.setattr(company, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(company, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(company, "getsignal", lambda _number: None)
    one, _ = two
    one._pids = {1: lost_pid}
    codes = []
    watch = Watch(one, end=codes.append)
    watch._thread.join(5)
    assert codes == [1]
    assert "process 1 of 2" in capfd.readouterr().err


def test_who_ends_by_itself_is_left_alone(two):
    codes = []
    watch = Watch(two[0], end=codes.append)
    watch.stop()
    assert not codes


def test_members_know_where_the_others_live(two):
    host, pid = json.loads(two[0].store.get("who/1"))
    assert pid == os.getpid()
    assert host
