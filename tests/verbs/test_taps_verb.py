"""`taps` lists what can be read of a model or of a recipe's models, and proposes pairs that a recipe takes."""

import json
import re

import pytest
import torch
from torch import nn

import limbeck as lk
from limbeck import cli
from limbeck import recipe as recipes
from limbeck.cli.taps import taps_lines
from limbeck.errors import InputError, ModelError, TrustError
from limbeck.exporting.onnx import to_onnx
from limbeck.measuring.cost import macs, parameters
from limbeck.tapping import Place, shapes
from limbeck.verbs.example_inputs import batch_of
from limbeck.verbs.pairing import pairs

SMALL = {
    "data": {"train": "digits"},
    "teacher": {"train": {"width": 4, "depth": 2, "epochs": 1}},
    "student": {"width": 4, "depth": 2},
}


def blocks(count, width, name="blocks"):
    """A stack of transformer blocks on a grid of 4 x 4, as `shapes` would list it."""
    places = [
        Place(f"{name}.{number}", "Block", "tokens", (17, width), 1, 1, 10 * (number + 1), 1) for number in range(count)
    ]
    return [*places, Place(name, "Sequential", "tokens", (17, width), 1, 1, 10 * count, 1)]


def stages(*grids, name="layer"):
    """A network whose grid halves: two blocks a stage."""
    places = []
    for number, grid in enumerate(grids):
        for part in (f"{name}{number}.0", f"{name}{number}.1", f"{name}{number}"):
            work = 20 * number + (10 if part.endswith(".0") else 20)
            places.append(Place(part, "Block", "map", (8, grid, grid), 1, 1, work, 1))
    last = 20 * len(grids)
    return [
        *places,
        Place("pool", "Pool", "vector", (8,), 1, 1, last, 1),
        Place("head", "Linear", "vector", (3,), 1, 1, last + 1, 1),
    ]


def named(found):
    return [(pair.student, pair.teacher) for pair in found]


def test_a_model_goes_with_itself():
    for places in (stages(16, 8, 4), blocks(4, 24)):
        found = named(pairs(places, places))
        assert found
        assert all(one == other for one, other in found)


def test_stages_of_one_grid_go_together():
    found = pairs(stages(16, 8), stages(32, 16, 8, 4, name="stage"))
    assert named(found) == [("layer0", "stage1"), ("layer1", "stage2")]
    assert found[0].why == "both 16 x 16, after 49% of the student's work and 49% of the teacher's"
    assert named(pairs(stages(32, 16, 8, 4, name="stage"), stages(16, 8))) == [
        ("stage1", "layer0"), ("stage2", "layer1"),
    ]  # fmt: skip


def test_blocks_of_one_relative_depth_go_together():
    assert named(pairs(blocks(3, 24), blocks(12, 48, "layers"))) == [
        ("blocks.0", "layers.3"), ("blocks.1", "layers.7"), ("blocks.2", "layers.11"),
    ]  # fmt: skip
    four = named(pairs(blocks(12, 24), blocks(12, 48)))
    assert four == [(f"blocks.{number}", f"blocks.{number}") for number in (2, 5, 8, 11)]


def test_without_a_common_grid_depth_decides():
    found = pairs(stages(16, 8), stages(28, 14, 7, 5))
    assert named(found) == [("layer0", "layer1"), ("layer1", "layer3")]
    assert found[0].why.startswith("no grid in common; after 49%")


def test_sequences_and_what_cannot_be_bridged():
    def places(tokens, width):
        return [Place(f"layer.{n}", "Layer", "tokens", (tokens, width), 1, 1, 10 * (n + 1), 1) for n in range(3)]

    found = pairs(places(7, 16), places(12, 32))
    assert found[0].line == "{method: pkd, tokens: all, student: layer.0, teacher: layer.0}"
    assert pairs([], stages(8)) == []
    last = [
        Place("2", "Relu", "unclear", (16, 16, 8), 1, 1, 10, 1),
        Place("3", "Relu", "map", (8, 4, 4), 1, 1, 20, 2),
    ]
    assert pairs(last, stages(4)) == [], "it must be said what it is; runs twice"


def test_channels_last_are_paired_by_their_grid():
    swin = [
        Place(f"layers.{n}", "Stage", "channels-last", (g, g, 24), 1, 1, 20 * n + 20, 1) for n, g in enumerate((16, 8))
    ]
    assert named(pairs(swin, stages(16, 8))) == [("layers.0", "layer0"), ("layers.1", "layer1")]
    assert named(pairs(stages(16, 8), swin)) == [("layer0", "layers.0"), ("layer1", "layers.1")]


