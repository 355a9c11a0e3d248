"""YAML in and out: what is read is exactly what was written, and nothing but plain values can come in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import RecipeError
from limbeck.recipe.text import MAX_DEPTH, emit, parse

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(TEXT, PLAIN, max_size=4))
def test_what_is_written_is_read_back(values):
    assert repr(parse(emit(values), "x").values) == repr(values)


@pytest.mark.parametrize(
    "word",
    ["no", "yes", "on", "1e-3", "0x10", "1_000", "12:30:45", "2026-01-01", "~", "null", "", "012", "=", "<<", "+1"],
)
def test_words_that_look_like_something_else_survive(word):
    assert parse(emit({"k": word}), "x").values == {"k": word}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001),
        ("no", "no"),
        ("True", True),
        ("012", 12),
        ("2026-01-01", "2026-01-01"),
        ("~", None),
        ("'1'", "1"),
        ("1.", 1.0),
        (".inf", float("inf")),
        ("12:30", "12:30"),
    ],
)
def test_the_core_schema_of_yaml_1_2(written, meant):
    assert parse(f"k: {written}", "x").values == {"k": meant}


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:{}[]-,&*!#|>'\"%@`\n\t ?~0.\\<=\x00\ud800", max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_in_words(text):
    assert "\n" not in refusal(text)


def refusal(text):
    try:
        parse(text, "x")
    except RecipeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,", "r.yaml:1:7: broken YAML"),
        ("a: 1\n b: 2", "r.yaml:2:3: broken YAML: mapping values are not allowed here"),
        ("a:\n\tb: 1", "r.yaml:2:1: broken YAML"),
        ("a: 1\na: 2", "r.yaml:2:1: a is given twice"),
        ("a: !!python/object/apply:os.system [echo]", "r.yaml:1:4: the tag !!python/object/apply:os.system"),
        ("a: !!str 1", "r.yaml:1:4: the tag !!str"),
        ("!x {a: 1}", "r.yaml:1:1: the tag !x"),
        ("a: &x 1\nb: *x", "r.yaml:1:4: anchors and aliases"),
        ("1: 2", "r.yaml:1:1: key 1 is no text"),
        ("? [1, 2]\n: 3", "key [1, 2] is no text"),
        ("a: 1\n---\nb: 2", "r.yaml:2:1: a second document"),
        ("a: 1\x00", "r.yaml:1:5: character 0 is not allowed"),
        ("a: 1\nb: \x07", "r.yaml:2:4: character 7"),
        ('a: "\\U00110000"', "broken YAML"),
        ("a: " + "9" * 5000, "broken YAML"),
        ("[" * 5000, f"nested deeper than {MAX_DEPTH}"),
    ],
)
def test_what_is_refused(text, said):
    with pytest.raises(RecipeError) as caught:
        parse(text, "r.yaml")
    assert said in str(caught.value)


def test_a_bomb_of_aliases_does_not_expand():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    with pytest.raises(RecipeError, match="anchors and aliases"):
        parse("\n".join(lines), "x")


def test_places_are_those_of_keys_and_items():
    places = parse("a:\n  b: 1\nc:\n  - d: 2\n  - 3\n", "x").places
    assert places == {
        ("a",): (1, 1),
        ("a", "b"): (2, 3),
        ("c",): (3, 1),
        ("c", 0): (4, 5),
        ("c", 0, "d"): (4, 5),
        ("c", 1): (5, 5),
    }
