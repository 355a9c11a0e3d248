"""What the examples and the pages show works as it is shown."""

import doctest
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = re.compile(r"^```pycon\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty working directory, in which examples/own_modules.py was run, with the digits as arrays beside it."""
    here = tmp_path_factory.mktemp("examples")
    spec = importlib.util.spec_from_file_location("own_modules", ROOT / "examples" / "own_modules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        run = module.main()
        pixels, labels = load_digits(return_X_y=True)
        np.save("digits.npy", (pixels / 16).astype(np.float32))
        np.save("labels.npy", labels)
    return here, run


def test_own_modules_ends_in_a_student_and_a_verdict(folder):
    here, run = folder
    assert run.folder == Path("runs/own_modules")
    assert (here / run.report).is_file()
    assert (here / run.student / "model.onnx").is_file()
    assert run.verdict.outcome.startswith("beats")  # nine digits in ten have no label: the gain is far above the noise


@pytest.mark.parametrize("page", [page for page in PAGES if SHOWN.search(page.read_text(encoding="utf-8"))], ids=str)
def test_python_in_pages_gives_what_is_shown(page, folder, monkeypatch):
    monkeypatch.chdir(folder[0])
    shown = "\n".join(SHOWN.findall(page.read_text(encoding="utf-8")))
    test = doctest.DocTestParser().get_doctest(shown, {}, page.name, str(page), 0)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert runner.run(test, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "claims").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_of_the_claims_are_recipes(path):
    from limbeck.recipe import load

    assert load(path, {}).verdict.seeds == 5
