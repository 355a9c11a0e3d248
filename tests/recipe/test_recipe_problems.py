"""What is said about each mistake: one line, the place, what came, what was expected, the nearest right name."""

import pytest

from limbeck import recipe
from limbeck.errors import RecipeError

BASE = "data: {train: digits}\nteacher: given\n"


def said_about(text, tmp_path, overrides=None):
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        recipe.load(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("r.yaml:")
    return message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # unknown keys
        (BASE + "train: {epoch: 3}", "r.yaml:3:9: train.epoch: unknown key; did you mean train.epochs?"),
        (BASE + "trian: {epochs: 3}", "r.yaml:3:1: trian: unknown key; did you mean train?"),
        (BASE + "epochs: 3", "epochs: unknown key; did you mean train.epochs?"),
        (BASE + "student: {widht: 8}", "r.yaml:3:11: student.widht: unknown key; did you mean student.width?"),
        (BASE + "student: {learning-rate: 8}", "unknown key; known here: family, width"),
        (BASE + "objective: {temprature: 2}", "objective.temprature: unknown key; did you mean objective.temperature?"),
        (BASE + "objective: [{metod: hard-labels}]", "unknown key; did you mean objective[0].method?"),
        (BASE + "device: {latency: 3}", "did you mean device.latency_ms?"),
        (BASE + "objective: {weight: {kind: auto, value: 1}}", "objective.weight.value: unknown key"),
        ("data: {trian: digits}\nteacher: given", "r.yaml:1:8: data.trian: unknown key; did you mean data.train?"),
        (BASE + "zzz: 1", "zzz: unknown key; known here: name, task"),
        (
            "data: {train: digits}\nteacher: {train: {dept: 1}}",
            "teacher.train.dept: unknown key; did you mean teacher.train.depth?",
        ),
        (BASE + "train: {Learning_Rate: 1}", "did you mean train.learning_rate?"),
        # names
        (BASE + "objective: fitnets", "there is no 'fitnets'; it is called hint here"),
        (BASE + "objective: {method: RKD}", "there is no 'RKD'; it is called rkd-distance and rkd-angle here"),
        (BASE + "study: {methods: [kd]}", "there is no 'kd'; it is called soft-targets here"),
        (BASE + "objective: soft-target", "there is no 'soft-target'; did you mean soft-targets?"),
        (BASE + "student: {family: transformer9}", "there is no 'transformer9'; known: convnet"),
        (BASE + "objective: {weight: {kind: frist}}", "there is no 'frist'; did you mean first?"),
        ("data: {train: digits, views: {ops: [flop]}}\nteacher: given", "there is no 'flop'; did you mean flip?"),
        (BASE + "device: thermo", "did you mean thermostat?"),
        (BASE + "device: zzz", "or give limits of your own"),
        (BASE + "task: regression", "task: 'regression' is not built yet; use one of: multiclass"),
        (BASE + "export: onxx", "did you mean onnx?"),
        # wrong types
        (BASE + "train: {epochs: five}", "train.epochs: got 'five' (text), expected a whole number"),
        (BASE + "train: {epochs: 2.0}", "got 2.0 (a decimal number), expected a whole number"),
        (BASE + "train: {epochs: true}", "got true, expected a whole number"),
        (BASE + "train: {epochs: '3'}", "got '3' (text), expected a whole number"),
        (BASE + "train: {learning_rate: fast}", "got 'fast' (text), expected a number"),
        (BASE + "train: {epochs: }", "got nothing (null), expected a whole number"),
        (BASE + "train: [1]", "train: got a list, expected a mapping of settings"),
        (BASE + "student: convnet", "student: got 'convnet' (text), expected given, {family: convnet}"),
        (BASE + "student: {width: 2.5}", "student.width: got 2.5 (a decimal number), expected a whole number"),
        (BASE + "objective: 3", "objective: got 3 (a whole number), expected {method: soft-targets} or a list"),
        (BASE + "objective: [3]", "objective[0]: got 3"),
        (BASE + "objective: []", "objective: got a list of 0, expected at least 1"),
        (BASE + "objective: {temperature: hot}", "objective.temperature: got 'hot' (text), expected a number"),
        (BASE + "objective: {weight: much}", "objective.weight: got 'much' (text), expected"),
        ("data: digits\nteacher: given", "data: got 'digits' (text), expected a mapping"),
        ("data: {train: 3}\nteacher: given", "data.train: got 3 (a whole number), expected text"),
        ("data: {train: ''}\nteacher: given", "data.train: got '' (text), expected some text"),
        ("data: {train: digits}\nteacher: resnet", "teacher: got 'resnet' (text), expected given, {train:"),
        ("data: {train: digits, size: [8]}\nteacher: given", "data.size: got a list of 1, expected a longer one"),
        ("data: {train: digits, size: [8, 8, 8]}\nteacher: given", "data.size: got a list of 3, expected 2 entries"),
        (
            "data: {train: digits, size: [8, '8']}\nteacher: given",
            "data.size[1]: got '8' (text), expected a whole number",
        ),
        ("data: {train: digits, classes: [a]}\nteacher: given", "data.classes: got a list of 1, expected at least 2"),
        # ranges
        (BASE + "train: {epochs: 0}", "got 0 (a whole number), expected a number of at least 1"),
        (BASE + "train: {learning_rate: -1}", "expected a number above 0"),
        (BASE + "train: {learning_rate: .inf}", "expected a finite number"),
        (BASE + "train: {momentum: 1}", "expected a number below 1"),
        (BASE + "verdict: {margin: .nan}", "expected a finite number"),
        (BASE + "seed: -1", "seed: got -1"),
        (BASE + "name: ../../etc", "name: got '../../etc' (text), expected letters"),
        (BASE + "runtime: {device: gpu}", "expected auto, cpu, cuda, cuda:N or mps"),
        (BASE + "runtime: {mixed_precision: false}", 'expected no, bf16 or fp16 (write "no" in quotes)'),
        (BASE + "objective: {temperature: 0}", "objective.temperature: 0.0 is not a positive number"),
        (
            BASE + "objective: {method: hard-labels, label_smoothing: 1}",
            "objective.label_smoothing: 1.0 is not in [0, 1)",
        ),
        (BASE + "objective: {weight: -1}", "objective.weight: value = -1.0 is not a finite number"),
        (BASE + "objective: {weight: {kind: first, share: 2}}", "objective.weight.share: 2.0 is not in (0, 1]"),
        (BASE + "objective: {weight: {kind: late, after: 1}}", "objective.weight.after: 1.0 is not in [0, 1)"),
        (
            "data: {train: digits, keep_labels: 2}\nteacher: given",
            "data.keep_labels: got 2 (a whole number), expected a number of at most 1",
        ),
        (
            "data: {train: digits, views: {ops: [{op: shift, pixels: 0}]}}\nteacher: given",
            "data.views.ops[0].pixels: expected",
        ),
        # missing
        ("teacher: given", "data: missing; say where the examples are"),
        ("data: {train: digits}", "teacher: missing; give {train: {family: resnet}}"),
        ("data: {}\nteacher: given", "data.train: missing"),
        ("", "got nothing (null), expected settings"),
        ("[1, 2]", "got a list, expected settings"),
        # contradictions
        ("data: {train: 'hf:a/b', take: 5}\nteacher: given", "data.take: is for streams; add data.streaming: true"),
        ("data: {train: 'hf:a/b', streaming: true}\nteacher: given", "data.streaming: a stream has no row numbers"),
        ("data: {train: t.csv, columns: {input: [a, a]}}\nteacher: given", "data.columns.input"),
        (BASE + "student: {family: convnet, module: 'a:b'}", "student: got both family and module"),
        ("data: {train: digits}\nteacher: {min_quality: 1}", "teacher: got neither of train and from"),
        ("data: {train: digits}\nteacher: {train: {}, from: 'a:b'}", "teacher: got both of train and from"),
        (
            "data: {train: digits}\nteacher: {train: {}, weights: w.pt}",
            "teacher.weights: belongs to a teacher that exists",
        ),
        ("data: {train: digits}\nteacher: {from: given, weights: w.pt}", "a given teacher brings its own weights"),
        ("data: {train: digits}\nteacher: {from: nonsense}", "got 'nonsense', expected module:function"),
        (BASE + "student: {module: nonsense}", "student.module: got 'nonsense', expected module:function"),
        (BASE + "device: {}", "device: no limit is given"),
        (BASE + "device: {name: phone, size_kb: 3}", "got a profile's name and limits"),
        (BASE + "objective: {weight: 0}", "objective: every weight is 0"),
        (BASE + "tune: {trials: 0}\nobjective: {temperature: auto}", "objective.temperature: auto is chosen by tuning"),
        (BASE + "tune: {trials: 0}\nobjective: {weight: auto}", "objective.weight: auto is chosen by tuning"),
        (BASE + "tune: {trials: 1, finalists: 2}", "tune.finalists: 2 finalists cannot come from 1 trials"),
        (
            BASE + "objective: [{weight: auto, method: soft-targets}, {method: hard-labels}]",
            "objective[0].weight: auto balances",
        ),
        (
            BASE + "train: {compile: true}\nobjective: gradient-attention",
            "train.compile: gradient-attention differentiates",
        ),
        (BASE + "objective: {method: hard-labels, weight: auto}", "objective.weight: auto balances"),
        (
            BASE + "objective: {weight: auto, standardize: true}",
            "objective.standardize: an open weight tries plain soft targets only",
        ),
        (
            BASE + "objective: {standardize: true, temperature: 2}\nguide: {signal: sampled, draws: 5, temperature: 2}",
            "objective.standardize: needs all logits",
        ),
        (
            BASE + "objective: {method: dkd}\nguide: {signal: top-k, k: 2}",
            "objective.method: dkd cannot read the signal 'top-k'",
        ),
        (
            BASE + "objective: {method: embedding}\nguide: {signal: top-k, k: 2}",
            "objective.method: embedding cannot read the signal 'top-k'",
        ),
        (BASE + "objective: {method: skew-kl, alpha: 1}", "objective.alpha: 1.0 is not in [0, 1)"),
        (BASE + "objective: {method: margin-mse}", "margin-mse is not defined for task multiclass"),
        (BASE + "export: [onnx, executorch]", "export[1]: 'executorch' is planned, but not built yet"),
        (BASE + "export: [onnx, onnx]", "export: onnx is named more than once"),
        ("data: {train: digits, classes: [a, a]}\nteacher: given", "data.classes: a is named more than once"),
        # trust
        (BASE + "trust_code: true", "trust is not a setting: remove the key, and pass --trust-code"),
        (BASE + "trust_code: false", "trust is not a setting"),
    ],
)
def test_each_mistake_is_named_with_its_mend(text, said, tmp_path):
    assert said in said_about(text, tmp_path)


