"""`limbeck methods NAME`: every objective is described in full, from its code."""

import inspect
import json
from dataclasses import asdict

import pytest

from limbeck import task
from limbeck.cli.shown import sheet_lines
from limbeck.core.dotted import load_object
from limbeck.errors import InputError
from limbeck.objectives import METHODS
from limbeck.objectives.aliases import ALIASES
from limbeck.objectives.support import SIGNALS
from limbeck.recipe import load
from limbeck.recipe.settings import settings_model
from limbeck.verbs.method_sheet import sheet
from limbeck.verbs.methods import methods


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_of_a_recipe_is_there_with_its_default_and_meaning(name):
    found = sheet(name)
    fields = settings_model(METHODS[name]).model_fields
    assert [setting.name for setting in found.settings] == list(fields)
    for setting in found.settings:
        assert len(setting.meaning) > 5, setting
        field = fields[setting.name]
        assert setting.default == (None if field.is_required() else repr(field.default))


@pytest.mark.parametrize("name", METHODS)
def test_its_line_stands_in_a_recipe_as_it_is(name, tmp_path):
    found = sheet(name)
    path = tmp_path / "r.yaml"
    path.write_text(f"data: {{train: digits}}\nteacher: given\n{found.recipe}\n", encoding="utf-8")
    if "multiclass" in found.tasks:
        assert load(path).objective[0].method == name
    else:
        with pytest.raises(InputError, match="not defined for task multiclass") as caught:
            load(path)
        assert str(caught.value).count("objective") == 1, "nothing else is wrong with it"


@pytest.mark.parametrize("name", METHODS)
def test_lines_fit_a_terminal_and_say_all_that_json_says(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = sheet(name)
    lines = sheet_lines(found)
    assert all(len(line) <= 80 or " " not in line.strip() for line in lines if not line.startswith(("  objective:",)))
    said = "".join(lines).replace(" ", "")
    texts = [getattr(found.card, key) for key in found.card.__dataclass_fields__]
    texts += [text for setting in found.settings for text in (setting.name, setting.meaning)]
    texts += [f"{signal}{cell.verdict}:{cell.why}" for signal, cell in found.signals.items()]
    for text in (*texts, *found.tasks, found.python, found.recipe):
        assert text.replace(" ", "") in said
    assert json.loads(json.dumps(asdict(found)))["card"] == asdict(found.card)
    assert set(found.signals) == set(SIGNALS)


def test_cards_and_classes_are_those_of_the_list():
    for card in methods():
        found = sheet(card.name)
        assert found.card == card
        assert inspect.isclass(
            load_object(found.python.replace("objectives.", "objectives:"), trust_code=True, what="it")
        )
        assert set(found.tasks) == {kind for kind, names in task.OBJECTIVES.items() if card.name in names}


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_a_name_from_elsewhere_is_answered(name):
    if len(ALIASES[name]) > 1:
        with pytest.raises(InputError, match=f"it is called {' and '.join(ALIASES[name])} here"):
            sheet(name)
        return
    found = sheet(name.upper().replace("-", "_"))
    assert (found.card.name,) == ALIASES[name]
    assert name in found.also_called
    assert name in " ".join(sheet_lines(found))


def test_names_from_elsewhere_are_no_names_here():
    assert not set(ALIASES) & set(METHODS)
    assert {method for methods in ALIASES.values() for method in methods} <= set(METHODS)
    assert all(alias == alias.casefold() and "_" not in alias for alias in ALIASES)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="there is no 'soft_target'; did you mean soft-targets"):
        sheet("soft_target")
    with pytest.raises(InputError, match="it is called rkd-distance and rkd-angle here"):
        sheet("rkd")
    with pytest.raises(InputError, match="there is no 'xyzzy'; `limbeck methods` lists them"):
        sheet("xyzzy")
