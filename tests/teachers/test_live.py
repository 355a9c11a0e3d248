"""The live teacher: frozen, always in eval mode, and a row gets the same bits wherever it stands."""

import copy

import pytest
import torch
from torch import nn

from limbeck import students, teachers
from limbeck.core.batch import Batch
from limbeck.data.preprocess import PreprocessSpec
from limbeck.errors import ModelError
from limbeck.teachers.live import CHUNK, LiveTeacher
from limbeck.teachers.steady import steady

SHAPE = (1, 8, 8)
NAMES = tuple("0123456789")
PIXELS = PreprocessSpec(scale=1 / 255, mean=(0.4,), std=(0.3,))


def batch_of(inputs):
    n = len(inputs)
    return Batch(torch.arange(n), torch.zeros(n, dtype=torch.int64), inputs)


def pictures(n, shape=SHAPE, seed=0):
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def live(module, **others):
    return LiveTeacher(module, **{"preprocess": PIXELS, "classes": NAMES, **others})


def ask(teacher, inputs):
    return teacher.signals(batch_of(inputs)).logits


def normed():
    """Dropout and running statistics: everything that eval mode is about."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(216, 10)
    )


class Sequence(nn.Module):
    """Reads rows of pixels as tokens."""

    def __init__(self, body, width):
        super().__init__()
        self.inwards, self.body, self.head = nn.Linear(8, width), body, nn.Linear(width, 10)

    def forward(self, x):
        found = self.body(self.inwards(x[:, 0]))
        return self.head((found[0] if isinstance(found, tuple) else found)[:, -1])


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(64, 10))

    def forward(self, x):
        return x.flatten(1) @ self.weight


FAMILIES = {
    "resnet": lambda: teachers.build({"family": "resnet", "width": 8}, inputs=SHAPE, outputs=10),
    "wide-mlp": lambda: teachers.build({"family": "wide-mlp", "width": 50, "depth": 2}, inputs=SHAPE, outputs=10),
    "convnet": lambda: students.build({"family": "convnet", "width": 6}, inputs=SHAPE, outputs=10),
    "mlp": lambda: students.build({"family": "mlp", "width": 29}, inputs=SHAPE, outputs=10),
    "norm": normed,
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
    "odd widths": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64, 37), nn.Tanh(), nn.Linear(37, 53), nn.GELU(), nn.LayerNorm(53), nn.Linear(53, 10)
    ),
    "attention": lambda: Sequence(nn.TransformerEncoderLayer(20, 4, 31, batch_first=True), 20),
    "recurrent": lambda: Sequence(nn.GRU(19, 19, batch_first=True), 19),
    "groups": lambda: nn.Sequential(
        nn.Conv2d(1, 9, 3), nn.GroupNorm(3, 9), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(9, 10)
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_has_the_same_bits_wherever_it_stands(family):
    """In batches of any size, at any place, among any others."""
    torch.manual_seed(0)
    chunk = 32
    teacher = live(FAMILIES[family](), chunk=chunk)
    inputs = pictures(chunk + 20)
    whole = ask(teacher, inputs)
    order = torch.Generator().manual_seed(1)
    for n in (1, 2, 7, chunk - 1, chunk, chunk + 1, len(inputs)):
        rows = torch.randperm(len(inputs), generator=order)[:n]
        assert torch.equal(ask(teacher, inputs[rows]), whole[rows])


def laid_out(inputs):
    """The same pictures, channels before pixels, turned round from channels after pixels, and with gaps between."""
    last = inputs.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format).permute(0, 3, 1, 2)
    return {"contiguous": inputs, "transposed": last, "apart": inputs.repeat_interleave(2, 0)[::2]}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("family", ["resnet", "convnet"])
def test_a_row_has_the_same_bits_in_any_layout(family, channels):
    """1,222 rows leave a tail, and a tail that is filled up has strides of its own."""
    torch.manual_seed(0)
    shape = (channels, 8, 8)
    of = {"resnet": teachers.build, "convnet": students.build}[family]
    pixels = PreprocessSpec(scale=1 / 255, mean=(0.4,) * channels, std=(0.3,) * channels)
    teacher = live(of({"family": family, "width": 8, "depth": 2}, inputs=shape, outputs=10), preprocess=pixels)
    inputs = pictures(1222, shape)
    whole, draw = ask(teacher, inputs), torch.Generator().manual_seed(1)
    for rows in laid_out(inputs).values():
        assert torch.equal(ask(teacher, rows), whole)
        for n in (64, 500, 1024, 1222):
            chosen = torch.randperm(1222, generator=draw)[:n]
            assert torch.equal(ask(teacher, rows[chosen]), whole[chosen])
            gathered = torch.from_numpy(rows.numpy()[chosen.sort().values.numpy()])
            assert torch.equal(ask(teacher, gathered), whole[chosen.sort().values])


def test_weights_of_another_layout_give_the_same_bits():
    """Training leaves them channels-last, a file gives them back contiguous."""
    torch.manual_seed(0)
    net = teachers.build({"family": "resnet", "width": 8, "depth": 2}, inputs=(3, 8, 8), outputs=10)
    inputs = pictures(CHUNK + 5, (3, 8, 8))
    found = [
        ask(live(copy.deepcopy(net).to(memory_format=each)), inputs)
        for each in (torch.contiguous_format, torch.channels_last)
    ]
    assert torch.equal(*found)


def test_a_module_that_flattens_by_view_reads_pictures_of_any_layout():
    """A convolution answers in the layout that it was asked in, and `view` knows only one."""

    class Viewing(nn.Sequential):
        def forward(self, x):
            return self[1](self[0](x).view(len(x), -1))

    torch.manual_seed(0)
    teacher, inputs = live(Viewing(nn.Conv2d(1, 6, 3), nn.Linear(216, 10))), pictures(20)
    whole = ask(teacher, inputs)
    for rows in laid_out(inputs).values():
        assert torch.equal(ask(teacher, rows), whole)


def test_the_module_sees_one_layout():
    seen = set()
    module = normed()
    module.register_forward_pre_hook(lambda _module, given: seen.add((given[0].stride(), given[0].data_ptr() % 64)))
    for preprocess in (PIXELS, PreprocessSpec()):
        teacher = live(module, preprocess=preprocess, chunk=5)
        for inputs in laid_out(pictures(23).float()).values():
            ask(teacher, inputs)
            ask(teacher, inputs[1:4])
    assert seen == {((64, 64, 8, 1), 0)}


@pytest.mark.parametrize("outputs", [2, 3, 10, 11, 12, 40])
@pytest.mark.parametrize("features", [3, 13, 18, 30, 64])
def test_tables_too(features, outputs):
    """Where MKL sums a row in an order that hangs on its address, were it not for `steady`."""
    torch.manual_seed(0)
    names = tuple(map(str, range(outputs)))
    teacher = live(nn.Linear(features, outputs), preprocess=PreprocessSpec(), classes=names, chunk=32)
    inputs = torch.randn(50, features)
    whole = ask(teacher, inputs)
    for start in range(4):
        assert torch.equal(ask(teacher, inputs[start:]), whole[start:])
        assert torch.equal(ask(teacher, inputs[start : start + 5]), whole[start : start + 5])


def test_a_product_that_is_no_layer_is_close_only():
    """`x @ w` with 5 or 10 columns: there is no layer to widen."""
    torch.manual_seed(0)
    teacher, inputs = live(Functional()), pictures(CHUNK)
    rows = torch.randperm(CHUNK)
    assert torch.allclose(ask(teacher, inputs[rows]), ask(teacher, inputs)[rows], rtol=1e-5, atol=1e-5)


def test_steady_is_the_same_function_and_leaves_no_trace():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(13, 7), nn.ReLU(), nn.Linear(7, 3, bias=False), nn.Linear(3, 16))
    x, before = torch.randn(5, 4, 13), [dict(each.__dict__) for each in net.modules()]
    plain = net(x)
    with steady(net):
        assert torch.allclose(net(x), plain, atol=1e-6)
    with pytest.raises(ZeroDivisionError), steady(net):
        _ = 1 / 0
    assert [each.__dict__.keys() for each in net.modules()] == [each.keys() for each in before]
    assert torch.equal(net(x), plain)


def test_it_pads_to_full_chunks_and_no_more():
    sizes = []
    module = nn.Flatten()
    module.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    teacher = live(module, classes=tuple(map(str, range(64))), chunk=4)
    assert ask(teacher, pictures(9)).shape == (9, 64)
    assert sizes == [4, 4, 4]
    sizes.clear()
    ask(teacher, pictures(8))
    assert sizes == [4, 4]


def test_the_preprocessing_is_its_own():
    teacher = live(nn.Flatten(), classes=tuple(map(str, range(64))))
    inputs = pictures(3)
    assert torch.allclose(ask(teacher, inputs), (inputs.flatten(1) / 255 - 0.4) / 0.3, atol=1e-6)


def test_it_is_always_in_eval_mode():
    """Whatever the user's own code does to the module between two steps."""
    module = normed().train()
    teacher, inputs = live(module), pictures(20)
    first = ask(teacher, inputs)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    for disturb in (module.train, module[4].train, module[1].train, lambda: None):
        disturb()
        assert torch.equal(ask(teacher, inputs), first)
        assert not any(each.training for each in module.modules())
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert after["1.num_batches_tracked"] == 0


