"""`LiveTeacher`: a frozen model that is asked at every step; the signal source when there is no guide."""

import torch
from torch import Tensor, nn

from limbeck.core.architecture import architecture_fingerprint
from limbeck.core.batch import Batch
from limbeck.core.identity import fingerprint, state_fingerprint
from limbeck.core.input_gradient import asked_with_gradient
from limbeck.core.outputs import described, inner
from limbeck.core.signals import Signals
from limbeck.data.preprocess import Preprocess, PreprocessSpec
from limbeck.errors import ModelError
from limbeck.tapping import tapped
from limbeck.teachers.classes import columns
from limbeck.teachers.steady import filled_up, steady

CHUNK = 128
"""Rows a forward pass: fixed, since float32 rows differ in the last bits with the batch size."""


class LiveTeacher:
    """A frozen model, always in eval mode; no gradient ever reaches its parameters.

    It is run on chunks of exactly `chunk` rows, the tail padded with copies of the last row, in one memory layout,
    weights and inputs contiguous (see `filled_up`), and with rows aligned alike (see `steady`), so that a row gets the
    same bits whoever asks and however rows are batched or laid out. (Where a module multiplies by a bare matrix,
    `x @ w`, with few columns, the last bits may still hang on a row's place.)

    Args:
        module: gives logits `(b, outputs)` for preprocessed input. It is switched to eval mode, its parameters stop
            requiring gradients, and channels-last weights become contiguous: a teacher belongs to Limbeck from here
            on.
        preprocess: the teacher's own, from raw views.
        classes: the data's class names.
        teacher_classes: the teacher's, in the order of its outputs; `None`: they are the data's.
        device: where it runs.
        chunk: rows a forward pass.
        taps: paths of submodules whose activations are handed over as features.
        input_gradient: whether each row's input gradient is handed over too (a backward pass; batches need labels).
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        preprocess: PreprocessSpec,
        classes: tuple[str, ...],
        teacher_classes: tuple[str, ...] | None = None,
        device: torch.device | str = "cpu",
        chunk: int = CHUNK,
        taps: tuple[str, ...] = (),
        input_gradient: bool = False,
    ) -> None:
        self.device = torch.device(device)
        frozen = module.eval().requires_grad_(requires_grad=False).to(memory_format=torch.contiguous_format)
        self.module = frozen.to(device)
        self.preprocess = Preprocess(preprocess).to(device)
        self.classes = classes
        self.teacher_classes = teacher_classes
        self.chunk = chunk
        self.taps = taps
        self.input_gradient = input_gradient
        self._columns: tuple[int, ...] | None = None
        self._mapped = False

    def reading(self, taps: tuple[str, ...], *, input_gradient: bool = False) -> "LiveTeacher":
        """The same teacher, asked for other activations, and gradients or not."""
        return LiveTeacher(
            self.module,
            preprocess=self.preprocess.spec,
            classes=self.classes,
            teacher_classes=self.teacher_classes,
            device=self.device,
            chunk=self.chunk,
            taps=tuple(dict.fromkeys((*self.taps, *taps))),
            input_gradient=input_gradient,
        )

    def fingerprint(self) -> str:
        """SHA-256 of weights, architecture, preprocessing, class mapping and chunk size."""
        return fingerprint(
            {
                "weights": state_fingerprint(self.module.state_dict()),
                "architecture": architecture_fingerprint(self.module),
                "preprocess": self.preprocess.spec.as_dict(),
                "classes": list(self.classes),
                "teacher_classes": None if self.teacher_classes is None else list(self.teacher_classes),
                "chunk": self.chunk,
            }
        )

    def signals(self, batch: Batch) -> Signals:
        """Logits of each row, mapped onto the data's classes, and what else was asked for; float32, detached."""
        assert isinstance(batch.inputs, Tensor), "several inputs come with tokenised text"
        self.module.eval()  # a user's own code may have switched the module they lent us
        with steady(self.module), tapped(inner(self.module), self.taps, whose="teacher") as read, torch.no_grad():
            if not self.input_gradient:
                logits, features = self._said(batch.inputs, read)
                return Signals(logits=logits, features=features)
            said: dict[str, Tensor] = {}

            def ask(raw: Tensor) -> Tensor:
                logits, features = self._said(raw, read)
                said.update({path: feature.detach() for path, feature in features.items()})
                return logits

            logits, gradient = asked_with_gradient(ask, batch, student=False)
        return Signals(logits=logits.detach(), features=said, input_gradient=gradient)

    def _said(self, raw: Tensor, read: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        chunks = [self._chunk(part, read) for part in torch.split(raw, self.chunk)]
        rows = torch.cat([logits for logits, _ in chunks])
        if self._columns is not None:
            rows = rows[:, self._columns]
        return rows, {path: torch.cat([features[path] for _, features in chunks]) for path in self.taps}

    def _chunk(self, raw: Tensor, read: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self.module(self.preprocess(filled_up(raw, self.chunk)))
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != self.chunk:
            raise ModelError(
                f"the teacher must give logits of shape ({self.chunk}, classes); it gave {described(logits)}"
            )
        if not self._mapped:
            self._columns = columns(self.teacher_classes, self.classes, logits.shape[1])
            self._mapped = True
        features = {path: read[path][: len(raw)].float() for path in self.taps}
        return logits[: len(raw)].float(), features
