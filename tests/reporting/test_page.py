"""The page as text: it says what the record says, and nothing in it can act."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from limbeck import record as records
from limbeck.errors import BundleError, StorageError
from limbeck.record import FileRef, Record
from limbeck.reporting import render as rendering
from limbeck.reporting.page import json_in_script
from limbeck.reporting.render import render, write
from limbeck.verbs.report import report

from .html_page import Page

EVIL = "</script><script>window.hit=1</script><img src=http://evil.example/x onerror=window.hit=1>\"'&<!--\u2028"


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return render(run)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture
def evil(copy: Path) -> Path:
    """The same run, with markup in every text a user or a data set can choose."""
    told = records.read(copy).model_dump(mode="json")
    told |= {"name": EVIL, "objective": EVIL, "notes": [EVIL], "classes": [f"{EVIL}{i}" for i in range(10)]}
    told |= {"limbeck_version": EVIL, "created": EVIL, "timing_s": {EVIL: 1.0}}
    told["data"] |= {"name": EVIL, "input": EVIL}
    told["machine"] |= {"cpu": EVIL, "os": EVIL}
    told["fingerprints"] |= {"data": EVIL}
    told["metric"] |= {"name": EVIL}
    for verdict in (told["verdict"], *told["comparisons"]):
        verdict |= {"sentence": EVIL, "metric": EVIL}
    for tuning in told["tuning"]:
        tuning |= {"sentence": EVIL}
        tuning["trials"][0]["settings"] = {EVIL: EVIL}
    for export in told["exports"]:
        export |= {"format": EVIL, "path": EVIL}
    for model in told["models"]:
        model |= {"name": EVIL}
        model["quality"] = {"test": {EVIL: model["quality"]["test"]["accuracy"]}}
        model["latency_ms"][0]["runtime"] = EVIL
        path = copy / model["history"]["path"]
        path.write_text(path.read_text().replace("val/accuracy", json.dumps("val/" + EVIL)[1:-1]))
        model["history"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    records.write(Record.model_validate(told), copy)
    return copy


def test_says_what_the_record_says(run: Path, page: Page) -> None:
    record = records.read(run)
    assert record.verdict is not None
    for text in (record.verdict.sentence, record.objective, *record.notes, record.machine.cpu, record.data.name):
        assert " ".join(text.split()) in page.words
    for text in (
        "Teacher",
        "Student",
        "Baseline",
        "Teacher's labels",
        "695\N{NO-BREAK SPACE}K",
        "59\N{MULTIPLICATION SIGN} smaller",
    ):
        assert " ".join(text.split()) in page.words
    assert record.fingerprints.data in page.words
    assert all(ref.sha256 in page.words for ref in record.files.values())


def test_nothing_is_fetched(page: Page) -> None:
    for element in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            address = element.attributes.get(name)
            assert address is None or address.startswith(("#", "data:")), (element.tag, address)
        assert not [name for name in element.attributes if name.startswith("on")]
    style = page.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style
    assert any("default-src 'none'" in str(element.attributes.get("content")) for element in page.all("meta"))


def test_only_our_scripts_may_run(page: Page) -> None:
    policy = next(e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes)
    assert policy is not None
    scripts = [element for element in page.all("script") if "type" not in element.attributes]
    hashes = [base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode() for script in scripts]
    assert len(hashes) == 2
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert "unsafe-eval" not in policy


def test_markup_in_texts_stays_text(evil: Path, html: str) -> None:
    spoiled = render(evil)
    page = Page(spoiled)
    assert not page.unclosed
    assert {element.tag for element in page.elements} <= {element.tag for element in Page(html).elements}
    assert len(page.all("script")) == 3
    assert not page.all("img")
    assert spoiled.count("window.hit=1</script>") == 0
    data = json.loads(next(e.text for e in page.all("script") if e.attributes.get("type") == "application/json"))
    assert data["soft"]["classes"][3] == f"{EVIL}3"
    assert f"val/{EVIL}" in data["charts"]["tables"]
    assert next(e for e in page.all("h1")).text == EVIL


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "]]>", "&lt;", "\u2028", '"\\'])
def test_json_in_a_script_comes_back_as_it_was(text: str) -> None:
    written = json_in_script({text: [text]})
    assert json.loads(str(written)) == {text: [text]}
    assert not set("<>&\u2028") & set(written)


def test_data_are_modest(html: str, page: Page) -> None:
    assert len(html.encode()) < 1_200_000
    data = json.loads(next(e.text for e in page.all("script") if e.attributes.get("type") == "application/json"))
    assert len(json.dumps(data)) < 100_000
    assert len(page.all("image")) <= 60
    for name, table in data["charts"]["tables"].items():
        assert name in ("size", "reliability") or max(len(entry["step"]) for entry in table) <= 200


def test_each_picture_is_embedded_once(html: str) -> None:
    pictures = re.findall(r"data:image/png;base64,[A-Za-z0-9+/=]+", html)
    assert len(pictures) == len(set(pictures)) > 12


def test_well_formed_and_accessible(page: Page) -> None:
    assert not page.unclosed
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = [e.attributes["href"] for e in page.all("a", "use")]
    assert {str(link)[1:] for link in links} <= set(ids)
    labels = {element.attributes.get("for") for element in page.all("label")}
    for control in page.all("input"):
        assert control.attributes.get("id") in labels or "label" in control.inside
    assert len(page.all("caption")) == len(page.all("table"))
    for picture in page.all("svg", "div"):
        assert picture.attributes.get("role") != "img" or picture.attributes.get("aria-label")


ABSENT = {
    "no verdict": ({"verdict": None}, "there is no verdict"),
    "no tuning": ({"tuning": []}, "no setting was tuned"),
    "no exports": ({"exports": []}, "the run exported no file"),
    "no notes": ({"notes": []}, "The run left no notes"),
    "no files": ({"files": {}}, "the record names no test file"),
    "no timing": ({"timing_s": {}}, "none was written down"),
    "no models": ({"models": []}, "the record holds no models"),
}


@pytest.mark.parametrize("case", ABSENT)
def test_what_is_absent_is_said(change: Callable[..., Path], case: str) -> None:
    fields, reason = ABSENT[case]
    page = Page(render(change(**fields)))
    assert reason in page.words
    assert not page.unclosed


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("predictions", "no predictions of the"),
        ("history", "no training history of the"),
        ("calibration", "no model's calibration was measured"),
        ("fidelity", None),
        ("macs", None),
        ("peak_memory_bytes", None),
        ("train_s", None),
        ("steps", None),
        ("seed", None),
    ],
)
def test_models_may_lack_anything(change: Callable[..., Path], run: Path, field: str, reason: str | None) -> None:
    models = [model.model_copy(update={field: None}) for model in records.read(run).models]
    page = Page(render(change(models=models)))
    assert not page.unclosed
    assert reason is None or reason in page.words


def test_a_run_without_pictures_names_rows(change: Callable[..., Path], run: Path) -> None:
    page = Page(render(change(files={"test": records.read(run).files["test"]})))
    assert "Pictures left out: the record names no samples file" in page.words
    assert re.search(r"row \d+", page.words)
    assert not page.all("image")


def test_a_changed_file_is_refused(copy: Path) -> None:
    path = copy / "predictions/student-0.npz"
    path.write_bytes(path.read_bytes() + b"x")
    assert "student-0.npz was changed since the run" in Page(render(copy)).words


def test_a_lost_file_is_named(copy: Path) -> None:
    (copy / "predictions/teacher.npz").unlink()
    assert "predictions/teacher.npz is not in the run's folder" in Page(render(copy)).words


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x80\x04K\x01."])
def test_an_unreadable_file_is_named(change: Callable[..., Path], copy: Path, content: bytes) -> None:
    (copy / "test.npz").write_bytes(content)
    ref = FileRef(path="test.npz", sha256=hashlib.sha256(content).hexdigest())
    told = records.read(copy).files | {"test": ref}
    assert "the test labels: test.npz cannot be read" in Page(render(change(files=told))).words


def test_files_outside_the_folder_are_not_opened(change: Callable[..., Path], copy: Path) -> None:
    outside = copy.parent / "other.npz"
    outside.write_bytes((copy / "test.npz").read_bytes())
    ref = FileRef(path="../other.npz", sha256=hashlib.sha256(outside.read_bytes()).hexdigest())
    told = records.read(copy).files | {"test": ref}
    assert "../other.npz lies outside the run's folder" in Page(render(change(files=told))).words


def test_no_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"record\.json"):
        render(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_page(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(copy)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match="no space left"):
        write(copy)
    assert path.read_bytes() == before
    assert not list(copy.glob(".report*"))


def test_the_verb_writes_and_opens(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = report(run=copy)
    assert path == copy / rendering.FILE_NAME
    assert not opened
    assert report(run=str(copy), open_browser=True) == path
    assert opened == [path.as_uri()]


def test_the_same_run_gives_the_same_page(run: Path, html: str) -> None:
    assert render(run) == html


def test_needs_no_torch(copy: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from limbeck.verbs.report import report; report(run=sys.argv[1])"
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(copy)], check=True)
    assert (copy / "report.html").is_file()
