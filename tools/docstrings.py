"""pydoclint, with one opinion of ours: a docstring may be short, but what it says must be true and whole.

pydoclint lets a docstring of one paragraph be, but asks for every section as soon as there is one, so an example alone
would demand Args and Returns that only repeat the types. Left out here: missing sections (DOC201 and DOC402; DOC101 and
DOC103 where there is no Args section at all). A section that leaves an argument out, or invents one, fails.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

_FINDING = re.compile(r"\s+(?P<line>\d+): (?P<code>DOC\d+): (?P<text>.*)")
_RESULTS = {"DOC201", "DOC402"}
_ARGUMENTS = {"DOC101", "DOC103"}


def main() -> int:
    """Prints what is left of pydoclint's findings; 1 where there is any."""
    command = [sys.executable, "-m", "pydoclint.main", "-q", *sys.argv[1:]]
    output = subprocess.run(command, capture_output=True, text=True, check=False)
    path, kept = None, []
    for line in output.stderr.splitlines() + output.stdout.splitlines():
        found = _FINDING.match(line)
        if found is None:
            path = Path(line) if line.endswith(".py") else path
        elif path is not None and not _may_stay_unsaid(path, int(found["line"]), found["code"], found["text"]):
            kept.append(f"{path}:{line.strip()}")
    if output.returncode and not (kept or path):
        kept.append(output.stderr or output.stdout)
    print("\n".join(kept) or "docstrings: all true")
    return 1 if kept else 0


def _may_stay_unsaid(path: Path, line: int, code: str, text: str) -> bool:
    if code in _RESULTS:
        return True
    return code in _ARGUMENTS and "not in the function signature" not in text and not _has_args(path, line)


def _has_args(path: Path, line: int) -> bool:
    """Whether the docstring of what begins at this line has a section about arguments."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.lineno == line:
            return bool(re.search(r"^\s*Args:", ast.get_docstring(node) or "", re.MULTILINE))
    return True


if __name__ == "__main__":
    sys.exit(main())
