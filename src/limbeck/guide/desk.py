"""A writer at its desk: the folder is its own, the plan is laid down, and it knows which of its shards are missing."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from limbeck.core.interrupt import Flag
from limbeck.core.progress import Reporter, Silent
from limbeck.core.storage import plain_storage_errors, write_atomically, write_json
from limbeck.errors import GuideError, InputError, Interrupted
from limbeck.guide.answers import Answers
from limbeck.guide.estimate import duration, probe, require_room, room_for, size
from limbeck.guide.expect import plan_differences
from limbeck.guide.lock import finishing, writing
from limbeck.guide.manifest import (
    INDEX,
    MANIFEST,
    PLAN,
    SHARDS,
    DataFacts,
    Plan,
    TeacherFacts,
    ViewFacts,
    as_json,
    read_plan,
)
from limbeck.guide.plan import make_plan
from limbeck.guide.shard import finished_shard, temporaries, write_shard
from limbeck.guide.spec import SignalSpec

_OURS = {PLAN, INDEX, MANIFEST, SHARDS}
_PROBE_ROWS = 128


@contextmanager
def at_desk(
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
) -> Iterator["Desk"]:
    """All that comes before the first shard: the plan is made and laid down, and the folder is this writer's.

    Args:
        folder: see `write_guide`.
        answers: who speaks; asked about a few rows first.
        facts: who that is.
        data: what is spoken about.
        views: which views of it.
        ids: of the examples, sorted.
        spec: what is kept.
        batch_rows: a multiple of the teacher's chunk.
        rank: see `write_guide`.
        world: see `write_guide`.
        reporter: see `write_guide`.

    Yields:
        A writer that holds the lock.

    Raises:
        GuideError: the folder holds another guide or other files, or somebody else writes there.
        StorageError: the disk cannot hold it, or the folder cannot be written.
    """
    if not 0 <= rank < world:
        raise InputError(f"rank: expected 0 to {world - 1}, got {rank}")
    told = probe(answers, ids, rows=min(batch_rows, max(facts.chunk, _PROBE_ROWS)), spec=spec)
    plan = make_plan(facts, data, views, told)
    _require_ours(folder, plan)
    require_room(folder, room_for(plan, _missing(folder, plan)))
    with plain_storage_errors(folder):
        (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    with writing(folder, rank, world):
        desk = Desk(folder, plan, ids, answers, batch_rows, told.seconds_per_row, reporter or Silent())
        desk.lay_out()
        yield desk


@dataclass(frozen=True, slots=True)
class Desk:
    """One writer at work.

    Attributes:
        folder: of the guide.
        plan: of it.
        ids: of the examples, sorted.
        answers: who speaks.
        batch_rows: rows asked about at once.
        seconds_per_row: as the first rows took.
        reporter: is told what happens.
    """

    folder: Path
    plan: Plan
    ids: Int[np.ndarray, " n"]
    answers: Answers
    batch_rows: int
    seconds_per_row: float
    reporter: Reporter

    def lay_out(self) -> None:
        """Plan and index; alike for every writer, so it does not matter which of them writes."""
        with finishing(self.folder):
            sweep(left_behind(self.folder))
            if read_plan(self.folder) is None:
                write_json(self.folder / PLAN, as_json(self.plan))
            index = self.folder / INDEX
            if not _is_index(index, self.ids):
                write_atomically(index, lambda temporary: np.save(temporary, np.asarray(self.ids)))

    def missing(self, numbers: Sequence[int], flag: Flag | None = None, *, writers: int = 1) -> list[int]:
        """Which of these shards do not lie there whole; says how much work that is for so many writers."""
        self.sweep(numbers)
        with self.reporter.task("checking what is there", len(numbers)) as task:
            missing = []
            for number in numbers:
                if finished_shard(self.folder, number, self.plan, rehash=True) is None:
                    missing.append(number)
                self._stop(flag)
                task.advance()
        self._announce(len(numbers) - len(missing), self.rows(missing) * self.seconds_per_row / writers)
        return missing

    def rows(self, numbers: Iterable[int]) -> int:
        """How many rows these shards hold."""
        return sum(len(self.plan.rows_of(number)) for number in numbers)

    def sweep(self, numbers: Iterable[int]) -> None:
        """Removes what killed writers of these shards left half done."""
        sweep(left for number in numbers for left in temporaries(self.folder, number))

    def write(self, numbers: Sequence[int], flag: Flag) -> None:
        """The shards of this writer, those that lie there whole excepted."""
        missing = self.missing(numbers, flag)
        with self.reporter.task("writing the guide", self.rows(missing)) as task:

            def after(done: int) -> None:
                task.advance(done)
                self._stop(flag)

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

    def _announce(self, there: int, seconds: float) -> None:
        plan = self.plan
        self.reporter.say(
            f"guide: {plan.data.examples:,} examples x {plan.views.count} "
            f"{'view' if plan.views.count == 1 else 'views'}, {plan.signals}: "
            f"{size(plan.rows * plan.row_bytes + 8 * plan.data.examples)} in {plan.shards} shards, "
            f"{f'{there} of them there, ' if there else ''}{duration(seconds)}, in {self.folder}"
        )

    def stopped(self) -> Interrupted:
        """What is raised when somebody asked to stop."""
        return Interrupted(f"guide: stopped with {self.there()} in {self.folder}; run the same command to go on")

    def there(self) -> str:
        """How many shards are there, in words."""
        return f"{self.plan.shards - len(_missing(self.folder, self.plan))} of {self.plan.shards} shards"

    def say_unfinished(self) -> None:
        """What the last one to leave would not have to say: others still write, or were lost."""
        self.reporter.say(
            f"guide: this process is done, but {self.folder} is not complete yet: {self.there()} are there. The other "
            "processes write the rest; if one of them was lost, run the same command again (any number of processes "
            "will do), and it goes on"
        )

    def _stop(self, flag: Flag | None) -> None:
        if flag is not None and flag.raised:
            raise self.stopped()


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


def _missing(folder: Path, plan: Plan) -> list[int]:
    return [n for n in range(plan.shards) if finished_shard(folder, n, plan, rehash=False) is None]


def _is_index(path: Path, ids: Int[np.ndarray, " n"]) -> bool:
    try:
        return path.is_file() and np.array_equal(np.load(path, mmap_mode="r"), ids)
    except (OSError, ValueError):
        return False


def sweep(left: Iterable[Path]) -> None:
    """Removes these files, if they are still there."""
    for path in left:
        with plain_storage_errors(path):
            path.unlink(missing_ok=True)


def left_behind(folder: Path) -> list[Path]:
    """What a killed writer left of plan, index and manifest."""
    return [path for name in (PLAN, INDEX, MANIFEST) for path in folder.glob(f".{Path(name).stem}-*.tmp*")]
