"""MiniLMv2: how queries relate to queries, keys to keys and values to values, is as in the teacher."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import real_positions
from limbeck.objectives.ranges import check_at_least
from limbeck.objectives.reading import as_many, read, shape_at
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="attention-relations",
    summary="How much each token's query (key, value) attends to the other tokens' queries (keys, values), per head.",
    needs="taps of queries, keys and values a side, tokens; widths and heads may differ; no labels",
    cost="three times tokens^2 x width products a side and example; nothing is learned",
    memory="three times heads x tokens^2 numbers a side and example",
    variants="none; relation_heads",
    helps="transformers of unlike width and depth, on unlabelled text; one layer is enough",
    hurts="other layers than the recommended: the student's last to an upper-middle one of a large teacher",
    paper="Wang, Bao, Huang, Dong, Wei 2021, MiniLMv2, arXiv 2012.15828, equations 5 to 7",
    suggested="relation_heads as many as the teacher's attention heads or more (12 to 64); the student's last layer, "
    "the teacher's last (12 layers) or third from the last (24)",
)


def attention_relations_rows(
    student: Float[Tensor, "b tokens s"],
    teacher: Float[Tensor, "b tokens t"],
    heads: int,
    real: Bool[Tensor, "b tokens"] | None = None,
) -> Float[Tensor, " b"]:
    """`1 / (heads tokens) sum KL(R_t || R_s)` in nats, with `R = softmax(A A^T / sqrt(width / heads))` of each head.

    Args:
        student: A, vectors of all heads side by side.
        teacher: likewise; of any width, both divisible by `heads`.
        heads: relation heads, whatever the models' own are.
        real: true where a token is real: padding is neither asked nor attended to.

    Example:
        >>> vectors = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> attention_relations_rows(vectors, vectors, 2)
        tensor([0.])
    """
    log_student, log_teacher = (_relations(side, heads, real) for side in (student, teacher))
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(dim=3).mean(dim=1)
    if real is None:
        return divergence.mean(dim=1)
    return (divergence * real).sum(dim=1) / real.sum(dim=1).clamp_min(1)


def _relations(vectors: Tensor, heads: int, real: Tensor | None) -> Float[Tensor, "b heads tokens tokens"]:
    """Logarithms of how each token attends."""
    parts = vectors.reshape(*vectors.shape[:2], heads, -1).transpose(1, 2)
    scores = parts @ parts.transpose(2, 3) / parts.shape[3] ** 0.5
    if real is not None:
        scores = scores.masked_fill(~real[:, None, None], torch.finfo(scores.dtype).min / 8)
    return torch.log_softmax(scores, dim=3)


class AttentionRelations(Objective):
    """Relations of queries, keys and values, added up, mean over the batch's weight.

    Args:
        student: paths of the student's queries, keys and values, `(tokens, width)` each; or one path of a layer that
            gives all three side by side (timm's `attn.qkv`).
        teacher: likewise.
        relation_heads: into how many heads all of them are cut anew.

    Raises:
        RecipeError: there are neither three paths nor one, or no heads.

    Example:
        >>> AttentionRelations(("blocks.5.attn.qkv",), ("blocks.11.attn.qkv",), relation_heads=12)
        AttentionRelations(student=['blocks.5.attn.qkv'], teacher=['blocks.11.attn.qkv'])
    """

    def __init__(self, student: tuple[str, ...], teacher: tuple[str, ...], relation_heads: int = 12) -> None:
        super().__init__()
        check_at_least("relation_heads", relation_heads, 1)
        self.student, self.teacher = as_many("student", student, (1, 3)), as_many("teacher", teacher, (1, 3))
        self.relation_heads = relation_heads

    def needs(self) -> Needs:
        """Three taps a side, or one."""
        return Needs(student_taps=self.student, teacher_taps=self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Checks that all widths can be cut into heads.

        Raises:
            ModelError: one cannot, or a tap gives no tokens.
        """
        for shapes, taps, who in ((student, self.student, "student"), (teacher, self.teacher, "teacher")):
            for tap in taps:
                shape = shape_at(shapes, tap, who, CARD.name)
                pieces = self.relation_heads * (3 if len(taps) == 1 else 1)
                if len(shape) != 2 or shape[1] % pieces:
                    raise ModelError(
                        f"{CARD.name}: the {who}'s {tap!r} has shape {shape}, expected (tokens, width) with a width "
                        f"that {pieces} divides; choose relation_heads accordingly"
                    )

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"attention-relations": scalar}`."""
        mine = self._three(student, self.student, "student")
        others = self._three(teacher, self.teacher, "teacher")
        rows = torch.zeros((), dtype=mine[0].dtype, device=mine[0].device)
        for one, other in zip(mine, others, strict=True):
            if one.shape[:2] != other.shape[:2]:
                raise ModelError(
                    f"{CARD.name}: the student has {one.shape[1]} tokens, the teacher {other.shape[1]}; relations "
                    "between tokens need the same tokens on both sides"
                )
            real = real_positions(one, batch.mask, CARD.name)
            rows = rows + attention_relations_rows(one, other.detach(), self.relation_heads, real)
        return {CARD.name: weighted_mean(rows, batch.weight)}

    def _three(self, signals: Signals | None, taps: tuple[str, ...], who: str) -> tuple[Tensor, ...]:
        found = [read(signals, tap, who, CARD.name) for tap in taps]
        return tuple(found[0].chunk(3, dim=2)) if len(found) == 1 else tuple(found)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
