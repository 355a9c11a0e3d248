"""`report`: the page that shows a finished run. Works without torch."""

import webbrowser
from pathlib import Path

from limbeck.record import LINEAGE, STUDY
from limbeck.reporting.render import write


def _write_study(folder: Path) -> Path:
    from limbeck.studies import page

    return page.write(folder)


def _write_lineage(folder: Path) -> Path:
    from limbeck.lineage import page

    return page.write(folder)


def report(*, run: str | Path, open_browser: bool = False) -> Path:
    """Writes `report.html` into a run's folder, `study.html` into a study's, or `lineage.html` into a lineage's.

    Each is drawn from the folder's record; of a lineage, each link has a report of its own.

    Args:
        run: the folder of a finished run, study or lineage.
        open_browser: whether to open the page in the default browser.

    Returns:
        The page.

    Raises:
        BundleError: the folder holds no readable record.
        StorageError: the disk is full or the folder cannot be written.
    """
    folder = Path(run)
    if (folder / STUDY).is_file():
        path = _write_study(folder)
    else:
        path = _write_lineage(folder) if (folder / LINEAGE).is_file() else write(folder)
    if open_browser:
        webbrowser.open(path.resolve().as_uri())
    return path
