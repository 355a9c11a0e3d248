"""What an ONNX file says about itself, so that a lone file can be used without its folder."""

import json
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from limbeck.bundle.config import BundleConfig, InputConfig
from limbeck.errors import BundleError

KEY = "limbeck"
"""One entry of the file's metadata; JSON."""


class About(BaseModel):
    """The part of a configuration that travels within the file: no quality, no fingerprint, no path."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    name: str
    task: str
    classes: tuple[str, ...]
    input: InputConfig
    params: int


def about(config: BundleConfig) -> About:
    """What `config` says that a lone file needs."""
    return About(
        name=config.name, task=config.task, classes=config.classes, input=config.input, params=config.params
    )  # fmt: skip


def to_metadata(config: BundleConfig) -> dict[str, str]:
    """Metadata for an exported file."""
    return {KEY: json.dumps(about(config).model_dump(mode="json"), ensure_ascii=False)}


def from_metadata(metadata: Mapping[str, str], where: str) -> About | None:
    """The inverse of `to_metadata`.

    Args:
        metadata: all entries of the file.
        where: its path, for messages.

    Returns:
        `None` where the file was not written by Limbeck.

    Raises:
        BundleError: the entry is there and cannot be understood.
    """
    if KEY not in metadata:
        return None
    try:
        return About.model_validate_json(metadata[KEY])
    except ValidationError as error:
        raise BundleError(
            f"{where}: its metadata was changed, or written by another version of Limbeck: {error}"
        ) from error
