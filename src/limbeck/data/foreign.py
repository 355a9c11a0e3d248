"""`module:function` as data: code of the user's that returns examples, called only with `--trust-code`."""

import re
from pathlib import Path
from typing import Any

from limbeck.core.dotted import load_object
from limbeck.data.reading import Reading
from limbeck.errors import DataError, ModelError

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def names_code(where: Any, folder: Path | None = None) -> bool:  # noqa: ANN401
    """Whether it is of the form `module:function`, and no file or folder is called so.

    Args:
        where: what a user calls data.
        folder: where such a file would be; by default the working directory.

    Example:
        >>> names_code("my_data:make_train"), names_code("./my_data:make_train"), names_code("photos")
        (True, False, False)
    """
    return isinstance(where, str) and bool(_NAME.fullmatch(where)) and not (folder or Path()).joinpath(where).exists()


def from_code(where: str, split: str, reading: Reading) -> Any:  # noqa: ANN401
    """What the function returns.

    Args:
        where: `module:function`.
        split: which part of the data it is for, for messages.
        reading: whether the code is trusted, and where it is searched.

    Raises:
        TrustError: it is not trusted.
        DataError: it cannot be imported, is no function, fails, or returns nothing or the name of other code.
    """
    what = f"data.{split}"
    try:
        function = load_object(where, trust_code=reading.trust_code, what=what, folder=reading.folder)
    except ModelError as error:
        raise DataError(str(error)) from error
    if not callable(function):
        raise DataError(f"{what}: {where} is a {type(function).__name__}; name a function that returns the data")
    try:
        made = function()
    except Exception as error:  # foreign code may raise anything
        lines = str(error).strip().splitlines()
        said = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        raise DataError(f"{what}: {where} failed: {said}; it is called without arguments") from error
    if made is None or names_code(made):
        raise DataError(
            f"{what}: {where} returned {made!r}; return arrays (x, y), a data set, a path, or a source of limbeck's"
        )
    return made
