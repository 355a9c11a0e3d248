"""`report`: the page that shows a finished run. Works without torch."""

import webbrowser
from pathlib import Path

from limbeck.reporting.render import write


def report(*, run: str | Path, open_browser: bool = False) -> Path:
    """Writes `report.html` into the run's folder, from `record.json` and the files it names.

    Args:
        run: the folder of a finished run.
        open_browser: whether to open the page in the default browser.

    Returns:
        The page.

    Raises:
        BundleError: the folder holds no readable record.
        StorageError: the disk is full or the folder cannot be written.
    """
    path = write(Path(run))
    if open_browser:
        webbrowser.open(path.resolve().as_uri())
    return path