def test_all_problems_are_listed_together_in_the_order_of_the_file(tmp_path):
    text = BASE + "train: {epochs: five, batch_size: 2.5}\nstudent: {widht: 3}\n"
    text += "objective: {methd: x, temperature: -1}\nseed: -1"
    message = said_about(text, tmp_path)
    assert message.startswith("r.yaml: 6 problems: (1) 3:9 train.epochs:")
    places = [
        message.index(key) for key in ("train.epochs", "train.batch_size", "student.widht", "objective.methd", "seed:")
    ]
    assert places == sorted(places)


def test_a_guide_without_logits_is_fine_where_only_taps_are_read(tmp_path):
    tapped = "objective: {method: embedding, student: layer2, teacher: blocks.3}\n"
    (tmp_path / "r.yaml").write_text(BASE + tapped + "guide: {signal: top-k, k: 2}", encoding="utf-8")
    assert recipe.load(tmp_path / "r.yaml").objective[0].settings["teacher"] == "blocks.3"


def test_a_misspelt_required_key_is_one_problem(tmp_path):
    assert "missing" not in said_about("dat: {train: digits}\nteacher: given", tmp_path)


def test_trust_cannot_be_set_either(tmp_path):
    assert "trust is not a setting" in said_about(BASE, tmp_path, {"trust_code": True})


def test_what_an_override_breaks_is_said_too(tmp_path):
    text = BASE + "train: {epochs: 3}\nobjective: {temperature: 1}"
    assert said_about(text, tmp_path, {"train.epochs": "x"}).startswith("r.yaml: --set train.epochs: got 'x' (text)")
    assert said_about(text, tmp_path, {"objective.temperature": 0}).startswith(
        "r.yaml: --set objective.temperature: 0.0 is"
    )
    assert said_about(text, tmp_path, {"tune.trials": -1}).startswith("r.yaml: --set tune.trials: got -1")
