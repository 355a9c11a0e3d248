"""Whether a guide is what it says: every file hashed, and the teacher asked once more about a sample of rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from limbeck.core.progress import Reporter, Silent
from limbeck.core.protocols import SignalSource
from limbeck.data.draws import shuffled
from limbeck.data.source import Source
from limbeck.data.views import Views
from limbeck.errors import GuideError, InputError, LimbeckError
from limbeck.guide.answers import Answers, LiveAnswers, place_of
from limbeck.guide.codec import encode
from limbeck.guide.compare import compare
from limbeck.guide.examples import sorted_rows
from limbeck.guide.expect import Expectation, differences
from limbeck.guide.manifest import IndexFile, Manifest, Shard
from limbeck.guide.plan import data_facts, view_facts
from limbeck.guide.read import Guide, fetch_checked, read_manifest, require_size
from limbeck.guide.shard import open_shard
from limbeck.guide.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        where: the file, or "rows", "teacher", "data", "views".
        what: in words.
    """

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found.

    Attributes:
        findings: none where the guide is sound.
        files: how many were hashed.
        rows: how many the teacher was asked about again.
        exact: how many of them came back bit for bit.
        max_error: largest difference of a stored number among them; `None` where no teacher was asked.
    """

    findings: tuple[Finding, ...]
    files: int
    rows: int = 0
    exact: int = 0
    max_error: float | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(
    where: str | Path,
    *,
    teacher: SignalSource | None = None,
    source: Source | None = None,
    views: Views | None = None,
    sample: int = 1024,
    seed: int = 0,
    device: torch.device | str = "cpu",
    cache: Path | None = None,
    reporter: Reporter | None = None,
) -> Verification:
    """Hashes every file again; with a teacher, asks it again about some rows and compares.

    Args:
        where: folder or URL of a finished guide.
        teacher: the one that wrote it; needs `source` and `views`.
        source: the examples; also compared with the manifest.
        views: of them; also compared with the manifest.
        sample: rows, drawn by `seed`.
        seed: of the sample.
        device: where the teacher is.
        cache: for copies of remote files.
        reporter: shows progress.

    Returns:
        What is wrong, if anything.

    Raises:
        GuideError: there is no finished guide.
        InputError: a teacher without source and views.
    """
    if teacher is not None and (source is None or views is None):
        raise InputError("verify: asking the teacher again needs the data and the views too (source, views)")
    store = open_store(where, cache)
    manifest = read_manifest(store)
    findings = [*_files(store, manifest, reporter or Silent())]
    findings += _facts(manifest, teacher, source, views)
    entries = (manifest.index, *manifest.shards)
    if teacher is None or source is None or views is None or findings:
        return Verification(tuple(findings), len(entries))
    guide = Guide(manifest, store, check=False)
    _, order = sorted_rows(source)
    answers = LiveAnswers(teacher, source, views, order=order, device=device)
    rows = np.sort(shuffled(manifest.plan.rows, "verify", seed)[: max(1, sample)]).astype(np.int64)
    return _asked_again(guide, rows, answers, len(entries))


def _files(store: Store, manifest: Manifest, reporter: Reporter) -> Iterator[Finding]:
    entries: tuple[IndexFile | Shard, ...] = (manifest.index, *manifest.shards)
    with reporter.task("checking files", len(entries)) as task:
        for entry in entries:
            try:
                require_size(store, entry.file, entry.bytes)
                path = fetch_checked(store, entry.file, entry.sha256)
                if isinstance(entry, Shard):
                    open_shard(path, manifest.plan.columns, entry.rows)
                elif (np.diff(np.load(path, mmap_mode="r")) <= 0).any():
                    yield Finding(entry.file, "the ids are not sorted")
            except GuideError as error:
                yield Finding(entry.file, str(error))
            task.advance()


def _facts(
    manifest: Manifest, teacher: SignalSource | None, source: Source | None, views: Views | None
) -> Iterator[Finding]:
    own = getattr(teacher, "fingerprint", None)
    if own is not None and own() != manifest.plan.teacher.fingerprint:
        yield Finding("teacher", f"{own()[:12]} did not write this guide: {manifest.plan.teacher.fingerprint[:12]} did")
    if source is not None:
        yield from (Finding("data", what) for what in differences(manifest, Expectation(data=data_facts(source))))
    if views is not None:
        wanted = view_facts(views, manifest.plan.views.count if views.ops else 1)
        yield from (Finding("views", what) for what in differences(manifest, Expectation(views=wanted)))


def _asked_again(guide: Guide, rows: Int[np.ndarray, " n"], answers: Answers, files: int) -> Verification:
    plan = guide.manifest.plan
    chunk = plan.teacher.chunk
    places = [place_of(part, guide.ids) for part in np.split(rows, range(chunk, len(rows), chunk))]
    findings: list[Finding] = []
    exact, worst = 0, 0.0
    try:
        for place, signals in zip(places, answers(iter(places)), strict=True):
            fresh = encode(signals, place.ids, place.views, plan.signals)
            stored = guide.read(guide.rows(place.ids, place.views))
            told = compare(stored, fresh)
            exact, worst = exact + told.exact, max(worst, told.max_error)
            findings += [
                Finding("rows", f"example {place.ids[row]}, view {place.views[row]}: {what}")
                for row, what in told.wrong
            ]
    except LimbeckError as error:
        findings.append(Finding("teacher", str(error)))
    return Verification(tuple(findings), files, len(rows), exact, worst)
