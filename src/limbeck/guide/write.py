"""Writing a guide: killed at any moment and started again, it ends byte for byte as if nothing had happened.

`plan.json` comes first, then shards, each complete or absent, then `manifest.json`; without it there is no guide.
Several processes share the work: rank `r` of `world` writes the shards `r`, `r + world`, ..., and whoever finds all of
them there writes the manifest.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from limbeck.core import processes
from limbeck.core.identity import file_fingerprint
from limbeck.core.interrupt import interruptible
from limbeck.core.progress import Reporter
from limbeck.core.protocols import SignalSource
from limbeck.core.storage import write_json
from limbeck.data.source import Source
from limbeck.data.views import Views
from limbeck.errors import InputError
from limbeck.guide.answers import Answers, LiveAnswers
from limbeck.guide.desk import at_desk, left_behind, sweep
from limbeck.guide.examples import sorted_rows
from limbeck.guide.lock import finishing
from limbeck.guide.manifest import (
    INDEX,
    MANIFEST,
    DataFacts,
    IndexFile,
    Manifest,
    Plan,
    Shard,
    TeacherFacts,
    ViewFacts,
    as_json,
    sealed,
)
from limbeck.guide.plan import data_facts, view_facts
from limbeck.guide.shard import finished_shard
from limbeck.guide.spec import SignalSpec
from limbeck.teachers.turns import TakingTurns

_BATCH_BYTES = 4 << 20
_CHUNKS_EACH, _MOST_BYTES = 4, 128 << 20


def write_guide(
    folder: Path,
    *,
    teacher: SignalSource,
    facts: TeacherFacts,
    source: Source,
    views: Views,
    count: int,
    spec: SignalSpec | None = None,
    batch_rows: int | None = None,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    reporter: Reporter | None = None,
) -> Manifest | None:
    """Writes what the teacher says about views 0 to `count - 1` of every example, or goes on with it.

    A finished guide is hashed once more, and what is damaged is written again.

    Args:
        folder: of the guide; empty, absent, or this guide's own.
        teacher: asked once a row.
        facts: about it (`plan.facts_of`).
        source: the examples.
        views: as students will see them; their own `count` is left aside.
        count: K views an example; 1 where there are no view ops.
        spec: what is kept; by default float32 logits.
        batch_rows: rows that are asked about at once; rounded up to the teacher's chunk.
        device: where the teacher is.
        rank: which of the processes this one is.
        world: how many write together.
        reporter: is told size and time before the first batch.

    Returns:
        The manifest; `None` while other ranks still write.

    Raises:
        GuideError: the folder holds another guide or other files, or somebody else writes there.
        StorageError: the disk cannot hold it, or the folder cannot be written; what is finished stays.
        Interrupted: SIGINT or SIGTERM; finished shards stay.
    """
    ids, order = sorted_rows(source)
    return write_answers(
        folder,
        answers=LiveAnswers(teacher, source, views, order=order, device=device),
        facts=facts,
        data=data_facts(source),
        views=view_facts(views, count),
        ids=ids,
        spec=spec or SignalSpec(),
        batch_rows=rows_at_once(batch_rows, teacher, facts.chunk, source),
        rank=rank,
        world=world,
        reporter=reporter,
    )


def write_answers(
    folder: Path,
    *,
    answers: Answers,
    facts: TeacherFacts,
    data: DataFacts,
    views: ViewFacts,
    ids: Int[np.ndarray, " n"],
    spec: SignalSpec,
    batch_rows: int,
    rank: int = 0,
    world: int = 1,
    reporter: Reporter | None = None,
) -> Manifest | None:
    """Writes the guide of whoever answers; `write_guide` with everything it derives.

    Args:
        folder: see `write_guide`.
        answers: who speaks.
        facts: who that is.
        data: what is spoken about.
        views: which views of it.
        ids: of the examples, sorted.
        spec: what is kept.
        batch_rows: a multiple of the teacher's chunk.
        rank: see `write_guide`.
        world: see `write_guide`.
        reporter: see `write_guide`.

    Returns:
        The manifest; `None` while other ranks still write.
    """
    with at_desk(
        folder, answers=answers, facts=facts, data=data, views=views, ids=ids, spec=spec, batch_rows=batch_rows,
        rank=rank, world=world, reporter=reporter,
    ) as desk, interruptible() as flag:  # fmt: skip
        desk.write(range(rank, desk.plan.shards, world), flag)
    manifest = finish(folder, desk.plan)
    if manifest is None and processes.world() == 1:  # processes that are joined wait for each other anyway
        desk.say_unfinished()
    return manifest


def finish(folder: Path, plan: Plan) -> Manifest | None:
    """Writes the manifest if every shard is there; any process may call it, any number of times.

    Args:
        folder: of the guide.
        plan: of it.

    Returns:
        The manifest, or `None` where shards are missing.
    """
    shards: list[Shard] = []
    for number in range(plan.shards):
        shard = finished_shard(folder, number, plan, rehash=False)
        if shard is None:
            return None
        shards.append(shard)
    index = folder / INDEX
    entry = IndexFile(bytes=index.stat().st_size, sha256=file_fingerprint(index))
    manifest = sealed(plan, entry, tuple(shards))
    with finishing(folder):
        sweep(left_behind(folder))
        write_json(folder / MANIFEST, as_json(manifest))
    return manifest


def rows_at_once(asked: int | None, teacher: SignalSource, chunk: int, source: Source) -> int:
    """A multiple of the chunk; by default inputs of about 4 MiB.

    Teachers that take turns fill up a chunk each, so they are asked about several chunks each, within 128 MiB.
    """
    if asked is not None and asked < 1:
        raise InputError(f"batch_rows: expected at least 1, got {asked}")
    row_bytes = max(1, int(np.prod(source.spec.shape)) * np.dtype(source.spec.dtype).itemsize)
    if asked is not None:
        return chunk * -(-asked // chunk)
    chunks = _BATCH_BYTES // (chunk * row_bytes)
    if isinstance(teacher, TakingTurns):
        chunks = max(chunks, min(_CHUNKS_EACH * len(teacher.parts), _MOST_BYTES // (chunk * row_bytes)))
    return chunk * max(1, chunks)