def test_names_that_are_numbers_stay_text():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    places = shapes(net, torch.zeros(3, 1, 5, 5))
    (pair,) = pairs(places, places)
    assert "student: '1', teacher: '1'" in pair.line


def test_a_recipes_models_and_pairs_that_it_takes():
    found = lk.taps(model=SMALL)
    student, teacher = found.models
    assert (student.role, student.name, teacher.role, teacher.name) == ("student", "convnet", "teacher", "resnet")
    assert student.input == [(1, 8, 8)]
    assert student.places[-1].params == student.params
    assert found.pairs
    paths = [{place.path for place in model.places} for model in (student, teacher)]
    for pair in found.pairs:
        assert pair.student in paths[0]
        assert pair.teacher in paths[1]
    terms = "[{method: soft-targets, temperature: 2}, " + ", ".join(pair.line for pair in found.pairs) + "]"
    recipe = recipes.from_mapping({**SMALL, "objective": recipes.text.parse(terms, "here").values})
    assert [term.method for term in recipe.objective][1:] == ["hint"] * len(found.pairs)


def test_a_recipe_of_which_a_tap_is_wrong_is_listed_too(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps({**SMALL, "objective": {"method": "hint", "student": "nowhere", "teacher": "gone"}}))
    assert len(lk.taps(model=path).models) == 2
    assert lk.taps(model=tmp_path) == lk.taps(model=path), "a run's folder"


def test_a_module_is_run_on_a_size_or_on_inputs():
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    found = lk.taps(model=net, size=(6,)).models[0]
    assert (found.places[-1].macs, found.params) == (macs(net, torch.zeros(1, 6)), parameters(net))
    assert lk.taps(model=net, inputs=torch.zeros(5, 6)).models[0] == found
    for wrong in ({}, {"size": (6,), "inputs": torch.zeros(3, 6)}, {"inputs": (torch.zeros(3, 6), torch.zeros(2))}):
        with pytest.raises(InputError, match="taps: "):
            lk.taps(model=net, **wrong)
    with pytest.raises(ModelError, match=r"taps: Sequential fails on an example of \(5,\): "):
        lk.taps(model=net, size=(5,))
    with pytest.raises(InputError, match="leave out size"):
        lk.taps(model=SMALL, size=(5,))


def test_models_by_name(tmp_path, monkeypatch):
    pytest.importorskip("torchvision")
    found = lk.taps(model="torchvision:squeezenet1_1", size=(1, 64, 64)).models[0]
    assert found.input == [(1, 64, 64)]
    assert found.places[0].shape == (64, 31, 31)
    (tmp_path / "tapped_mine.py").write_text("from torch import nn\ndef make(width=3): return nn.Linear(2, width)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrustError):
        lk.taps(model="tapped_mine:make", size=(2,))
    found = lk.taps(model="tapped_mine:make", size=(2,), trust_code=True, overrides={"settings.width": 7})
    assert found.models[0].params == 21
    with pytest.raises(InputError, match="--size 3x64x64"):
        lk.taps(model="tapped_mine:make", trust_code=True)
    with pytest.raises(InputError):
        lk.taps(model="nothing-like-it")


TOKENS = """
import torch
from torch import nn


class Tokens(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.embedding = nn.Embedding(20, width)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(width, 2, 16, batch_first=True) for _ in range(2))
        self.head = nn.Linear(width, 3)

    def forward(self, input_ids, mask=None):
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=None if mask is None else mask == 0)
        return self.head(x[:, 0])


def make(width=8):
    return Tokens(width)


def bert():
    from transformers import BertConfig, BertForSequenceClassification

    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    return BertForSequenceClassification(BertConfig(vocab_size=20, **small))
"""


@pytest.fixture(scope="module")
def token_folder(tmp_path_factory):
    """One for all tests: a process loads one module of a name."""
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "tapped_tokens.py").write_text(TOKENS)
    return folder


@pytest.fixture
def token_models(token_folder, monkeypatch):
    monkeypatch.chdir(token_folder)


@pytest.mark.parametrize(
    "given",
    [["int:7"], ["int:7", "ones:7"], ["input_ids=int:7"], ["mask=ones:7", "input_ids=int:7"]],
    ids=" ".join,
)
def test_token_models_by_their_inputs_in_words(given, token_models, capsys):
    flags = [word for each in given for word in ("--input", each)]
    with pytest.raises(SystemExit) as left:
        cli.main(["taps", "tapped_tokens:make", "--trust-code", "--json", *flags])
    said = capsys.readouterr()
    assert left.value.code == 0, said.err
    (model,) = json.loads(said.out)["models"]
    assert model["input"] == [[7]] * len(given)
    places = {place["path"]: place for place in model["places"]}
    assert places["embedding"]["shape"] == [7, 8]
    assert [places[f"layers.{n}"]["kind"] for n in (0, 1)] == ["tokens", "tokens"]
    assert lk.taps(model="tapped_tokens:make", trust_code=True, inputs=given).model_dump(mode="json")["models"] == [
        model
    ]


