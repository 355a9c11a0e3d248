"""`module:function` as data: called only where it is trusted, and its faults are named."""

import sys

import numpy as np
import pytest

from limbeck.data.open import open_source
from limbeck.data.reading import Reading
from limbeck.errors import DataError, TrustError

MODULE = """
import numpy as np
def make():
    return np.arange(6, dtype=np.float32).reshape(3, 2), np.array([0, 1, 0])
def path():
    return "digits"
def broken():
    raise ValueError("no disk mounted")
def nothing():
    return None
def again():
    return "data_made_here:make"
number = 3
"""


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    (tmp_path / "data_made_here.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "data_made_here", raising=False)
    return Reading(trust_code=True, folder=tmp_path)


def test_a_function_gives_arrays_or_a_name(trusted):
    source = open_source("data_made_here:make", split="train", reading=trusted)
    np.testing.assert_array_equal(source.read(np.arange(3)), [[0, 1], [2, 3], [4, 5]])
    assert source.name == "data_made_here:make/train"
    assert len(open_source("data_made_here:path", split="test", reading=trusted)) == 359


def test_it_is_not_called_without_trust(trusted):
    with pytest.raises(TrustError, match=r"data\.train: 'data_made_here:make' runs code of yours.*--trust-code"):
        open_source("data_made_here:make", split="train")
    assert "data_made_here" not in sys.modules


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "failed: ValueError: no disk mounted; it is called without arguments"),
        ("nothing", "returned None"),
        ("again", "returned 'data_made_here:make'"),
        ("number", "is a int; name a function"),
        ("absent", "has no 'absent'"),
    ],
)
def test_faults_are_named(trusted, name, said):
    with pytest.raises(DataError, match=said):
        open_source(f"data_made_here:{name}", split="train", reading=trusted)


def test_a_file_of_that_name_is_the_file(tmp_path, monkeypatch, trusted):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_made_here:make").mkdir()
    with pytest.raises(DataError, match="no images"):
        open_source("data_made_here:make", split="train", reading=trusted)