def test_no_gradient_reaches_it():
    module = normed()
    teacher = live(module)
    assert not any(parameter.requires_grad for parameter in module.parameters())
    module.requires_grad_()
    inputs = pictures(5).float().requires_grad_()
    logits = ask(teacher, inputs)
    assert not logits.requires_grad
    assert not torch.is_inference(logits), "a student's loss must be able to save it"
    student = torch.zeros(5, 10, requires_grad=True)
    nn.functional.kl_div(student.log_softmax(1), logits.softmax(1), reduction="batchmean").backward()
    assert all(parameter.grad is None for parameter in module.parameters())
    assert inputs.grad is None


def test_no_random_state_is_used():
    teacher = live(normed())
    state = torch.get_rng_state()
    ask(teacher, pictures(5))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_it_speaks_float32(dtype):
    class Cast(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10].to(dtype)

    assert ask(live(Cast()), pictures(3)).dtype == torch.float32


def test_classes_are_mapped_by_name():
    """A teacher that knows more classes, in another order."""
    names = ("z", "2", "9", "0", "1")
    teacher = live(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), classes=("0", "1", "2"), teacher_classes=names)
    plain = live(teacher.module, classes=names)
    inputs = pictures(6)
    assert torch.equal(ask(teacher, inputs), ask(plain, inputs)[:, [3, 4, 1]])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"teacher_classes": tuple("abcdefghij")}, "does not know '0', '1'"),
        ({"teacher_classes": tuple("012345678")}, "9 names, but the teacher has 10 outputs"),
        ({"teacher_classes": tuple("0123456788")}, "'8' more than once"),
        ({"classes": tuple("012")}, "10 outputs, the data 3 classes"),
    ],
)
def test_classes_that_cannot_be_mapped(given, named):
    with pytest.raises(ModelError, match=named):
        ask(live(normed(), **given), pictures(2))


