"""The stop-watch."""

import gc
from time import perf_counter, sleep

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.errors import InputError
from limbeck.measuring.latency import latency, torch_latency, wait_for

ONE = {"runtime": "test", "threads": 1, "batch": 1}


def test_percentiles_are_in_ms_and_in_order():
    found = latency(lambda: sleep(0.002), **ONE, warmup=1, repeats=30, min_seconds=0.0)
    assert found.repeats == 30
    assert 2.0 <= found.p50 <= found.p90 <= found.p99 <= found.max < 1000
    assert (found.runtime, found.threads, found.batch) == ("test", 1, 1)


def test_percentiles_are_those_of_the_calls():
    waits = iter([0.0] * 20 + [0.001] * 89 + [0.02] * 11)
    found = latency(lambda: sleep(next(waits)), **ONE, warmup=0, repeats=120, min_seconds=0.0)
    assert found.p50 < 10
    assert found.p99 >= 20


def test_warm_up_is_not_counted():
    calls = []

    def call():
        calls.append(None)
        sleep(0.5 if len(calls) == 1 else 0.001)

    found = latency(call, **ONE, warmup=5, repeats=5, min_seconds=0.0)
    assert len(calls) >= 5 + 5
    assert found.max < 500


def test_short_calls_are_repeated_until_time_is_up():
    start = perf_counter()
    found = latency(lambda: None, **ONE, warmup=0, repeats=3, min_seconds=0.02)
    assert found.repeats > 3
    assert perf_counter() - start >= 0.02


def test_warm_up_ends_within_its_budget_when_nothing_is_stable():
    rng = np.random.default_rng(0)
    start = perf_counter()
    latency(lambda: sleep(rng.exponential(0.01)), **ONE, warmup=1, repeats=1, min_seconds=0.0)
    assert perf_counter() - start < 5


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_is_given_back(on):
    was = gc.isenabled()
    try:
        gc.enable() if on else gc.disable()
        with pytest.raises(ZeroDivisionError):
            latency(lambda: 1 / 0, **ONE)
        assert gc.isenabled() == on
    finally:
        gc.enable() if was else gc.disable()


def test_wrong_numbers_are_refused():
    with pytest.raises(InputError, match="repeats 0"):
        latency(lambda: None, **ONE, repeats=0)


def test_torch_runs_as_asked_and_leaves_no_trace():
    seen = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Dropout()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x):
            seen.append((x.shape, torch.get_num_threads(), self.training, torch.is_inference_mode_enabled()))
            return x * self.weight

    net, threads = Net(), torch.get_num_threads()
    net.inner.eval()
    found = torch_latency(net, torch.zeros(2, 3), threads=threads + 1, batch=5, warmup=1, repeats=3, min_seconds=0)
    assert set(seen) == {((5, 3), threads + 1, False, True)}
    assert (found.runtime, found.threads, found.batch, found.repeats) == ("torch", threads + 1, 5, 3)
    assert torch.get_num_threads() == threads
    assert (net.training, net.inner.training, net.weight.grad) == (True, False, None)


def test_torch_threads_come_back_after_an_exception():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    net, threads = Broken(), torch.get_num_threads()
    with pytest.raises(RuntimeError, match="broken"):
        torch_latency(net, torch.zeros(1, 3), threads=threads + 1)
    assert torch.get_num_threads() == threads
    assert net.training


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_gpu_is_waited_for(kind, monkeypatch):
    waited = []
    monkeypatch.setattr("torch.cuda.synchronize", lambda *_: waited.append("cuda"))
    monkeypatch.setattr("torch.mps.synchronize", lambda: waited.append("mps"))
    wait_for(torch.device("cpu"))
    wait_for(torch.device(kind))
    assert waited == [kind]
