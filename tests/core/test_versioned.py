"""Records are read by the schema they name; another one is said before anything else."""

import json
from typing import Literal

import pytest
from pydantic import BaseModel

from limbeck import record
from limbeck.bundle.read import read as read_bundle
from limbeck.core.versioned import read_versioned
from limbeck.errors import BundleError
from limbeck.studies import record as studies
from limbeck.verbs.report import report


class Told(BaseModel):
    schema_version: Literal[3] = 3
    name: str
    many: list[int]


def read(path, broken=""):
    return read_versioned(path, Told, version=3, noun="a tale", older="tell it again", broken=broken)


def written(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_what_is_of_this_schema_is_read(tmp_path):
    told = Told(name="a", many=[1])
    assert read(written(tmp_path / "a.json", told.model_dump(mode="json"))) == told


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"schema_version": 2, "other": 1}, "is a tale of schema 2, expected 3: tell it again"),
        ({"schema_version": 4}, "is a tale of schema 4, expected 3: a newer Limbeck wrote it; update this one"),
        ({"name": 1, "many": ["x", 2]}, "as a tale of schema 3: name: .*valid string, and 1 more; mend it"),
        ({"name": "a", "many": [2, "x"]}, r"many\.1: [^\n]*integer[^\n]*; mend it"),
        ({"schema_version": "2", "name": "a", "many": []}, "schema_version: Input should be 3; mend it"),
        ([], "as a tale of schema 3: Input should be a valid dictionary.*; mend it"),
        ("{", "as a tale of schema 3: Expecting property name.*; mend it"),
    ],
)
def test_what_is_not_is_refused_in_one_line(value, words, tmp_path):
    with pytest.raises(BundleError, match=rf"^\S*a\.json .*{words}") as refused:
        read(written(tmp_path / "a.json", value), "mend it")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("module", "file"), [(record, "record.json"), (studies, studies.FILE_NAME)])
def test_records_of_runs_and_studies_are_read_so(module, file, tmp_path):
    written(tmp_path / file, {"schema_version": 0})
    with pytest.raises(BundleError, match="of schema 0, expected 1: read it with the Limbeck that wrote it"):
        module.read(tmp_path)


def test_a_folder_that_is_begun_and_not_done_is_told_from_a_wrong_one(tmp_path):
    def words(reads):
        with pytest.raises(BundleError) as refused:
            reads(tmp_path)
        return str(refused.value)

    for reads in (record.read, read_bundle, lambda folder: report(run=folder)):
        assert "is it the folder of a finished" in words(reads)
    (tmp_path / record.MARK).write_text("{}")
    for reads in (record.read, read_bundle, lambda folder: report(run=folder)):
        assert "it is unfinished; the command that began it goes on" in words(reads)
    (tmp_path / record.STUDY).write_text("{}")
    assert "unfinished" not in words(record.read)
