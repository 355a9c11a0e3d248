"""Teachers by name from timm and torchvision: their weights, and how the library prepares their input."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from limbeck.core.libraries import (
    build_from_library,
    library,
    refuse_decided,
    timm_config,
    timm_model,
    torchvision_model,
)
from limbeck.core.weights import fit_state, read_state, without_prefix
from limbeck.data.preprocess import PreprocessSpec
from limbeck.errors import ModelError
from limbeck.teachers.heads import heads_of

WHERE = "teacher"


@dataclass(frozen=True, slots=True)
class FromLibrary:
    """A library's model with its weights.

    Attributes:
        module: gives the logits of the classes that it was trained on.
        preprocess: the library's own, for pixels scaled to 0..1.
        notes: what the reader should know.
    """

    module: nn.Module
    preprocess: PreprocessSpec
    notes: tuple[str, ...]


def library_teacher(
    name: str,
    *,
    weights: Path | None,
    weights_key: str | None,
    pretrained: bool,
    settings: dict[str, Any],
    outputs: int,
    new_head: bool = False,
) -> FromLibrary:
    """Builds a library's model and gives it weights: the user's file, else the library's own, else random ones.

    Args:
        name: "timm:NAME" or "torchvision:NAME", with a tag of the library's weights where it has several.
        weights: the user's file; the numbers of classes and channels are read from it.
        weights_key: entry of that file.
        pretrained: whether the library's weights are downloaded where there is no file.
        settings: keyword arguments of the library's builder.
        outputs: classes of a model with random weights.
        new_head: whether the head will be replaced, so that the file need not have one.

    Returns:
        The model.

    Raises:
        ModelError: no such model, weights that do not fit or cannot be had.
        MissingDependencyError: the library is not installed.
    """
    refuse_decided(settings, WHERE)
    _refuse_unknown(name)
    if weights is not None:
        module, notes = _with_file(name, weights, weights_key, settings, new_head=new_head)
    elif pretrained:
        module, notes = _downloaded(name, settings), []
    else:
        module = build_from_library(name, inputs=(3, *_size(name)), outputs=outputs, settings=settings, where=WHERE)
        notes = [f"The teacher {name} has random weights (teacher.pretrained: false)."]
    preprocess, note = _preprocess(name, module, settings)
    return FromLibrary(module, preprocess, tuple(notes + note))


def _downloaded(name: str, settings: dict[str, Any]) -> nn.Module:
    if name.startswith("timm:"):
        return timm_model(name, where=WHERE, pretrained=True, **settings)
    return torchvision_model(name, where=WHERE, **{"weights": _tag(name) or "DEFAULT", **settings})


def _with_file(
    name: str, path: Path, key: str | None, settings: dict[str, Any], *, new_head: bool
) -> tuple[nn.Module, list[str]]:
    """The model that the file's shapes tell of."""
    state, notes = read_state(path, key=key, where=WHERE)
    default = _plain(name, settings, {})
    state, _ = without_prefix(_renamed(default, state), default.state_dict())
    heads = heads_of(default)
    shapes = _shapes(default, state, heads)
    module = _plain(name, settings, shapes) if shapes else default
    notes += fit_state(module, state, path=path, where=WHERE, but=heads if new_head else ())
    return module, notes


def _plain(name: str, settings: dict[str, Any], shapes: dict[str, int]) -> nn.Module:
    """The library's own defaults, with random weights."""
    if name.startswith("timm:"):
        return timm_model(name, where=WHERE, pretrained=False, **{**settings, **shapes})
    channels, outputs = shapes.get("in_chans", 3), shapes.get("num_classes", 1000)
    inputs = (channels, *_size(name))
    return build_from_library(name, inputs=inputs, outputs=outputs, settings=settings, where=WHERE)


def _renamed(module: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as their authors published them, under timm's names."""
    rename = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    if rename is None or set(state) <= set(module.state_dict()):
        return state
    try:
        return dict(rename(dict(state), module))
    except Exception:  # noqa: BLE001 - it was not made for this file; whether that fits is found out next
        return state


def _shapes(module: nn.Module, state: dict[str, Tensor], heads: tuple[str, ...]) -> dict[str, int]:
    """Classes and channels of the file where they are not the library's default."""
    own, found = module.state_dict(), {}
    head = f"{heads[0]}.weight"
    if head in state and head in own and len(state[head]) != len(own[head]):
        found["num_classes"] = len(state[head])
    first = next((name for name, tensor in own.items() if tensor.ndim == 4), None)
    if first is not None and first in state and state[first].ndim == 4 and state[first].shape[1] != own[first].shape[1]:
        found["in_chans"] = state[first].shape[1]
    return found


def _preprocess(name: str, module: nn.Module, settings: dict[str, Any]) -> tuple[PreprocessSpec, list[str]]:
    """Whole pictures, resized; how that differs from the library's own evaluation is said."""
    if name.startswith("timm:"):
        config = library(name).data.resolve_model_data_config(module)
        size, how, crop = config["input_size"][-2:], config["interpolation"], float(config["crop_pct"])
        size = _pair(settings.get("img_size", size))
        mean, std = config["mean"], config["std"]
    else:
        preset = _preset(name)
        size = _pair(settings.get("image_size", preset.crop_size[0]))
        how, crop = preset.interpolation.value, preset.crop_size[0] / preset.resize_size[0]
        mean, std = preset.mean, preset.std
    channels = _channels(module)
    if len(mean) != channels:
        mean, std = (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels
    spec = PreprocessSpec(
        1 / 255, tuple(map(float, mean)), tuple(map(float, std)), size, channels if channels in (1, 3) else None
    )
    apart = [f"cuts out the middle {100 * crop:.4g}%"] if crop < 1 else []
    apart += [f"resizes with {how} interpolation"] if how != "bilinear" else []
    note = f"The library evaluates {name} in another way: it {' and '.join(apart)}; here whole pictures are resized, "
    return spec, [f"{note}bilinear."] if apart else []


def _pair(size: Any) -> tuple[int, int]:  # noqa: ANN401 - a number or two, as libraries take them
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)


def _channels(module: nn.Module) -> int:
    """Channels of its pictures: those of the first convolution."""
    first = next((each for each in module.modules() if isinstance(each, nn.Conv2d)), None)
    return 3 if first is None else first.in_channels


def _size(name: str) -> tuple[int, int]:
    """The size that the library built the model for."""
    if name.startswith("torchvision:"):
        return _pair(_preset(name).crop_size[0])
    config = timm_config(name, WHERE)
    return (224, 224) if config is None else _pair(config.input_size[-2:])


def _refuse_unknown(name: str) -> None:
    """Asks the library about name and tag, before anything is built or downloaded."""
    if name.startswith("timm:"):
        timm_config(name, WHERE)
    else:
        _preset(name)


def _preset(name: str) -> Any:  # noqa: ANN401 - torchvision is untyped
    models = library(name).models
    model = name.partition(":")[2].partition(".")[0]
    if model not in models.list_models(module=models):
        torchvision_model(name, where=WHERE)  # says what there is
    known = models.get_model_weights(model)
    tag = _tag(name)
    if tag is not None and tag not in known.__members__:
        raise ModelError(
            f"{WHERE}: torchvision has no weights {tag!r} of {model}; it has {', '.join(known.__members__)}"
        )
    return (known[tag] if tag is not None else known.DEFAULT).transforms()


def _tag(name: str) -> str | None:
    return name.partition(":")[2].partition(".")[2] or None
