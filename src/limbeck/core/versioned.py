"""Reading a record that names its schema: what is of another one is said first, then what is wrong, in one line."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from limbeck.core.storage import read_json
from limbeck.errors import BundleError

Kind = TypeVar("Kind", bound=BaseModel)


def read_versioned(path: Path, kind: type[Kind], *, version: int, noun: str, older: str, broken: str = "") -> Kind:
    """The record in a file of JSON whose `schema_version` says how it is to be read.

    Args:
        path: a file that exists.
        kind: the record's class.
        version: of the schema that `kind` is.
        noun: what the record is called, such as "a study".
        older: what to do where the file is of an older schema.
        broken: what to do where it is of no schema at all; empty: nothing is to be done.

    Raises:
        BundleError: it is of another schema, or damaged.
    """
    try:
        found = read_json(path)
    except ValueError as error:
        raise BundleError(_damaged(path, noun, version, str(error), broken)) from error
    said = found.get("schema_version") if isinstance(found, dict) else None
    if isinstance(said, int) and said != version:
        mend = older if said < version else "a newer Limbeck wrote it; update this one"
        raise BundleError(f"{path} is {noun} of schema {said}, expected {version}: {mend}")
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise BundleError(_damaged(path, noun, version, _first(error), broken)) from error


def _damaged(path: Path, noun: str, version: int, why: str, broken: str) -> str:
    mend = f"; {broken}" if broken else ""
    return f"{path} cannot be read as {noun} of schema {version}: {why}{mend}"


def _first(error: ValidationError) -> str:
    """The first problem, and how many others there are."""
    first, *others = error.errors()
    where = ".".join(map(str, first["loc"]))
    more = f", and {len(others)} more" if others else ""
    return f"{where}: {first['msg']}{more}" if where else f"{first['msg']}{more}"
