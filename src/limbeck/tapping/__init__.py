"""Taps: named places inside a model whose activations are read. The model is left as it was found.

`layer2` and `layer2:out` are what a part gives, `layer2:in` what it is given; `encoder:out.0`, `backbone:out.features`
name one thing of several. `blocks.*.attn` is a pattern, matched part by part.
"""

from limbeck.tapping.match import matching
from limbeck.tapping.read import tapped
from limbeck.tapping.shapes import Place, shapes

__all__ = ["Place", "matching", "shapes", "tapped"]
