"""Small files, small functions, docstrings everywhere, and no pickles."""

import ast
import statistics
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "limbeck"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES_OF_A_FILE = 400
MEDIAN_LINES_OF_A_FILE = 120
MOST_LINES_OF_A_FUNCTION = 50

named = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function):
    """Lines of the body without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@named
def test_a_file_is_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_A_FILE


def test_files_are_small_on_the_whole():
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in FILES if path.name != "__init__.py"]
    assert statistics.median(lengths) <= MEDIAN_LINES_OF_A_FILE


@named
def test_a_function_fits_on_a_screen(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [f"{f.name}: {length(f)}" for f in functions(tree) if length(f) > MOST_LINES_OF_A_FUNCTION] == []


@named
def test_everything_public_has_a_docstring(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module"
    assert list(undocumented(tree)) == []


def undocumented(node, private=False):
    """Public functions and classes without a docstring, methods of public classes among them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            hidden = private or child.name.startswith("_")
            if not hidden and ast.get_docstring(child) is None and not overloads(child):
                yield child.name
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, hidden)


def overloads(node):
    return any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)


@named
def test_nothing_loads_a_pickle(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert list(pickles(tree)) == []


FALSE = ast.Constant(False)  # NumPy's own default
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def pickles(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in UNSAFE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE:
            yield node.module
        elif isinstance(node, ast.Call):
            called, keywords = ast.unparse(node.func), {word.arg: word.value for word in node.keywords}
            if called == "torch.load" and not is_constant(keywords.get("weights_only"), True):
                yield ast.unparse(node)
            if called in ("np.load", "numpy.load") and not is_constant(keywords.get("allow_pickle", FALSE), False):
                yield ast.unparse(node)
            if called in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system"):
                yield ast.unparse(node)


def is_constant(node, value):
    return isinstance(node, ast.Constant) and node.value is value
