"""Costs against truths worked out by hand."""

import pytest
import torch
from safetensors.torch import save
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from limbeck.errors import ModelError
from limbeck.measuring import cost as module
from limbeck.measuring.cost import cost, macs, parameters, peak_activation_bytes, weights_bytes

FLOAT = 4


class Attention(nn.Module):
    def forward(self, x):
        return scaled_dot_product_attention(x, x, x)


class Pooled(nn.Module):
    """A matrix-vector product, which torch's counter does not know."""

    def __init__(self):
        super().__init__()
        self.query = nn.Parameter(torch.ones(16))

    def forward(self, x):
        return (x[0] @ self.query).unsqueeze(0)


def encoder():
    return nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 16, 1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


MACS = {
    "linear": (nn.Linear(20, 30), (1, 20), 20 * 30),
    "convolution": (nn.Conv2d(3, 8, 3), (1, 3, 8, 8), 8 * 3 * 9 * 36),
    "depthwise": (nn.Conv2d(64, 64, 3, padding=1, groups=64), (1, 64, 7, 7), 28_224),
    "transposed": (nn.ConvTranspose2d(3, 8, 3), (1, 3, 8, 8), 8 * 3 * 9 * 64),
    "convnet": (convnet(), (1, 1, 16, 16), 64 * 8 * 9 + 64 * 8 * 9 + 64 * 8 * 16 + 16 * 10),
    "attention": (Attention(), (1, 2, 16, 8), 2 * 2 * 16 * 16 * 8),
    "encoder": (encoder(), (1, 8, 16), 8 * 16 * 48 + 2 * 2 * 8 * 8 * 8 + 8 * 16 * 16 + 2 * 8 * 16 * 32),
    "lstm": (nn.LSTM(4, 5, batch_first=True), (1, 7, 4), 7 * 4 * 5 * (4 + 5)),
    "gru": (nn.GRU(4, 5, batch_first=True), (1, 7, 4), 7 * 3 * 5 * (4 + 5)),
    "matrix-vector": (Pooled(), (1, 9, 16), 9 * 16),
    "nothing": (nn.ReLU(), (1, 4), 0),
}


@pytest.mark.parametrize("name", MACS)
def test_macs_are_exact(name):
    module, shape, truth = MACS[name]
    assert macs(module, torch.randn(shape)) == truth


def test_macs_are_of_one_example_whatever_the_batch():
    assert macs(convnet(), torch.randn(7, 1, 16, 16)) == macs(convnet(), torch.randn(1, 1, 16, 16))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(10, 40)
        self.narrow = nn.Linear(40, 10)

    def forward(self, x):
        return x + self.narrow(self.wide(x).relu())


class Pieces(nn.Module):
    def forward(self, x):
        a, b = x.chunk(2, 1)
        return torch.cat([a * 2, b], 1) + x


class HalfOfTheWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 100))

    def forward(self, x):
        a, b = self.weight.chunk(2, 1)
        return x @ a + x @ b


PEAKS = {
    # input and output of the widest operator
    "linear": (nn.Linear(20, 30), (1, 20), 20 + 30),
    "convolution": (nn.Conv2d(1, 4, 3, padding=1), (1, 1, 8, 8), 64 + 256),
    "depthwise": (nn.Conv2d(8, 8, 3, padding=1, groups=8), (1, 8, 6, 6), 2 * 288),
    "batch norm": (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)), (1, 1, 8, 8), 256 + 256),
    "convnet": (convnet(), (1, 1, 16, 16), 16 * 64 + 16 * 64),
    # the pooled half of it is smaller than what the ReLU holds; indices that nobody takes are not stored
    "pool": (nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), (1, 2, 4, 4), 32 + 32),
    # the input lives until the sum
    "residual": (Residual(), (1, 10), 10 + 40 + 40),
    # views own nothing: 8 + 8 while transposing and flattening, then 8 + 3
    "views": (nn.Sequential(nn.ReLU(), nn.Unflatten(1, (2, 4)), nn.Flatten(), nn.Linear(8, 3)), (1, 8), 8 + 8),
    # x, the concatenation, the sum
    "pieces": (Pieces(), (1, 8), 8 + 8 + 8),
    # x @ a, x @ b, their sum
    "views of weights": (HalfOfTheWeights(), (1, 8), 50 + 50 + 50),
    # value, scores and their softmax: heads x 16 x 16 each
    "attention": (Attention(), (1, 2, 16, 8), 2 * 16 * 8 + 2 * 2 * 16 * 16),
    # the residual input, the projected (q, k, v), and them made contiguous
    "encoder": (encoder(), (1, 8, 16), 8 * 16 + 2 * 8 * 48),
    "input only": (nn.Identity(), (1, 12), 12),
}


