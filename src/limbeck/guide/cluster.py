"""Labelling on a cluster: Ray Data actors write the missing shards into a folder that all machines share.

A shard's bytes follow from the plan and its number, and actors write it with the very `write_shard` of a single
process, so the guide is the same, byte for byte, on machines whose float32 sums are the same.

Teacher, data and views travel from the driver to the actors through Ray's object store. There Ray pickles them
(cloudpickle), between processes of the user's own cluster; nothing is ever unpickled from a file. Data that are read
from files must lie where every machine sees them.
"""

import logging
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import Any

import torch

from limbeck import errors
from limbeck.core.progress import Reporter
from limbeck.core.protocols import SignalSource
from limbeck.data.source import Source
from limbeck.data.views import Views
from limbeck.errors import GuideError, InputError, LimbeckError, RunError
from limbeck.guide.answers import LiveAnswers
from limbeck.guide.cluster_session import connected, imported
from limbeck.guide.cluster_writer import Kit, Tries, Writer, sample
from limbeck.guide.desk import Desk, at_desk
from limbeck.guide.examples import sorted_rows
from limbeck.guide.manifest import Manifest, TeacherFacts
from limbeck.guide.plan import data_facts, view_facts
from limbeck.guide.spec import SignalSpec
from limbeck.guide.write import finish, rows_at_once

_PATIENCE_SECONDS = 90.0
"""A network file system may show another machine's new files only after a minute."""


def write_on_ray(
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
    workers: int = 2,
    reporter: Reporter | None = None,
) -> Manifest:
    """Writes a guide, or goes on with it, with actors on a Ray cluster; see `connected` for which.

    Each actor takes as many CPUs as torch has threads here, or one GPU where `device` is CUDA. Before its first shard
    it must give the driver's answers about a sample of rows. A killed actor is started again by Ray.

    Args:
        folder: of the guide, on a file system that all machines share.
        teacher: asked once a row; pickled, so not a lambda's closure over an open file.
        facts: about it (`plan.facts_of`).
        source: the examples.
        views: as students will see them.
        count: K views an example.
        spec: what is kept; by default float32 logits.
        batch_rows: rows that are asked about at once.
        device: where the teacher is.
        workers: actors, at least 1; fewer start where the cluster has no room for more.
        reporter: is told size and time before the first batch.

    Returns:
        The manifest.

    Raises:
        MissingDependencyError: Ray is not installed.
        GuideError: the folder holds something else, is not shared, or a machine gives other answers.
        InputError: no machine of the cluster is large enough, or the teacher cannot be pickled.
        StorageError: a disk is full; what is finished stays.
        Interrupted: Ctrl-C; finished shards stay.
        RunError: an actor failed; finished shards stay, and the same call goes on.
    """
    if workers < 1:
        raise InputError(f"workers: expected at least 1 actor, got {workers}")
    imported()
    folder = folder.absolute()
    ids, order = sorted_rows(source)
    with at_desk(
        folder,
        answers=LiveAnswers(teacher, source, views, order=order, device=device),
        facts=facts,
        data=data_facts(source),
        views=view_facts(views, count),
        ids=ids,
        spec=spec or SignalSpec(),
        batch_rows=rows_at_once(batch_rows, teacher, facts.chunk, source),
        reporter=reporter,
    ) as desk:
        missing = desk.missing(range(desk.plan.shards), writers=workers)
        if missing:
            try:
                _write(desk, missing, workers, torch.device(device))
            except KeyboardInterrupt as error:
                raise desk.stopped() from error
            finally:
                desk.sweep(missing)
        return _finished(desk)


