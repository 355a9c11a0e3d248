"""`report`: the page that shows a finished run. Works without torch."""

import webbrowser
from pathlib import Path

from limbeck.reporting.render import write


def _write_study(folder: Path) -> Path:
    from limbeck.studies import page

    return page.write(folder)


def report(*, run: str | Path, open_browser: bool = False) -> Path:
    """Writes `report.html` into a run's folder, or `study.html` into a study's, from its record.

    Args:
        run: the folder of a finished run or study.
        open_browser: whether to open the page in the default browser.

    Returns:
        The page.

    Raises:
        BundleError: the folder holds no readable record.
        StorageError: the disk is full or the folder cannot be written.
    """
    folder = Path(run)
    path = _write_study(folder) if (folder / "study.json").is_file() else write(folder)
    if open_browser:
        webbrowser.open(path.resolve().as_uri())
    return path
