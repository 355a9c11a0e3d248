"""Writing a guide: killed at any moment and started again, it ends byte for byte as if nothing had happened.

`plan.json` comes first, then shards, each complete or absent, then `manifest.json`; without it there is no guide.
Several processes share the work: rank `r` of `world` writes the shards `r`, `r + world`, ..., and whoever finds all of
them there writes the manifest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from limbeck.core.identity import file_fingerprint
from limbeck.core.interrupt import Flag, interruptible
from limbeck.core.progress import Reporter, Silent
from limbeck.core.protocols import SignalSource
from limbeck.core.storage import plain_storage_errors, write_atomically, write_json
from limbeck.data.source import Source
from limbeck.data.views import Views
from limbeck.errors import GuideError, InputError, Interrupted
from limbeck.guide.answers import Answers, LiveAnswers
from limbeck.guide.estimate import duration, probe, require_room, size
from limbeck.guide.examples import sorted_rows
from limbeck.guide.expect import plan_differences
from limbeck.guide.lock import finishing, writing
from limbeck.guide.manifest import (
    INDEX,
    MANIFEST,
    PLAN,
    SHARDS,
    DataFacts,
    IndexFile,
    Manifest,
    Plan,
    Shard,
    TeacherFacts,
    ViewFacts,
    as_json,
    read_plan,
    sealed,
)
from limbeck.guide.plan import data_facts, make_plan, view_facts
from limbeck.guide.shard import finished_shard, temporaries, write_shard
from limbeck.guide.spec import SignalSpec

_BATCH_BYTES = 4 << 20
_OURS = {PLAN, INDEX, MANIFEST, SHARDS}


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
        batch_rows=_batch_rows(batch_rows, facts.chunk, source),
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
    if not 0 <= rank < world:
        raise InputError(f"rank: expected 0 to {world - 1}, got {rank}")
    told = probe(answers, ids, rows=batch_rows, spec=spec)
    plan = make_plan(facts, data, views, told)
    _require_ours(folder, plan)
    require_room(folder, plan.row_bytes * _missing_rows(folder, plan) + 8 * len(ids))
    with plain_storage_errors(folder):
        (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    desk = _Desk(folder, plan, ids, answers, batch_rows, reporter or Silent())
    with writing(folder, rank, world):
        desk.lay_out()
        with interruptible() as flag:
            desk.write(range(rank, plan.shards, world), told.seconds_per_row, flag)
    return finish(folder, plan)


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
        _sweep(_left_behind(folder))
        write_json(folder / MANIFEST, as_json(manifest))
    return manifest


@dataclass(frozen=True, slots=True)
class _Desk:
    """One writer at work."""

    folder: Path
    plan: Plan
    ids: Int[np.ndarray, " n"]
    answers: Answers
    batch_rows: int
    reporter: Reporter

    def lay_out(self) -> None:
        """Plan and index; alike for every writer, so it does not matter which of them writes."""
        with finishing(self.folder):
            _sweep(_left_behind(self.folder))
            if read_plan(self.folder) is None:
                write_json(self.folder / PLAN, as_json(self.plan))
            index = self.folder / INDEX
            if not _is_index(index, self.ids):
                write_atomically(index, lambda temporary: np.save(temporary, np.asarray(self.ids)))

    def write(self, numbers: Sequence[int], seconds_per_row: float, flag: Flag) -> None:
        """The shards of this writer, those that lie there whole excepted."""
        _sweep(left for number in numbers for left in temporaries(self.folder, number))
        with self.reporter.task("checking what is there", len(numbers)) as task:
            missing = []
            for number in numbers:
                if finished_shard(self.folder, number, self.plan, rehash=True) is None:
                    missing.append(number)
                self._stop(flag, len(numbers) - len(missing))
                task.advance()
        rows = sum(len(self.plan.rows_of(number)) for number in missing)
        self._announce(len(numbers) - len(missing), rows * seconds_per_row)
        with self.reporter.task("writing the guide", rows) as task:

            def after(done: int) -> None:
                task.advance(done)
                self._stop(flag, written)

            written = len(numbers) - len(missing)
            for number in missing:
                write_shard(
                    self.folder,
                    number,
                    plan=self.plan,
                    ids=self.ids,
                    answers=self.answers,
                    batch_rows=self.batch_rows,
                    after=after,
                )
                written += 1

    def _announce(self, there: int, seconds: float) -> None:
        plan = self.plan
        self.reporter.say(
            f"guide: {plan.data.examples:,} examples x {plan.views.count} "
            f"{'view' if plan.views.count == 1 else 'views'}, {plan.signals}: "
            f"{size(plan.rows * plan.row_bytes + 8 * plan.data.examples)} in {plan.shards} shards, "
            f"{f'{there} of them there, ' if there else ''}{duration(seconds)}, in {self.folder}"
        )

    def _stop(self, flag: Flag, there: int) -> None:
        if flag.raised:
            raise Interrupted(
                f"guide: stopped with {there} of {self.plan.shards} shards in {self.folder}; run the same command "
                "to go on"
            )


def _batch_rows(asked: int | None, chunk: int, source: Source) -> int:
    """A multiple of the chunk; by default inputs of about 4 MiB."""
    if asked is not None and asked < 1:
        raise InputError(f"batch_rows: expected at least 1, got {asked}")
    row_bytes = max(1, int(np.prod(source.spec.shape)) * np.dtype(source.spec.dtype).itemsize)
    return chunk * max(1, -(-asked // chunk) if asked is not None else _BATCH_BYTES // (chunk * row_bytes))


def _require_ours(folder: Path, plan: Plan) -> None:
    """Nothing is written into a folder of other files, or over another guide."""
    if not folder.is_dir():
        return
    other = sorted(path.name for path in folder.iterdir() if path.name not in _OURS and not path.name.startswith("."))
    if other:
        raise GuideError(f"{folder} holds other files ({', '.join(other[:3])}); choose a folder of the guide's own")
    there = read_plan(folder)
    differences = [] if there is None else plan_differences(there, plan)
    if differences:
        raise GuideError(
            f"{folder} holds another guide: {'; '.join(differences)}. Choose another folder, or remove that one"
        )


def _missing_rows(folder: Path, plan: Plan) -> int:
    numbers = range(plan.shards)
    return sum(len(plan.rows_of(n)) for n in numbers if finished_shard(folder, n, plan, rehash=False) is None)


def _is_index(path: Path, ids: Int[np.ndarray, " n"]) -> bool:
    try:
        return path.is_file() and np.array_equal(np.load(path, mmap_mode="r"), ids)
    except (OSError, ValueError):
        return False


def _sweep(left: Iterable[Path]) -> None:
    for path in left:
        with plain_storage_errors(path):
            path.unlink(missing_ok=True)


def _left_behind(folder: Path) -> list[Path]:
    """What a killed writer left of plan, index and manifest."""
    return [path for name in (PLAN, INDEX, MANIFEST) for path in folder.glob(f".{Path(name).stem}-*.tmp*")]
