"""A run's folder: one recipe, one process, and any moment may be the last."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import limbeck as lk
from limbeck.errors import DataError, RunFolderError
from limbeck.runs.folder import claimed, finished_trainings, refuse_early

MINE = {"recipe_text": "name: mine\n", "recipe_fingerprint": "f" * 64}


def test_it_is_made_and_taken_up_again(tmp_path):
    out = tmp_path / "runs" / "mine"
    for _ in range(2):
        with claimed(out, **MINE) as folder:
            assert folder == out
            assert (out / "recipe.yaml").read_text() == "name: mine\n"
            assert finished_trainings(out) == 0


def leave(folder, *names):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("x")


@pytest.mark.parametrize("names", [(), (".lock",), (".lock", ".run-ab12_x9z.tmp.json")])
def test_a_run_that_was_killed_while_it_claimed_the_folder(names, tmp_path):
    leave(tmp_path / "run", *names)
    with claimed(tmp_path / "run", **MINE) as folder:
        assert sorted(path.name for path in folder.iterdir()) == [".lock", "recipe.yaml", "run.json"]


@pytest.mark.parametrize("names", [("thesis.txt",), (".lock", "recipe.yaml"), (".git",), (".notes.tmp",)])
def test_the_folder_of_something_else_is_left_alone(names, tmp_path):
    leave(tmp_path / "run", *names)
    with (
        pytest.raises(RunFolderError, match="not empty and not the folder of a run"),
        claimed(tmp_path / "run", **MINE),
    ):
        pytest.fail("claimed")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(names)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunFolderError, match="is a file"), claimed(tmp_path / "run", **MINE):
        pytest.fail("claimed")


def test_another_recipe_is_refused_and_nothing_changed(tmp_path):
    with claimed(tmp_path, **MINE):
        pass
    other = {"recipe_text": "name: other\n", "recipe_fingerprint": "0" * 64}
    with pytest.raises(RunFolderError, match="of another recipe"), claimed(tmp_path, **other):
        pytest.fail("claimed")
    assert (tmp_path / "recipe.yaml").read_text() == "name: mine\n"


@pytest.mark.parametrize("mark", ["", "[]", "{}", "{"])
def test_a_mark_that_cannot_be_read(mark, tmp_path):
    (tmp_path / "run.json").write_text(mark)
    with (
        pytest.raises(RunFolderError, match=r"run\.json cannot be read as the mark of a run"),
        claimed(tmp_path, **MINE),
    ):
        pytest.fail("claimed")


def test_what_a_killed_process_was_writing_is_swept_away(tmp_path):
    with claimed(tmp_path, **MINE):
        pass
    kept = [tmp_path / "student" / "model.onnx", tmp_path / "checkpoints" / "a" / "done.json", tmp_path / ".mine"]
    swept = [
        tmp_path / "checkpoints" / "a" / ".weights-k3_9abcd.tmp.safetensors",
        tmp_path / "predictions" / ".test-00000000.tmp.npz",
        tmp_path / ".student-0123456789ab.tmp" / "model.onnx",
    ]
    for path in (*kept, *swept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    with claimed(tmp_path, **MINE):
        assert finished_trainings(tmp_path) == 1
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in swept)
    assert not (tmp_path / ".student-0123456789ab.tmp").exists()


HOLDER = """
import sys
from limbeck.runs.folder import claimed
with claimed(__import__("pathlib").Path(sys.argv[1]), recipe_text="name: mine\\n", recipe_fingerprint="f" * 64):
    print("claimed", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_a_second_process_is_refused_at_once_until_the_first_is_gone(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "claimed\n"
        with pytest.raises(RunFolderError, match="another process is at work"), claimed(Path(tmp_path), **MINE):
            pytest.fail("claimed")
    finally:
        holder.kill()
        holder.communicate()
    with claimed(tmp_path, **MINE):  # the lock went with the process
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_a_second_run_is_refused_before_any_data_are_read(tmp_path, tiny):
    recipe = tiny(data={"train": str(tmp_path / "nowhere.npz")})
    with claimed(tmp_path / "run", **MINE), pytest.raises(RunFolderError, match="another process is at work"):
        lk.distil(recipe=recipe, out=tmp_path / "run")
    with pytest.raises(DataError, match="nowhere"):  # nobody is there any more
        lk.distil(recipe=recipe, out=tmp_path / "run")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_looking_whether_a_folder_is_free_disturbs_nobody(tmp_path):
    refuse_early(tmp_path / "none")
    assert not list(tmp_path.iterdir())
    with claimed(tmp_path / "run", **MINE):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(RunFolderError, match="another process is at work"):
            refuse_early(tmp_path / "run")
        assert sorted(tmp_path.rglob("*")) == before
    refuse_early(tmp_path / "run")
    leave(tmp_path / "other", "thesis.txt")
    with pytest.raises(RunFolderError, match="not the folder of a run"):
        refuse_early(tmp_path / "other")
