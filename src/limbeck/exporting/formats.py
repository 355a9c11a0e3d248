"""Which formats there are. Asked by recipes and the command line; imports nothing heavy."""

from collections.abc import Mapping, Sequence

from limbeck.errors import InputError

EXPORTERS: Mapping[str, str] = {"onnx": "limbeck.exporting.export:export_onnx"}
"""Format -> dotted name of its exporter."""

PLANNED = ("onnx-int8", "executorch", "c", "web")


def check_formats(formats: Sequence[str]) -> None:
    """Refuses what cannot be exported, before anything is trained or written.

    Args:
        formats: names, as in `export: [onnx]` of a recipe.

    Raises:
        InputError: lists what there is.

    Example:
        >>> check_formats(["onnx"])
        >>> check_formats(["executorch"])
        Traceback (most recent call last):
        limbeck.errors.InputError: export: 'executorch' is planned, but not built yet; there is: onnx
    """
    for name in formats:
        if name not in EXPORTERS:
            state = "is planned, but not built yet" if name in PLANNED else "is not a format"
            raise InputError(f"export: {name!r} {state}; there is: {', '.join(EXPORTERS)}")