def _write(desk: Desk, missing: list[int], workers: int, device: torch.device) -> None:
    threads = torch.get_num_threads()
    kit = Kit(
        desk.folder, desk.plan, desk.ids, desk.answers, desk.batch_rows, threads,
        sample(desk.answers, desk.plan, desk.ids),
    )  # fmt: skip
    drift = 0.0
    with (
        connected(workers * threads) as ray,
        _plain_errors(ray, desk),
        closing(_told(ray, kit, missing, workers, device)) as told,
        desk.reporter.task("writing the guide", desk.rows(missing)) as task,
    ):
        for row in told:
            if row["error"]:
                raise _error(row, desk)
            drift = max(drift, row["drift"])
            task.advance(desk.rows([row["number"]]))
    if drift:
        desk.reporter.say(
            f"guide: the machines of this cluster do not give the same bits (they differ by up to {drift:.1g}), so a "
            "guide written by one of them would differ in the last digits"
        )


def _told(
    ray: ModuleType, kit: Kit, missing: list[int], workers: int, device: torch.device
) -> Generator[dict[str, Any]]:
    """A row a shard, as the actors finish them."""
    needs = {"num_gpus": 1} if device.type == "cuda" else {"num_cpus": kit.threads}
    size = min(workers, len(missing))
    fit = min(size, _room(ray, needs))
    try:
        reference = ray.put(kit)
    except (TypeError, AttributeError, NotImplementedError) as error:  # what pickle raises; PicklingError is none of
        raise InputError(f"teacher, data or views cannot be sent to Ray's actors: {error}") from error
    tries = ray.remote(num_cpus=0)(Tries).remote()
    pool = ray.data.ActorPoolStrategy(min_size=fit, max_size=size)
    with _quiet(ray):
        numbers = ray.data.from_items([{"number": number} for number in missing], override_num_blocks=len(missing))
        shards = numbers.map_batches(
            Writer, fn_constructor_args=(reference, tries), batch_size=1, compute=pool, **needs
        )  # fmt: skip
        yield from shards.iter_rows()


def _room(ray: ModuleType, needs: dict[str, int]) -> int:
    """How many actors the machines that are there can hold."""
    ((name, amount),) = needs.items()
    kind = {"num_cpus": "CPU", "num_gpus": "GPU"}[name]
    most = [node["Resources"].get(kind, 0) for node in ray.nodes() if node["Alive"]]
    room = sum(int(there // amount) for there in most)
    if room == 0:
        raise InputError(
            f"an actor takes {amount} {kind}s, but no machine of the Ray cluster has more than {max(most, default=0):g}"
        )
    return room


@contextmanager
def _quiet(ray: ModuleType) -> Iterator[None]:
    """Keeps Ray Data's own bars and its log of plans off the terminal."""
    context, logger = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    bars, level = context.enable_progress_bars, logger.level
    context.enable_progress_bars = False
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        context.enable_progress_bars = bars
        logger.setLevel(level)


@contextmanager
def _plain_errors(ray: ModuleType, desk: Desk) -> Iterator[None]:
    try:
        yield
    except ray.exceptions.RayError as error:
        raise RunError(
            f"guide: Ray failed with {desk.there()} in {desk.folder} ({str(error).strip().splitlines()[0]}); "
            "run the same command to go on"
        ) from error


def _error(row: dict[str, Any], desk: Desk) -> LimbeckError:
    """What an actor told, as it would have been raised here."""
    kind = getattr(errors, row["error"], None)
    if isinstance(kind, type) and issubclass(kind, LimbeckError) and kind is not RunError:
        return kind(row["text"])
    error = RunError(
        f"guide: shard {row['number']} failed ({row['error']}: {row['text']}) with {desk.there()} in {desk.folder}; "
        "when that is mended, run the same command to go on"
    )
    error.add_note(f"In the actor:\n{row['trace']}")
    return error


def _finished(desk: Desk) -> Manifest:
    patience = monotonic() + _PATIENCE_SECONDS
    while (manifest := finish(desk.folder, desk.plan)) is None:
        if monotonic() > patience:
            raise GuideError(
                f"only {desk.there()} are in {desk.folder}, though all were written; choose a folder that all machines "
                "of the cluster share"
            )
        sleep(1)
    return manifest