def test_a_token_model_that_is_given_numbers_says_what_to_do(token_models):
    with pytest.raises(ModelError, match=r"say --input int:7, if several tensors, --input NAME=int:7 for each"):
        lk.taps(model="tapped_tokens:make", size=(7,), trust_code=True)
    with pytest.raises(InputError, match="--input int:20 for 20 token ids"):
        lk.taps(model="tapped_tokens:make", trust_code=True)
    with pytest.raises(ModelError, match=r"fails on an example of \(7,\), \(7,\): .*unexpected keyword argument 'ids'"):
        lk.taps(model="tapped_tokens:make", inputs=["ids=int:7", "mask=ones:7"], trust_code=True)
    with pytest.raises(InputError, match="leave out size and input"):
        lk.taps(model=SMALL, inputs=["int:7"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["20"], "--input 20: expected KIND:SHAPE or NAME=KIND:SHAPE"),
        (["tokens:20"], "kinds are int"),
        (["int:20x"], "expected KIND"),
        (["int:0"], "length 0"),
        (["my ids=int:20"], "expected KIND"),
        (["int:20", "mask=ones:20"], "NAME=int:20"),
        (["mask=int:20", "mask=ones:20"], "a name stands twice"),
        ([], "nothing was given"),
    ],
)
def test_inputs_that_say_nothing_are_refused(given, words):
    with pytest.raises(InputError, match=re.escape(words)):
        batch_of(given, 3)


def test_inputs_in_words():
    shaped = batch_of(["float:3x4x5", "int", "bool:2"], 3)
    assert [(tuple(each.shape), each.dtype) for each in shaped] == [
        ((3, 3, 4, 5), torch.float32), ((3,), torch.int64), ((3, 2), torch.bool),
    ]  # fmt: skip
    assert shaped[2].all()
    assert torch.equal(batch_of(["ones:2"], 3), torch.ones(3, 2, dtype=torch.int64))


def test_a_model_of_transformers_on_the_command_line(token_models, capsys):
    pytest.importorskip("transformers")
    flags = ["--input", "input_ids=int:7", "--input", "attention_mask=ones:7"]
    with pytest.raises(SystemExit) as left:
        cli.main(["taps", "tapped_tokens:bert", "--trust-code", "--json", *flags])
    said = capsys.readouterr()
    assert left.value.code == 0, said.err
    places = {place["path"]: place for place in json.loads(said.out)["models"][0]["places"]}
    assert [places[f"bert.encoder.layer.{n}"]["shape"] for n in (0, 1)] == [[7, 16]] * 2


def test_black_boxes_hold_nothing_to_tap(tmp_path):
    path = tmp_path / "teacher.onnx"
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()
    to_onnx(net, torch.zeros(2, 1, 8, 8), path)
    with pytest.raises(ModelError, match="asked and never looked into"):
        lk.taps(model=str(path))
    found = lk.taps(model={**SMALL, "teacher": {"from": str(path)}})
    assert (found.models[1].params, found.models[1].places, found.pairs) == (650, [], [])
    assert taps_lines(found)[-1] == "No layers of the two seem to go together."


def test_the_table_goes_as_deep_as_40_rows_do():
    net = nn.Sequential(*(nn.Sequential(*(nn.ReLU() for _ in range(9))) for _ in range(5)))
    found = lk.taps(model=net, size=(4,))
    lines = taps_lines(found)
    assert lines[0] == "model: Sequential, 0 parameters, input 4"
    assert [line.split()[0] for line in lines[2:7]] == ["0", "1", "2", "3", "4"]
    assert lines[7:] == ["45 more lie deeper: --depth 2 lists all"]
    assert len(taps_lines(found, 2)) == 2 + 50


def test_the_command(tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(SMALL))
    for flags, code in (([], 0), (["--json"], 0), (["--size", "3xtwo"], 2)):
        with pytest.raises(SystemExit) as left:
            cli.main(["taps", str(path), *flags])
        said = capsys.readouterr()
        assert left.value.code == code, said.err
        if flags == ["--json"]:
            assert lk.taps(model=path).model_dump(mode="json") == json.loads(said.out)
        elif not flags:
            assert "Pairs to try" in said.out
            assert "  - {method: hint, variant: mean-square, student: body" in said.out
        else:
            assert "expected channels, rows and columns" in said.err
