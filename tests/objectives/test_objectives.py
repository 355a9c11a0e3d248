"""Every objective keeps the laws it declares."""

import inspect
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from limbeck import task
from limbeck.core.dotted import load_object
from limbeck.errors import RecipeError
from limbeck.objectives import METHODS, MethodCard
from limbeck.objectives.measured import MEASURED
from limbeck.objectives.support import SIGNALS, SUPPORT, TAPS_INSTEAD, require
from limbeck.training.compiled import cannot_compile

from .forms import one_of_each
from .harness import CASES, LAWS, value

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("law", "case"),
    [pytest.param(law, case, id=f"{law.__name__}-{case.name}") for law in LAWS for case in CASES if LAWS[law](case)],
)
def test_law(law, case):
    law(case)


def test_every_method_is_walked():
    assert {case.method for case in CASES} == set(METHODS)
    assert len({case.name for case in CASES}) == len(CASES)


NO_SYMMETRY = {"regression-labels", "binary-labels", "bounded-regression", "mgd", "factor-transfer", "review"}
"""Labels have none apart from the student's own, and learned 3x3 convolutions break those of positions and channels."""


def test_every_method_declares_what_leaves_it_alone():
    assert {case.method for case in CASES if case.has_symmetries} == set(METHODS) - NO_SYMMETRY


def test_every_temperature_declares_both_its_limits():
    tempered = {case.method for case in CASES if "temperature" in inspect.signature(type(case.make())).parameters}
    assert tempered
    assert {case.method for case in CASES if case.limits is not None} == tempered


def test_every_method_is_for_some_task():
    assert set().union(*task.OBJECTIVES.values()) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_row_of_signals(method):
    assert set(SUPPORT[method]) == set(SIGNALS)
    reads_a_teacher = next(case for case in CASES if case.method == method).make().needs().teacher
    assert reads_a_teacher or all(cell.why == "no teacher is read" for cell in SUPPORT[method].values())


@pytest.mark.parametrize("case", [case for case in CASES if case.make().needs().teacher_taps], ids=lambda c: c.name)
def test_who_reads_a_tap_of_the_teacher_reads_no_logits(case):
    """So whatever a guide keeps of these, it may read its features."""
    assert all(require(case.method, signal, case.make().needs()).verdict == "exact" for signal in SIGNALS)
    world = case.fresh()
    blind = replace(world, teacher=replace(world.teacher, logits=None, input_gradient=None))
    assert value(case.ready(), blind).item() == value(case.ready(), world).item()


def test_without_its_taps_it_is_refused():
    for method in sorted(TAPS_INSTEAD):
        made = load_object(METHODS[method], trust_code=True, what="the table")
        assert made(student="layer2", teacher="blocks.3").needs().teacher_taps == ("blocks.3",)
        with pytest.raises(RecipeError, match=f"{method} cannot read the signal 'top-k'.*exact where it reads taps"):
            require(method, "top-k", made().needs())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_card(method):
    made = {type(case.make()) for case in CASES if case.method == method}
    assert made == {load_object(METHODS[method], trust_code=True, what="the table")}
    card = load_object(METHODS[method].split(":")[0] + ":CARD", trust_code=True, what="the table")
    assert isinstance(card, MethodCard)
    assert card.name == method
    assert all(len(getattr(card, part)) > 3 for part in MethodCard.__slots__ if part != "name")


@pytest.mark.parametrize("method", METHODS)
def test_a_card_names_every_choice_of_its_method(method):
    """Words and switches that its constructor takes; numbers have their own line in `settings`."""
    card = load_object(METHODS[method].split(":")[0] + ":CARD", trust_code=True, what="the table")
    made = load_object(METHODS[method], trust_code=True, what="the table")
    hints = get_type_hints(made.__init__)
    for name in inspect.signature(made).parameters:
        words = get_args(hints.get(name)) if get_origin(hints.get(name)) is Literal else ()
        if words or hints.get(name) is bool:
            assert name in card.variants, name
        assert all(word in card.variants for word in words), words


def test_what_was_measured_is_the_table_of_the_docs():
    """Of every method; who measures anew writes both anew."""
    section = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8").split("## Objectives")[1].split("\n### ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]
    table = {row[0]: (float(row[2]), float(row[6]), int(row[4].replace(",", ""))) for row in rows if row[0] in METHODS}
    assert {name: (each.alone, each.step, each.kept_kb) for name, each in MEASURED.items()} == table
    assert list(MEASURED) == list(METHODS)


TORCHS_OWN = "ignore:`torch._prims_common.check` is deprecated:FutureWarning"
"""What Inductor says of itself where it lowers a diagonal."""


def compiled(*arguments, **environment):
    """Names of the cases that are the same in one graph, without a warning."""
    command = [sys.executable, "-W", "error", "-W", TORCHS_OWN, "-m", "tests.objectives.compiled", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_compiled_is_the_same():
    assert compiled("aot_eager") == [case.name for case in one_of_each(CASES)]


@pytest.mark.slow
def test_by_inductor_too(tmp_path):
    """An output, a relation, and activations with something to learn."""
    if (why := cannot_compile(torch.device("cpu"))) is not None:
        pytest.skip(f"nothing can be compiled here: {why}")
    some = ["soft-targets at 2", "rkd-angle", "vid, grids"]
    assert compiled("inductor", *some, TORCHINDUCTOR_CACHE_DIR=str(tmp_path)) == some
