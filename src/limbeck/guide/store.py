"""Where a guide's files lie: a folder, or anything that fsspec can open, whose files are copied when first touched."""

import os
import shutil
from pathlib import Path
from typing import Any, Protocol

from limbeck.core.identity import file_fingerprint
from limbeck.core.optional import require
from limbeck.core.storage import write_atomically
from limbeck.errors import GuideError

_COPY_BYTES = 1 << 22


class Store(Protocol):
    """Files by their names in the manifest."""

    @property
    def where(self) -> str:
        """For messages."""
        ...

    def bytes_of(self, name: str) -> int | None:
        """Size of a file; `None`: it is absent."""
        ...

    def read(self, name: str) -> bytes:
        """The contents of a small file, as they are now."""
        ...

    def fetch(self, name: str, sha256: str, *, again: bool = False) -> Path:
        """A local file that should have these contents; `again` makes a new copy where there was one."""
        ...


class Folder:
    """A local folder.

    Args:
        folder: of the guide.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.where = folder, str(folder)

    def bytes_of(self, name: str) -> int | None:
        """Size of the file."""
        path = self.folder / name
        return path.stat().st_size if path.is_file() else None

    def read(self, name: str) -> bytes:
        """The file's bytes."""
        return (self.folder / name).read_bytes()

    def fetch(self, name: str, sha256: str, *, again: bool = False) -> Path:  # noqa: ARG002 - it is where it is
        """The file itself."""
        return self.folder / name


class Remote:
    """A URL of an object store or another file system; files are kept in a local folder once they were touched.

    Copies are named by their checksum, so guides that were replaced or moved are never mixed up.

    Args:
        url: "s3://bucket/guide", "memory://guide", "file:///guide".
        cache: where copies are kept; by default below the user's cache folder.
    """

    def __init__(self, url: str, cache: Path | None = None) -> None:
        fsspec = require("fsspec", extra=None, purpose="reading a guide from a URL")
        try:
            self.files, self.root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:  # fsspec's own line says what to install
            raise GuideError(f"{url} cannot be opened: {error}") from error
        self.where = url
        self.cache = cache or _cache_home() / "limbeck" / "guides"

    def bytes_of(self, name: str) -> int | None:
        """Size of the remote file."""
        try:
            found: dict[str, Any] = self.files.info(f"{self.root}/{name}")
        except FileNotFoundError:
            return None
        return int(found["size"])

    def read(self, name: str) -> bytes:
        """The remote file's bytes."""
        contents: bytes = self.files.cat_file(f"{self.root}/{name}")
        return contents

    def fetch(self, name: str, sha256: str, *, again: bool = False) -> Path:
        """The copy, made now if there is none.

        Raises:
            GuideError: the remote file cannot be read, or has other contents.
            StorageError: the cache is full or cannot be written.
        """
        path = self.cache / f"{sha256}{Path(name).suffix}"
        if again or not path.is_file():
            write_atomically(path, lambda temporary: self._copy(name, sha256, temporary))
        return path

    def _copy(self, name: str, sha256: str, target: Path) -> None:
        try:
            source = self.files.open(f"{self.root}/{name}", "rb")
        except OSError as error:
            raise GuideError(f"{self.where}: {name} cannot be read: {error}") from error
        with source, target.open("wb") as file:
            shutil.copyfileobj(source, file, _COPY_BYTES)
        if file_fingerprint(target) != sha256:
            raise GuideError(f"{self.where}: {name} was changed since it was written: copy the guide there again")


def open_store(where: str | Path, cache: Path | None = None) -> Store:
    """The store of a folder or URL.

    Example:
        >>> open_store("runs/a/guide").where
        'runs/a/guide'
    """
    return Remote(where.rstrip("/"), cache) if isinstance(where, str) and "://" in where else Folder(Path(where))


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