@pytest.mark.parametrize("name", PEAKS)
def test_peak_memory_is_exact(name):
    module, shape, numbers = PEAKS[name]
    assert peak_activation_bytes(module, torch.randn(3, *shape[1:])) == FLOAT * numbers


def test_raw_images_count_a_byte_a_number():
    class Scaled(nn.Module):
        def forward(self, x):
            return x.float()

    assert peak_activation_bytes(Scaled(), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)) == 64 + 4 * 64


def test_a_module_that_cannot_be_traced_is_said_and_only_lacks_its_peak(capfd):
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match="Branching cannot be traced"):
        peak_activation_bytes(Branching(), torch.ones(1, 3))
    found = cost(Branching(), torch.ones(1, 3))
    assert (found.params, found.macs, found.peak_memory_bytes) == (0, 0, None)
    assert "control flow" in found.note
    assert capfd.readouterr() == ("", "")


def test_cost_is_all_of_it():
    net, example = convnet(), torch.randn(2, 1, 16, 16)
    found = cost(net, example)
    assert found.params == parameters(net) == 8 * 9 + 8 + 16 + 8 * 9 + 8 + 16 * 8 + 16 + 160 + 10
    assert (found.macs, found.size_bytes) == (macs(net, example), weights_bytes(net))
    assert (found.peak_memory_bytes, found.note) == (peak_activation_bytes(net, example), None)


def test_what_is_known_is_not_traced_again_and_nothing_else_is_taken_for_it(monkeypatch):
    class Mine(nn.Linear):
        """Code that may change meanwhile."""

    traced = []
    monkeypatch.setattr(module, "_TRACED", {})
    monkeypatch.setattr(module, "peak_activation_bytes", lambda net, rows: traced.append(net) or len(traced))

    def makes(make, rows=3, dtype=torch.float32):
        before = len(traced)
        cost(make().to(dtype), torch.ones(rows, 8, dtype=dtype))
        return len(traced) - before

    def plain(width=4, last=nn.ReLU):
        return nn.Sequential(nn.Linear(8, width), last())

    assert [makes(plain), makes(plain), makes(plain, rows=5)] == [1, 0, 0]
    assert makes(lambda: plain(5)) == makes(lambda: plain(last=nn.GELU)) == makes(plain, dtype=torch.float64) == 1
    assert makes(lambda: Mine(8, 4)) == makes(lambda: Mine(8, 4)) == 1
    tied = plain(8)
    tied.append(nn.Linear(8, 8)).append(nn.Linear(8, 8))
    apart = cost(tied, torch.ones(1, 8))
    tied[3].weight = tied[2].weight
    assert cost(tied, torch.ones(1, 8)).params == apart.params - 64


def state(net):
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in net.modules()]
    return (
        {
            name: (id(tensor), tensor.requires_grad, tensor.grad is None, tensor.device)
            for name, tensor in tensors.items()
        },
        {name: tensor.detach().clone().tolist() for name, tensor in tensors.items()},
        [module.training for module in net.modules()],
        hooks,
        sorted(vars(net)),
        torch.backends.mha.get_fastpath_enabled(),
        torch.backends.mkldnn.enabled,
        torch.backends.cuda.math_sdp_enabled(),
        torch.backends.cuda.flash_sdp_enabled(),
        torch.is_grad_enabled(),
    )


@pytest.mark.parametrize("measure", [macs, peak_activation_bytes, cost])
def test_modules_are_left_as_they_were(measure):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Unflatten(1, (9, 16)), encoder())
    net[1].eval()
    net[0].weight.requires_grad = False
    before = state(net)
    measure(net, torch.randn(2, 1, 8, 8))
    assert state(net) == before
    with pytest.raises(Exception, match=r"\d"):
        measure(net, torch.randn(2, 3, 8, 8))
    assert state(net) == before


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.out = nn.Linear(4, 10, bias=False)
        self.out.weight = self.embed.weight
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mask", torch.zeros(3, dtype=torch.bool))
        self.register_buffer("nothing", torch.zeros(0))
        self.register_buffer("short", torch.zeros(5, dtype=torch.bfloat16))


@pytest.mark.parametrize("net", [convnet(), encoder(), nn.ReLU(), nn.Linear(300, 7).half()])
def test_size_is_that_of_the_file(net):
    assert weights_bytes(net) == len(save(net.state_dict()))


def test_shared_weights_are_stored_and_counted_once():
    net = Tied()
    stored = {name: tensor for name, tensor in net.state_dict().items() if name != "out.weight"}
    assert weights_bytes(net) == len(save(stored))
    assert parameters(net) == 40
