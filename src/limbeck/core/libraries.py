"""Image models by name from timm and torchvision: `timm:resnet18`, `torchvision:resnet18`."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limbeck.core.optional import require
from limbeck.core.printed import reason
from limbeck.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

LIBRARIES = ("timm", "torchvision")
DATA_DECIDE = frozenset({"num_classes", "in_chans", "weights", "pretrained"})
"""Arguments of a library's that the data, or keys of the recipe, decide."""


def from_library(name: str) -> bool:
    """Whether a name is one of a library's model.

    Example:
        >>> from_library("timm:resnet18"), from_library("my_models:make")
        (True, False)
    """
    library, colon, model = name.partition(":")
    return library in LIBRARIES and bool(colon) and bool(model)


def build_from_library(
    name: str, *, inputs: tuple[int, ...], outputs: int, settings: Mapping[str, Any], where: str
) -> "nn.Module":
    """A freshly initialised model for images of any number of channels; nothing is downloaded.

    A size that an architecture fixes when it is built (vision transformers) is the images' own unless the settings
    give another. Of torchvision, which knows three channels only, the first convolution is built anew.

    Args:
        name: "timm:NAME" or "torchvision:NAME".
        inputs: (channels, height, width).
        outputs: classes.
        settings: keyword arguments of the library's builder.
        where: what the recipe calls the place, for messages: "student".

    Returns:
        The module; seed the generator before.

    Raises:
        ModelError: the input is no image, there is no such model, or it does not take the settings.
        MissingDependencyError: the library is not installed.

    Example:
        >>> net = build_from_library("torchvision:resnet18", inputs=(1, 8, 8), outputs=10, settings={}, where="student")
        >>> net.conv1.in_channels, net.fc.out_features
        (1, 10)
    """
    if len(inputs) != 3:
        raise ModelError(f"{where}: {name} takes images (channels, height, width), but an example has shape {inputs}")
    refuse_decided(settings, where)
    if name.startswith("timm:"):
        options = {**fixed_size(name, inputs[1:], where), **settings}
        return timm_model(name, where=where, num_classes=outputs, in_chans=inputs[0], **options)
    module = torchvision_model(
        name, where=where, **{**_torchvision_defaults(name, inputs), "num_classes": outputs, **settings}
    )
    if inputs[0] != 3:
        _with_channels(module, inputs[0], f"{where}: {name}")
    return module


def refuse_decided(settings: Mapping[str, Any], where: str) -> None:
    """Refuses settings that the data, or other keys, decide."""
    for key in sorted(DATA_DECIDE & set(settings)):
        raise ModelError(f"{where}: {key} is decided by the data and by keys of the recipe; remove it")


def timm_model(name: str, *, where: str, **options: Any) -> "nn.Module":  # noqa: ANN401 - timm's arguments
    """`timm.create_model` with Limbeck's errors; `pretrained=True` among the options downloads."""
    timm = library(name)
    model = name.partition(":")[2]
    options = {"img_size": None, **options}  # timm leaves out what is None
    if not model.replace("_", "-").startswith(("hf-hub:", "local-dir:")) and not timm.is_model(model.partition(".")[0]):
        raise ModelError(f"{where}: timm has no model {model!r}{_near(model.partition('.')[0], timm.list_models())}")
    return _made(lambda: timm.create_model(model, **options), name, where, pretrained=bool(options.get("pretrained")))


def torchvision_model(name: str, *, where: str, **options: Any) -> "nn.Module":  # noqa: ANN401
    """`torchvision.models.get_model` with Limbeck's errors; `weights="DEFAULT"` among the options downloads."""
    models = library(name).models
    model = name.partition(":")[2].partition(".")[0]
    known = models.list_models(module=models)
    if model not in known:
        raise ModelError(f"{where}: torchvision has no image classifier {model!r}{_near(model, known)}")
    pretrained = options.get("weights") is not None
    return _made(lambda: models.get_model(model, **options), name, where, pretrained=pretrained)


def library(name: str) -> Any:  # noqa: ANN401 - an untyped module
    """The library that a name belongs to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations between the two libraries tell a user nothing
        return require(name.partition(":")[0], extra="vision", purpose=f"{name}")


def fixed_size(name: str, size: tuple[int, ...], where: str) -> dict[str, Any]:
    """The size that an architecture of timm's must be built for; empty for those that take any."""
    config = timm_config(name, where)
    return {"img_size": size} if config is not None and config.fixed_input_size else {}


def timm_config(name: str, where: str) -> Any:  # noqa: ANN401 - timm is untyped
    """What timm knows about a model's input; `None` for names that only a hub knows.

    Raises:
        ModelError: there are no weights of that tag.
    """
    timm = library(name)
    model, _, tag = name.partition(":")[2].partition(".")
    if not timm.is_model(model):
        return None
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{model}.*")]
    if tag and tag not in tags:
        known = ", ".join(each for each in tags if each) or "none"
        raise ModelError(f"{where}: timm has no weights {tag!r} of {model}; it has {known}")
    return timm.get_pretrained_cfg(f"{model}.{tag}" if tag else model)


def _torchvision_defaults(name: str, inputs: tuple[int, ...]) -> dict[str, Any]:
    """What an untrained model of torchvision's must be told; second classifiers, which only training has, are off."""
    models = library(name).models
    model = name.partition(":")[2].partition(".")[0]
    chosen: dict[str, Any] = {"weights": None}
    if model in ("googlenet", "inception_v3"):
        chosen |= {"aux_logits": False, "init_weights": True}
    if model.startswith("vit_") and model in models.list_models():
        chosen["image_size"] = inputs[1]
    return chosen


def _made(build: Any, name: str, where: str, *, pretrained: bool) -> "nn.Module":  # noqa: ANN401
    from torch import nn

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = build()
    except Exception as error:  # foreign code may raise anything
        if pretrained:
            raise ModelError(
                f"{where}: the pretrained weights of {name} cannot be had ({reason(error)}); name a file that you "
                f"have in {where}.weights, or say {where}.pretrained: false"
            ) from error
        raise ModelError(f"{where}: {name} cannot be built: {reason(error)}") from error
    assert isinstance(module, nn.Module), "both libraries make modules"
    return module


def _with_channels(module: "nn.Module", channels: int, what: str) -> None:
    """Builds the first convolution anew for so many channels."""
    from torch import nn

    place = next((path for path, each in module.named_modules() if isinstance(each, nn.Conv2d)), None)
    if place is None:
        raise ModelError(f"{what} has no convolution to take {channels} channels; set data.channels: 3")
    old = module.get_submodule(place)
    keys = ("out_channels", "kernel_size", "stride", "padding", "dilation", "padding_mode")
    same = {key: getattr(old, key) for key in keys}
    module.set_submodule(place, nn.Conv2d(channels, bias=old.bias is not None, **same))


def _near(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, known, n=3)
    return f"; did you mean {', '.join(found)}?" if found else ""
