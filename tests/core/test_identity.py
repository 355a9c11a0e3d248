"""Fingerprints and example ids: the same thing has the same, another thing another, on every machine."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limbeck.core.identity import (
    array_fingerprint,
    file_fingerprint,
    fingerprint,
    ids_of_keys,
    ids_of_rows,
    key_hash,
    mix,
    state_fingerprint,
)

MASK = 2**64 - 1


def splitmix64(value):
    """Steele, Lea, Flood 2014, in Python's own integers."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def unmixed(value):
    """The inverse, which only a bijection has."""
    value = undo_shift(value, 31) * pow(0x94D049BB133111EB, -1, 2**64) & MASK
    value = undo_shift(value, 27) * pow(0xBF58476D1CE4E5B9, -1, 2**64) & MASK
    return (undo_shift(value, 30) - 0x9E3779B97F4A7C15) & MASK


def undo_shift(value, by):
    found = value
    for _ in range(64 // by + 1):
        found = value ^ (found >> by)
    return found


@given(st.integers(0, MASK))
def test_mix_is_splitmix_and_has_an_inverse(value):
    mixed = int(mix(np.array([value], dtype=np.uint64))[0])
    assert mixed == splitmix64(value)
    assert unmixed(mixed) == value


def test_published_numbers():
    """The first outputs of splitmix64 from seed 1234567, as in Rosetta Code and Vigna's reference."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    states = np.uint64(1234567) + np.arange(3, dtype=np.uint64) * golden
    assert mix(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_a_flipped_bit_flips_half_of_them():
    values = np.random.default_rng(0).integers(0, 2**63, 2000, dtype=np.uint64)
    for bit in (0, 17, 40, 63):
        changed = mix(values) ^ mix(values ^ np.uint64(1 << bit))
        share = np.unpackbits(changed.view(np.uint8)).mean()
        assert share == pytest.approx(0.5, abs=0.01)


def test_a_million_rows_have_a_million_ids():
    ids = ids_of_rows("photos/train", 1_000_000)
    assert ids.dtype == np.int64
    assert len(np.unique(ids)) == len(ids)
    assert np.array_equal(ids[:1000], ids_of_rows("photos/train", 1000)), "more rows change no id"


def test_a_million_keys_have_a_million_ids():
    ids = ids_of_keys("photos/train", (f"{number}.png" for number in range(200_000)))
    assert len(np.unique(ids)) == len(ids)
    assert np.array_equal(ids[:2], ids_of_keys("photos/train", ["0.png", "1.png"]))


def test_sources_have_ids_of_their_own():
    parts = [ids_of_rows(name, 50_000) for name in ("a/train", "a/test", "b/train")]
    parts += [ids_of_keys(name, map(str, range(50_000))) for name in ("a/train", "a/test")]
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    assert ids_of_keys("a", ["b"]) != ids_of_keys("ab", [""]), "name and key do not run together"


def test_golden_ids():
    """Written into guides: they must not change. Computed by hand from BLAKE2b and the published finaliser."""
    assert key_hash("") == 13020603013274838756
    assert ids_of_rows("digits/train", 3).tolist() == [-6918344548423717099, 2104005474302411143, -4359448690991586098]
    assert ids_of_keys("photos/train", ["cat/1.png", "hund/ä.png"]).tolist() == [
        6693961234744749290,
        8588013382554938279,
    ]


def test_fingerprints_of_values():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    different = [{}, [], None, 0, 1, 1.0, "1", True, {"a": None}, {"a": {}}, [[]], [1, 2], [2, 1], "é", 0.1 + 0.2, 0.3]
    assert len({fingerprint(value) for value in different}) == len(different)
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(float("nan"))


def test_fingerprints_of_files(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert file_fingerprint(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_fingerprints_of_arrays():
    a = np.arange(6, dtype=np.int32)
    assert array_fingerprint([a]) == array_fingerprint([a.copy()])
    assert array_fingerprint([a.reshape(2, 3).T]) == array_fingerprint([a.reshape(2, 3).T.copy()])
    different = [
        [a], [a.reshape(2, 3)], [a.reshape(3, 2)], [a.astype(np.int64)], [a.astype(">i4")], [a[:5]], [a, a], [],
        [a[:3], a[3:]], [a + 1],
    ]  # fmt: skip
    assert len({array_fingerprint(arrays) for arrays in different}) == len(different)


def test_fingerprints_of_weights():
    w = torch.randn(4, 3, 2, 2)
    same = [
        {"a": w, "b": torch.ones(2)},
        {"b": torch.ones(2), "a": w.clone()},
        {"a": w.contiguous(memory_format=torch.channels_last), "b": torch.ones(2, requires_grad=True)},
    ]
    assert len({state_fingerprint(state) for state in same}) == 1
    different = [
        {"a": w}, {"b": w}, {"a": w.double()}, {"a": w.bfloat16()}, {"a": w.reshape(3, 4, 2, 2)}, {"a": -w}, {},
        {"a": torch.zeros(0)}, {"a": torch.zeros(0, 2)}, {"a": torch.tensor(0.0)}, {"a": torch.tensor(-0.0)},
        {"a": torch.tensor(0)}, {"a": torch.tensor(False)}, {"a": torch.tensor([0.0])},
    ]  # fmt: skip
    assert len({state_fingerprint(state) for state in different}) == len(different)
    assert state_fingerprint({"a": torch.tensor([1.0, 2.0])}) == (
        "9ea106a6d1bac29f824b86595906aa1b095eb6ef1f6bfa90f203099a1bb0063f"
    )
