"""Writes docs/report.png: the top of a finished run's report, as a browser shows it, small enough for a README.

Run: python tools/report_picture.py runs/demo        (needs Debian's chromium)
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, COLOURS, MOST_BYTES = 1280, 1300, 192, 250_000


def picture(report: Path, out: Path) -> None:
    """The first `HEIGHT` pixels of the page, with a palette of its own."""
    spec = importlib.util.spec_from_file_location("chromium", ROOT / "tests" / "reporting" / "chromium.py")
    assert spec is not None, "the tests lie in the repository"
    assert spec.loader is not None, "it is a plain file"
    browsers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(browsers)
    with tempfile.TemporaryDirectory() as folder, browsers.Chromium(timeout_s=120) as browser:
        browser.view(width=WIDTH, height=HEIGHT)
        browser.open(report)
        browser.evaluate("new Promise(done => setTimeout(done, 1000))")
        shot = Path(folder) / "shot.png"
        browser.screenshot(shot, whole=False)
        image = Image.open(shot).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(out, optimize=True)
    size = out.stat().st_size
    assert size <= MOST_BYTES, f"{size} bytes are too many for a README; use fewer colours"
    print(f"{out}: {image.width} x {image.height}, {size:,} bytes")


if __name__ == "__main__":
    picture(Path(sys.argv[1]) / "report.html", ROOT / "docs" / "report.png")
