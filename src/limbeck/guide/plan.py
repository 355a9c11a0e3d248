"""The plan of a guide: facts of what goes in, and how its rows are cut into shards."""

from dataclasses import replace

from limbeck.data.source import Source
from limbeck.data.views import Views
from limbeck.errors import InputError, ModelError
from limbeck.guide.estimate import Probe
from limbeck.guide.examples import examples_fingerprint
from limbeck.guide.manifest import DataFacts, Plan, TeacherFacts, ViewFacts
from limbeck.guide.spec import columns
from limbeck.teachers.crossfit import CrossFitted
from limbeck.teachers.live import LiveTeacher
from limbeck.teachers.turns import TakingTurns

SHARD_BYTES = 64 << 20
"""At most; a shard is made in memory, and is what a kill costs."""
SHARDS_AT_LEAST = 32
"""Where the guide is large enough for it, so that a kill costs a small part of a small guide too."""
ROWS_AT_LEAST = 1024


def facts_of(
    teacher: LiveTeacher | CrossFitted | TakingTurns, *, licence: str | None = None, origin: str | None = None
) -> TeacherFacts:
    """What the manifest says about a live teacher, or several of which one answers each row.

    Args:
        teacher: its weights are hashed.
        licence: of the teacher.
        origin: where it came from.
    """
    return TeacherFacts(
        fingerprint=teacher.fingerprint(),
        preprocess=_plain(teacher.preprocess.spec.as_dict()),
        chunk=teacher.chunk,
        classes=tuple(teacher.classes),
        licence=licence,
        origin=origin,
    )


def data_facts(source: Source) -> DataFacts:
    """What the manifest says about the examples."""
    return DataFacts(fingerprint=examples_fingerprint(source), examples=len(source))


def view_facts(views: Views, count: int) -> ViewFacts:
    """What the manifest says about views 0 to `count - 1`.

    Raises:
        InputError: `count` is below 1, or above 1 where all views are the same.
    """
    if count < 1:
        raise InputError(f"views: count: a guide holds at least 1 view of each example, got {count}")
    if count > 1 and not views.ops:
        raise InputError(f"views: count: {count} views, but without view ops all are the raw example; give ops, or 1")
    if not views.ops:
        return ViewFacts(fingerprint=Views().fingerprint(), seed=0, count=1, path="raw")
    own = replace(views, count=None).fingerprint()
    slow = views.path == "per-example"
    return ViewFacts(fingerprint=own, seed=views.seed, count=count, path="per-example" if slow else "batched")


def views_asked(views: Views, passes: float) -> int:
    """How many different views of each example so many passes over the data will ask for.

    Args:
        views: a new one each pass, or `views.count` of them in turn.
        passes: over the data, above 0; the last one counts in full.

    Example:
        >>> views_asked(Views(), 30), views_asked(Views((lambda x: x,), count=4), 30), views_asked(Views((abs,)), 2.5)
        (1, 4, 3)
    """
    whole = max(1, -int(-passes // 1))
    if not views.ops:
        return 1
    return whole if views.count is None else min(whole, views.count)


def make_plan(teacher: TeacherFacts, data: DataFacts, views: ViewFacts, probe: Probe) -> Plan:
    """Everything that the guide's bytes depend on.

    Raises:
        ModelError: the teacher's output is not as wide as it has classes.
        InputError: the signals do not fit that output.
    """
    if teacher.classes is not None and probe.outputs is not None and len(teacher.classes) != probe.outputs:
        raise ModelError(f"the teacher gives {probe.outputs} outputs for {len(teacher.classes)} classes")
    row_bytes = sum(column.row_bytes for column in columns(probe.spec, probe.outputs))
    rows = rows_per_shard(data.examples * views.count, row_bytes, teacher.chunk)
    return Plan(teacher=teacher, data=data, views=views, signals=probe.spec, outputs=probe.outputs, rows_per_shard=rows)


def rows_per_shard(rows: int, row_bytes: int, chunk: int) -> int:
    """A multiple of the teacher's chunk: about 64 MiB, less where a small guide would have few shards.

    Example:
        >>> rows_per_shard(240_000, 40, 128), rows_per_shard(10**9, 4000, 128), rows_per_shard(100, 40, 128)
        (7552, 16768, 1024)
    """
    wanted = min(SHARD_BYTES // row_bytes, max(ROWS_AT_LEAST, -(-rows // SHARDS_AT_LEAST)))
    chunks = wanted // chunk if wanted == SHARD_BYTES // row_bytes else -(-wanted // chunk)
    return chunk * max(1, chunks)


def _plain(value: object) -> dict[str, object]:
    """The value as it comes back from JSON: lists for tuples."""
    import json

    plain: dict[str, object] = json.loads(json.dumps(value))
    return plain
