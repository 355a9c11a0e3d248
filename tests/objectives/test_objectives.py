"""Every objective keeps the laws it declares."""

import subprocess
import sys
from pathlib import Path

import pytest

from limbeck import task
from limbeck.core.dotted import load_object
from limbeck.objectives import METHODS, MethodCard
from limbeck.objectives.support import SIGNALS, SUPPORT

from .compiled import one_of_each
from .harness import CASES, LAWS

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


def test_every_method_is_for_some_task():
    assert set().union(*task.OBJECTIVES.values()) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_row_of_signals(method):
    assert set(SUPPORT[method]) == set(SIGNALS)
    reads_a_teacher = next(case for case in CASES if case.method == method).make().needs().teacher
    assert reads_a_teacher or all(cell.why == "no teacher is read" for cell in SUPPORT[method].values())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_card(method):
    made = {type(case.make()) for case in CASES if case.method == method}
    assert made == {load_object(METHODS[method], trust_code=True, what="the table")}
    card = load_object(METHODS[method].split(":")[0] + ":CARD", trust_code=True, what="the table")
    assert isinstance(card, MethodCard)
    assert card.name == method
    assert all(len(getattr(card, part)) > 5 for part in MethodCard.__slots__ if part != "name")


def test_compiled_is_the_same():
    """In one graph, without a warning."""
    command = [sys.executable, "-W", "error", "-m", "tests.objectives.compiled"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [case.name for case in one_of_each(CASES)]
