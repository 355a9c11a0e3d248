"""The page in a real browser: silent, offline, and the slider tells the truth."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from limbeck import record as records
from limbeck.reporting.render import write
from limbeck.reporting.verdict import TONES

from .chromium import Chromium
from .test_page import EVIL, evil  # noqa: F401 - a fixture

pytestmark = pytest.mark.chromium

DRAW_ALL = "(dispatchEvent(new Event('beforeprint')), new Promise(done => setTimeout(done, 400)))"
CHARTS = "[...document.querySelectorAll('.chart')].map(place => place.querySelectorAll('svg path').length)"
BARS = "[...document.querySelectorAll('.bar-line.{who} i')].map(bar => parseFloat(bar.style.width) / 100)"
OVERFLOW = "[document.documentElement.scrollWidth, innerWidth]"
RIGHT, HOME = ("ArrowRight", 39), ("Home", 36)


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    return write(run).replace(path)


@pytest.fixture
def desk(browser: Chromium, page: Path) -> Chromium:
    browser.view(width=1280, height=900)
    browser.open(page)
    return browser


def bars(browser: Chromium, who: str) -> Any:
    return np.array(browser.evaluate(BARS.replace("{who}", who)))


def entropy(p: np.ndarray) -> float:
    return float(-(p * np.log(p + 1e-12)).sum())


def assert_silent_and_offline(browser: Chromium, page: Path) -> None:
    assert not browser.complaints
    assert {address for address in browser.requests if not address.startswith("data:")} == {page.resolve().as_uri()}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_silent_offline_and_within_the_window(browser: Chromium, page: Path, width: int, dark: bool) -> None:
    browser.view(width=width, height=900, dark=dark)
    browser.open(page)
    browser.evaluate(DRAW_ALL)
    assert len(browser.evaluate(CHARTS)) == 6
    assert min(browser.evaluate(CHARTS)) > 3
    wide, window = browser.evaluate(OVERFLOW)
    assert wide <= window == width
    assert_silent_and_offline(browser, page)


def test_charts_come_by_themselves(desk: Chromium) -> None:
    desk.evaluate("new Promise(done => setTimeout(done, 1500))")
    assert min(desk.evaluate(CHARTS)) > 3


def test_the_slider_flattens_the_bars(desk: Chromium) -> None:
    desk.evaluate("document.getElementById('temperature').focus()")
    desk.press(*HOME)
    seen = []
    for _ in range(65):
        seen.append((entropy(bars(desk, "teacher")), entropy(bars(desk, "student"))))
        desk.press(*RIGHT)
    for who in zip(*seen, strict=True):
        assert all(after >= before - 1e-3 for before, after in pairwise(who))
        assert who[-1] > who[0] + 0.5
    assert desk.evaluate("document.getElementById('temperature-now').textContent") == "20"
    desk.press(*HOME)
    assert desk.evaluate("document.getElementById('temperature-now').textContent") == "0.5"
    assert desk.evaluate("document.getElementById('temperature').getAttribute('aria-valuetext')") == "0.5"


@pytest.mark.parametrize("example", [0, 5, 11])
def test_the_bars_are_the_softmax_of_the_models(desk: Chromium, run: Path, example: int) -> None:
    desk.evaluate(f"document.querySelectorAll('.thumbs input')[{example}].click()")
    row = int(desk.evaluate("document.getElementById('row').textContent.match(/\\d+/)[0]"))
    target = np.load(run / "test.npz")["target"][row]
    assert desk.evaluate("document.getElementById('truth').textContent") == str(target)
    for place, temperature in ((0, 1.0), (24, 4.0), (52, 20.0)):
        desk.evaluate(
            f"document.getElementById('temperature').value = {place};"
            "document.getElementById('temperature').dispatchEvent(new Event('input'))"
        )
        for who, name in (("teacher", "teacher"), ("student", "student-0")):
            logits = np.load(run / f"predictions/{name}.npz")["logits"][row].astype(float)
            assert bars(desk, who) == pytest.approx(softmax(logits / temperature), abs=2e-3)


def test_every_example_shows_its_own_picture(desk: Chromium) -> None:
    for number in (3, 7):
        desk.evaluate(f"document.querySelectorAll('.thumbs input')[{number}].click()")
        small = f"document.querySelectorAll('.thumbs use')[{number}].getAttribute('href')"
        assert desk.evaluate(f"document.querySelector('#example use').getAttribute('href') === {small}")


def test_the_taught_temperature_is_one_press_away(desk: Chromium) -> None:
    desk.evaluate("document.getElementById('taught').click()")
    assert desk.evaluate("document.getElementById('temperature-now').textContent") == "4.0"


def test_one_confusion_at_a_time(desk: Chromium) -> None:
    shown = "[...document.querySelectorAll('.panel')].filter(p => p.offsetParent).map(p => p.className)"
    assert desk.evaluate(shown) == ["panel student"]
    desk.evaluate("document.getElementById('confusion-teacher').click()")
    assert desk.evaluate(shown) == ["panel teacher"]


def test_a_word_is_explained_where_it_stands(desk: Chromium) -> None:
    desk.evaluate("document.querySelector('a.term[href=\"#word-ece\"]').click()")
    assert "15 bins" in desk.evaluate("document.getElementById('tip').textContent")
    desk.press("Escape", 27)
    assert desk.evaluate("document.getElementById('tip').hidden")


def test_reads_without_scripts(browser: Chromium, page: Path, run: Path) -> None:
    browser.view(width=390, height=900, script=False)
    browser.open(page)
    seen = browser.evaluate("document.body.innerText")
    browser.view(width=390, height=900)
    verdict = records.read(run).verdict
    assert verdict is not None
    assert verdict.sentence in seen
    assert "The slider needs JavaScript" in seen
    assert "Accuracy" in seen


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_the_paper(browser: Chromium, page: Path, dark: bool) -> None:
    browser.view(width=1280, height=900, dark=dark)
    browser.open(page)
    names = ["ink", "muted", "teacher", "student", "baseline", "teacher-labels", "paper", *set(TONES.values())]
    read = "getComputedStyle(document.documentElement).getPropertyValue('--{}').trim()"
    colours = {name: luminance(browser.evaluate(read.format(name))) for name in names}
    paper = colours.pop("paper")
    for name, value in colours.items():
        contrast = (max(value, paper) + 0.05) / (min(value, paper) + 0.05)
        assert contrast >= 4.5, f"{name}: {contrast:.1f} (WCAG AA asks for 4.5)"


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.usefixtures("evil")
def test_hostile_texts_do_nothing(browser: Chromium, evil: Path) -> None:  # noqa: F811
    path = write(evil)
    for width in (1280, 390):
        browser.view(width=width, height=900)
        browser.open(path)
        browser.evaluate(DRAW_ALL)
        assert browser.evaluate("typeof window.hit") == "undefined"
        assert browser.evaluate("document.querySelector('h1').textContent") == EVIL
        wide, window = browser.evaluate(OVERFLOW)
        assert wide <= window
        assert_silent_and_offline(browser, path)


def test_the_policy_holds_even_against_our_own_scripts(browser: Chromium, page: Path) -> None:
    browser.view(width=1280, height=900)
    browser.open(page)
    told = browser.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert told == "refused"
    browser.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.hit = 1'}))")
    assert browser.evaluate("typeof window.hit") == "undefined"
    assert any(
        "Content Security Policy" in json.loads(line).get("entry", {}).get("text", "") for line in browser.complaints
    )
