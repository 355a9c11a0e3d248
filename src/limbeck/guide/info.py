"""What is inside a guide, as JSON."""

from pathlib import Path
from typing import Any

from limbeck.guide.manifest import PLAN, Plan, read_plan
from limbeck.guide.read import read_manifest
from limbeck.guide.shard import finished_shard
from limbeck.guide.store import Folder, open_store


def info(where: str | Path, *, cache: Path | None = None) -> dict[str, Any]:
    """Facts about a guide; of one that is still being written, how far it is.

    Args:
        where: folder or URL.
        cache: for copies of remote files.

    Returns:
        A JSON value; sizes in bytes.

    Raises:
        GuideError: there is no guide, or it cannot be read.
    """
    store = open_store(where, cache)
    if isinstance(store, Folder) and store.bytes_of("manifest.json") is None and store.bytes_of(PLAN) is not None:
        return _unfinished(store.folder)
    manifest = read_manifest(store)
    return {"finished": True, **_facts(manifest.plan), "bytes": manifest.bytes, "fingerprint": manifest.sha256}


def _unfinished(folder: Path) -> dict[str, Any]:
    plan = read_plan(folder)
    assert plan is not None
    done = [finished_shard(folder, number, plan, rehash=False) for number in range(plan.shards)]
    there = [shard for shard in done if shard is not None]
    return {
        "finished": False,
        **_facts(plan),
        "bytes": sum(shard.bytes for shard in there),
        "shards_done": len(there),
        "rows_done": sum(shard.rows for shard in there),
    }


def _facts(plan: Plan) -> dict[str, Any]:
    classes = plan.teacher.classes
    return {
        "teacher": plan.teacher.model_dump(mode="json", exclude={"classes"}),
        "classes": None if classes is None else len(classes),
        "outputs": plan.outputs,
        "data": plan.data.model_dump(mode="json"),
        "views": plan.views.model_dump(mode="json"),
        "signals": plan.signals.as_dict(),
        "signals_in_words": str(plan.signals),
        "rows": plan.rows,
        "shards": plan.shards,
        "rows_per_shard": plan.rows_per_shard,
        "bytes_per_row": plan.row_bytes,
        "bytes_per_example": plan.row_bytes * plan.views.count,
    }
