"""What a guide keeps: round trips through JSON, bytes, and settings that cannot be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import InputError
from limbeck.guide.spec import (
    FeatureSpec,
    LogitsSpec,
    SampledSpec,
    SignalSpec,
    TopKSpec,
    bytes_per_example,
    columns,
    index_dtype,
)

positive = st.floats(0.01, 100)
outputs = st.one_of(
    st.builds(LogitsSpec, st.sampled_from(["float32", "float16"])),
    st.builds(TopKSpec, st.integers(1, 50), st.lists(positive, min_size=1, max_size=3, unique=True).map(tuple)),
    st.builds(SampledSpec, st.integers(1, 50), positive, st.integers(0, 2**63)),
)
features = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.builds(FeatureSpec, st.sampled_from(["float16", "int8"]), st.none() | st.tuples(st.integers(1, 9))),
    min_size=1,
)


@given(st.builds(SignalSpec, outputs, features))
def test_json_gives_back_the_same(spec):
    assert SignalSpec.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec


@pytest.mark.parametrize(
    ("spec", "classes", "expected"),
    [
        (SignalSpec(), 10, 40),
        (SignalSpec(LogitsSpec("float16")), 10, 24),
        (SignalSpec(TopKSpec(8, (1.0, 4.0))), 10, 8 * (1 + 2) + 4 + 8),
        (SignalSpec(TopKSpec(32)), 1000, 32 * (2 + 2) + 4 + 4),
        (SignalSpec(TopKSpec(32)), 150_000, 32 * (4 + 2) + 4 + 4),
        (SignalSpec(SampledSpec(50)), 150_000, 50 * 4 + 4),
        (SignalSpec(None, {"head": FeatureSpec("float16", (3, 5)), "stem": FeatureSpec("int8", (7,))}), None, 30 + 11),
    ],
)
def test_bytes(spec, classes, expected):
    assert bytes_per_example(spec, classes) == expected
    assert bytes_per_example(spec, classes, views=4) == 4 * expected


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [(1, "uint8"), (256, "uint8"), (257, "uint16"), (65_536, "uint16"), (65_537, "uint32"), (2**31, "uint32")],
)
def test_the_last_index_fits(classes, dtype):
    import numpy as np

    assert index_dtype(classes) == dtype
    assert int(np.array(classes - 1).astype(dtype)) == classes - 1


@pytest.mark.parametrize("classes", [0, 2**31 + 1])
def test_indices_that_would_overflow(classes):
    with pytest.raises(InputError, match="overflow"):
        index_dtype(classes)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: TopKSpec(0), "at least 1"),
        (lambda: TopKSpec(2, ()), "one or more"),
        (lambda: TopKSpec(2, (0.0,)), "above 0"),
        (lambda: TopKSpec(2, (float("nan"),)), "above 0"),
        (lambda: TopKSpec(2, (1.0, 1.0)), "twice"),
        (lambda: SampledSpec(0), "at least 1"),
        (lambda: SampledSpec(3, temperature=-1), "above 0"),
        (lambda: SignalSpec(None), "nothing"),
        (lambda: columns(SignalSpec(TopKSpec(11)), 10), "11 of 10 classes"),
    ],
)
def test_settings_that_cannot_be(make, says):
    with pytest.raises(InputError, match=says):
        make()


def test_it_says_what_it_keeps():
    spec = SignalSpec(TopKSpec(8, (1.0, 2.5)), {"head": FeatureSpec("int8")})
    assert str(spec) == "top-8 logits (tail at T = 1, 2.5) + head (int8)"
