"""One finished run, built once; tests that spoil it spoil a copy."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from limbeck import record as records
from limbeck.record import Record

from . import chromium, run_folder


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run_folder.build(folder)
    return folder


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "copy")


@pytest.fixture
def change(copy: Path) -> Callable[..., Path]:
    """Writes the record anew with some fields replaced, and returns the folder."""

    def change(**fields: Any) -> Path:
        record = Record.model_validate(records.read(copy).model_copy(update=fields).model_dump())
        records.write(record, copy)
        return copy

    return change


@pytest.fixture(scope="session")
def browser() -> Iterator[chromium.Chromium]:
    if chromium.PATH is None:
        pytest.skip("chromium is not installed")
    with chromium.Chromium() as running:
        yield running
