"""A finished student as a module again: built by its family's code, never by a user's."""

from typing import TYPE_CHECKING

from limbeck.bundle.config import BundleConfig
from limbeck.bundle.read import Bundle, load_state
from limbeck.errors import BundleError

if TYPE_CHECKING:
    from torch import nn


def core_of(student: Bundle) -> "nn.Module":
    """The trained core of a student whose family is known.

    Args:
        student: its configuration has a `family`.

    Returns:
        A module that takes preprocessed input, with the bundle's weights.

    Raises:
        BundleError: the weights do not fit the family of this version.
        ModelError: the family does not exist here.
    """
    from limbeck.students import build

    config = student.config
    core = build(config.student, inputs=core_shape(config), outputs=len(config.classes))
    try:
        core.load_state_dict(load_state(student.folder))
    except RuntimeError as error:
        raise BundleError(
            f"the weights in {student.folder} do not fit the family {config.student['family']!r} of this version of "
            f"Limbeck; export it with limbeck {config.limbeck_version}: {error}"
        ) from error
    return core


def core_shape(config: BundleConfig) -> tuple[int, ...]:
    """Shape of one example behind the preprocessing, as the core eats it."""
    from limbeck.data.preprocess import PreprocessSpec

    spec = PreprocessSpec.from_dict(dict(config.preprocess))
    shape = config.input.shape
    if spec.channels is not None:
        shape = (spec.channels, *shape[1:])
    if spec.size is not None:
        shape = (*shape[:-2], *spec.size)
    return shape
