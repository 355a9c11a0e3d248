"""What the parts of data are called, by us and by others."""

from collections.abc import Mapping

SPLITS = ("train", "test", "validation", "unlabelled")

WORDS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "valid", "val"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
"""Names of folders and files that hold a split."""
