"""Weights out of files: every wrapping gives the same module, and what does not fit is named."""

import argparse

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from limbeck.core.identity import state_fingerprint
from limbeck.core.weights import fit_state, read_state
from limbeck.errors import ModelError


def net(seed=0, outputs=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, outputs))


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


WRAPPINGS = {
    "bare": lambda state: state,
    "data-parallel": lambda state: prefixed(state, "module."),
    "lightning": lambda state: {"state_dict": prefixed(state, "model."), "epoch": 3, "hyper_parameters": {"lr": 0.1}},
    "compiled-parallel": lambda state: prefixed(state, "module._orig_mod."),
    "trainer": lambda state: {"model": state, "optimizer": {"state": {}}, "args": argparse.Namespace(lr=0.1)},
    "old-torch": lambda state: {name: v for name, v in state.items() if not name.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_wrapping_gives_the_same_weights(wrapping, tmp_path):
    torch.save(WRAPPINGS[wrapping](net(1).state_dict()), tmp_path / "w.pt")
    module = net(0)
    state, notes = read_state(tmp_path / "w.pt")
    notes += fit_state(module, state, path=tmp_path / "w.pt")
    assert state_fingerprint(module.state_dict()) == state_fingerprint(net(1).state_dict())
    assert bool(notes) == (wrapping in ("data-parallel", "lightning", "compiled-parallel"))


def test_safetensors_are_read_without_torchs_unpickler(tmp_path, monkeypatch):
    save_file(net(1).state_dict(), tmp_path / "w.safetensors")
    monkeypatch.delattr(torch, "load")
    module = net(0)
    fit_state(module, read_state(tmp_path / "w.safetensors")[0], path=tmp_path / "w.safetensors")
    assert state_fingerprint(module.state_dict()) == state_fingerprint(net(1).state_dict())


def test_averaged_weights_come_first_and_are_said(tmp_path):
    path = tmp_path / "w.pt"
    torch.save({"state_dict": net(1).state_dict(), "state_dict_ema": net(2).state_dict()}, path)
    state, (note,) = read_state(path)
    assert state_fingerprint(state) == state_fingerprint(net(2).state_dict())
    assert "state_dict_ema was taken, the averaged ones (EMA): teacher.weights_key chooses another" in note
    state, notes = read_state(path, key="state_dict")
    assert state_fingerprint(state) == state_fingerprint(net(1).state_dict())
    assert notes == []


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        ([1, 2], None, "it holds a list, not tensors by name"),
        ({"epoch": 3, "best": 0.5}, None, "holds epoch, best and no weights under a usual name"),
        ({"state_dict": {}, "ours": {}}, "theirs", "has no entry 'theirs' with weights; it has state_dict, ours"),
        ({"state_dict": {"a": 3}}, None, "a is a int, expected a tensor"),
    ],
)
def test_what_is_no_state_dict_is_named(content, key, said, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=said):
        read_state(tmp_path / "w.pt", key=key)


def test_a_head_that_will_be_replaced_may_differ_or_lack(tmp_path):
    path, module = tmp_path / "w.pt", net(0)
    other = net(1, outputs=7).state_dict()
    with pytest.raises(ModelError, match=r"size mismatch for 2.weight: 7x5, not 3x5; size mismatch for 2.bias"):
        fit_state(module, other, path=path)
    before = module[2].weight.clone()
    (note,) = fit_state(module, other, path=path, but=("2",))
    assert "no fitting 2, which begins anew" in note
    torch.testing.assert_close(module[0].weight, other["0.weight"])
    torch.testing.assert_close(module[2].weight, before)
    headless = {name: value for name, value in other.items() if not name.startswith("2.")}
    assert fit_state(net(0), headless, path=path, but=("2",)) == [note]
