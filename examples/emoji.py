"""Makes a small colour image set, a class a folder, of the emoji that two npm packages ship.

    npm pack emoji-datasource-google emoji-datasource-twitter
    tar xzf emoji-datasource-google-*.tgz --one-top-level=emoji-google
    tar xzf emoji-datasource-twitter-*.tgz --one-top-level=emoji-twitter
    python examples/emoji.py emoji-google/package emoji-twitter/package --out emoji

Each emoji is drawn by two artists; an emoji is in `train` or in `test`, never in both, so that the test asks about
emoji that no model has seen in any style. Classes are Unicode's own groups ("Animals & Nature", ...). Skin tones are
left out: they are the same picture five times. Pictures: Noto (Apache-2.0) and Twemoji (CC-BY 4.0).
"""

import argparse
import hashlib
import json
from pathlib import Path

from PIL import Image

TEST_SHARE = 0.3
SIZE = 64


def in_test(codepoints: str) -> bool:
    """By a hash of the emoji itself: the same split on every machine."""
    return int(hashlib.sha256(codepoints.encode()).hexdigest()[:8], 16) < TEST_SHARE * 2**32


def on_white(path: Path) -> Image.Image:
    """The picture without transparency, `SIZE` pixels wide and high."""
    with Image.open(path) as picture:
        drawn = picture.convert("RGBA").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(white, drawn).convert("RGB")


def main() -> None:
    """Writes `out/train/<class>/*.png` and `out/test/<class>/*.png`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    written = {"train": 0, "test": 0}
    for package in asked.packages:
        pictures = next((package / "img").iterdir())
        for emoji in json.loads((package / "emoji.json").read_text()):
            path = pictures / "64" / emoji["image"]
            if emoji["category"] == "Component" or not path.is_file():
                continue
            split = "test" if in_test(emoji["unified"]) else "train"
            folder = asked.out / split / emoji["category"]
            folder.mkdir(parents=True, exist_ok=True)
            on_white(path).save(folder / f"{pictures.name}-{path.stem}.png")
            written[split] += 1
    print(f"{asked.out}: {written['train']:,} pictures to learn from, {written['test']:,} to test on")


if __name__ == "__main__":
    main()
