"""Signals as the arrays that are stored, and back.

float32 logits come back bit for bit. float16 holds the distance to the row's maximum, so that the classes that matter
are the most exact: one step's loss and gradient stay within 1e-3, relative to the exact ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from limbeck.core.signals import Sampled, Signals, TopK
from limbeck.data.draws import Draws, key, streams
from limbeck.errors import ModelError, NonFiniteError
from limbeck.guide.spec import LogitsSpec, SampledSpec, SignalSpec, TopKSpec, index_dtype

Arrays = Mapping[str, NDArray[Any]]
"""Column name -> rows."""

_LOWEST = float(torch.finfo(torch.float16).min)


def encode(
    signals: Signals, ids: Int[np.ndarray, " b"], views: Int[np.ndarray, " b"], spec: SignalSpec
) -> dict[str, NDArray[Any]]:
    """What is stored of the signals of a batch.

    Args:
        signals: of a teacher.
        ids: example ids, for the draws of sampled signals and for messages.
        views: view numbers.
        spec: what is kept.

    Returns:
        One array a column (`spec.columns`), row for row.

    Raises:
        ModelError: the teacher does not give what the spec asks for, or a feature that float16 cannot hold.
        NonFiniteError: NaN or infinity; names the example.
    """
    arrays: dict[str, NDArray[Any]] = {}
    if spec.output is not None:
        arrays |= _encode_output(_logits(signals, ids, views), ids, views, spec.output)
    for path, feature in spec.features.items():
        if path not in signals.features:
            raise ModelError(f"the teacher gives no features at {path!r}; it gives {_listed(signals.features)}")
        values = signals.features[path].detach().float().cpu()
        _finite(values, ids, views, f"features at {path}")
        arrays |= _encode_feature(values, path, feature.dtype)
    return arrays


def _logits(signals: Signals, ids: Int[np.ndarray, " b"], views: Int[np.ndarray, " b"]) -> Float[Tensor, "b classes"]:
    if signals.logits is None or signals.logits.ndim != 2:
        got = "none" if signals.logits is None else f"shape {tuple(signals.logits.shape)}"
        raise ModelError(f"a guide keeps logits of shape (rows, classes), but the teacher gave {got}")
    logits = signals.logits.detach().float().cpu()
    _finite(logits, ids, views, "logits")
    return logits


def _encode_output(
    logits: Float[Tensor, "b classes"],
    ids: Int[np.ndarray, " b"],
    views: Int[np.ndarray, " b"],
    spec: LogitsSpec | TopKSpec | SampledSpec,
) -> dict[str, NDArray[Any]]:
    match spec:
        case LogitsSpec("float32"):
            return {"logits": logits.numpy()}
        case LogitsSpec():
            top = logits.amax(dim=1)
            return {"offsets": _offsets(logits, top), "max": top.numpy()}
        case TopKSpec(k, temperatures):
            values, index = _largest(logits, k)
            kept = index.numpy().astype(index_dtype(logits.shape[1]))
            tail = _tail(logits, index, temperatures).numpy()
            return {"index": kept, "offsets": _offsets(values, values[:, 0]), "max": values[:, 0].numpy(), "tail": tail}
        case SampledSpec():
            drawn, entropy = _drawn(logits, ids, views, spec)
            return {"index": drawn.numpy().astype(index_dtype(logits.shape[1])), "entropy": entropy.numpy()}


def _offsets(logits: Float[Tensor, "b n"], top: Float[Tensor, " b"]) -> Float[np.ndarray, "b n"]:
    """Distances to the maximum; what lies below -65504 stays there, where its probability is 0 all the same."""
    return (logits - top[:, None]).clamp_(min=_LOWEST).half().numpy()


def _largest(logits: Float[Tensor, "b classes"], k: int) -> tuple[Float[Tensor, "b k"], Int[Tensor, "b k"]]:
    """The largest `k`, largest first; equal ones in the order of their classes."""
    index = logits.topk(k, dim=1).indices.sort(dim=1).values
    values, order = logits.gather(1, index).sort(dim=1, descending=True, stable=True)
    return values, index.gather(1, order)


def _tail(
    logits: Float[Tensor, "b classes"], index: Int[Tensor, "b k"], temperatures: Sequence[float]
) -> Float[Tensor, "b temperatures"]:
    rest = logits.scatter(1, index, -torch.inf)
    return torch.stack([torch.logsumexp(rest / t, dim=1) for t in temperatures], dim=1)


def _drawn(
    logits: Float[Tensor, "b classes"], ids: Int[np.ndarray, " b"], views: Int[np.ndarray, " b"], spec: SampledSpec
) -> tuple[Int[Tensor, "b draws"], Float[Tensor, " b"]]:
    """Classes by inverting the distribution function at counter-hashed numbers, and the entropy in nats."""
    log_p = torch.log_softmax(logits.double() / spec.temperature, dim=1)
    p = log_p.exp()
    entropy = -(p * log_p).sum(dim=1)
    of_rows = Draws(streams(int(key("guide", spec.seed)), ids, views), 0)
    reached = p.cumsum(dim=1)
    uniform = torch.from_numpy(of_rows.uniform(spec.draws)) * reached[:, -1:]
    index = torch.searchsorted(reached, uniform, right=True)
    return index.clamp_(max=logits.shape[1] - 1), entropy.float()


def _encode_feature(values: Tensor, path: str, dtype: str) -> dict[str, NDArray[Any]]:
    if dtype == "int8":
        scale = values.abs().reshape(len(values), -1).amax(dim=1) / 127
        safe = torch.where(scale > 0, scale, torch.ones_like(scale))
        quantised = (values / safe.view(-1, *(1,) * (values.ndim - 1))).round().clamp_(-127, 127).to(torch.int8)
        return {f"feature/{path}": quantised.numpy(), f"scale/{path}": safe.numpy()}
    half = values.half()
    if not torch.isfinite(half).all():
        raise ModelError(
            f"features at {path} reach {values.abs().max():.3g}, float16 only 65504; store them as int8 (dtype: int8)"
        )
    return {f"feature/{path}": half.numpy()}


def decode(arrays: Arrays, spec: SignalSpec, device: torch.device | str = "cpu") -> Signals:
    """The signals of stored rows, in float32.

    Args:
        arrays: rows of every column; they are not kept.
        spec: what they mean.
        device: where the signals are wanted.
    """

    def get(name: str) -> Tensor:
        return torch.from_numpy(arrays[name]).to(device, non_blocking=True)

    def restored() -> Tensor:
        return get("offsets").float().add_(get("max")[:, None])

    def index() -> Tensor:
        return torch.from_numpy(arrays["index"].astype(np.int64)).to(device, non_blocking=True)

    features = {path: _feature(get, path, feature.dtype) for path, feature in spec.features.items()}
    match spec.output:
        case LogitsSpec("float32"):
            return Signals(logits=get("logits"), features=features)
        case LogitsSpec():
            return Signals(logits=restored(), features=features)
        case TopKSpec(temperatures=temperatures):
            return Signals(features=features, top=TopK(index(), restored(), temperatures, get("tail")))
        case SampledSpec(temperature=temperature):
            return Signals(features=features, sampled=Sampled(index(), temperature, get("entropy")))
        case None:
            return Signals(features=features)


def _feature(get: Callable[[str], Tensor], path: str, dtype: str) -> Tensor:
    values = get(f"feature/{path}").float()
    return values * get(f"scale/{path}").view(-1, *(1,) * (values.ndim - 1)) if dtype == "int8" else values


def _finite(values: Tensor, ids: Int[np.ndarray, " b"], views: Int[np.ndarray, " b"], what: str) -> None:
    if torch.isfinite(values.sum()):  # cheaper than looking at each: NaN and infinity survive a sum
        return
    bad = ~torch.isfinite(values).reshape(len(values), -1).all(dim=1)
    if not bad.any():
        return  # finite numbers whose sum is not
    row = int(bad.nonzero()[0, 0])
    raise NonFiniteError(
        f"the teacher's {what} are not finite for example {int(ids[row])}, view {int(views[row])}; "
        "look at that input, or at the teacher"
    )


def _listed(features: Mapping[str, Tensor]) -> str:
    return ", ".join(map(repr, features)) or "none"