class Returns(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x.flatten(1)[:, :10])


@pytest.mark.parametrize(
    "change",
    [
        lambda y: (y, y),
        lambda y: {"logits": y},
        lambda y: y[:, None],
        lambda y: y[:, 0],
        lambda y: y.mean(0, keepdim=True),
        lambda y: torch.cat([y, y]),
    ],
)
def test_other_outputs_than_logits_are_refused(change):
    with pytest.raises(ModelError, match=r"must give logits of shape \(128, classes\); it gave"):
        ask(live(Returns(change)), pictures(2))


def test_features_are_read_at_taps_row_for_row():
    teacher = live(normed(), taps=("1", "3"))
    inputs = pictures(CHUNK + 9)
    said = teacher.signals(batch_of(inputs))
    assert {name: tuple(value.shape) for name, value in said.features.items()} == {
        "1": (CHUNK + 9, 6, 6, 6),
        "3": (CHUNK + 9, 216),
    }
    assert torch.allclose(said.features["1"].relu().flatten(1), said.features["3"])
    assert torch.equal(said.logits, ask(live(normed()), inputs))
    alone = teacher.signals(batch_of(inputs[CHUNK + 3 :]))
    assert torch.equal(alone.features["3"], said.features["3"][CHUNK + 3 :])
    assert not any(each._forward_hooks for each in teacher.module.modules())


def test_the_fingerprint_is_of_all_that_matters():
    first = live(normed()).fingerprint()
    assert live(normed()).fingerprint() == first
    other = normed()
    with torch.no_grad():
        other[5].bias[3] += 1e-3
    moved = normed()
    moved[1].running_mean += 1e-3
    softer = normed()
    softer[2] = nn.LeakyReLU()
    different = [
        live(other),
        live(moved),
        live(softer),
        live(normed(), preprocess=PreprocessSpec(scale=1 / 255)),
        live(normed(), chunk=64),
        live(normed(), teacher_classes=NAMES[::-1]),
    ]
    assert len({first, *(each.fingerprint() for each in different)}) == 1 + len(different)


@pytest.mark.gpu
def test_on_the_gpu():
    teacher = live(normed(), device="cuda")
    inputs = pictures(CHUNK + 3)
    whole = ask(teacher, inputs.cuda())
    assert whole.device.type == "cuda"
    assert torch.equal(ask(teacher, inputs[5:9].cuda()), whole[5:9])
    assert torch.allclose(whole.cpu(), ask(live(normed()), inputs), atol=1e-3)
