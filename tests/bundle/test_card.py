"""The model card shows names as they are and lets no markup through. Its program is run in test_finish.py."""

from limbeck.bundle.card import Facts, card, program
from limbeck.bundle.config import BundleConfig, InputConfig, Quality
from limbeck.record import Export, Fingerprints, Latency, Parity


def configuration(**changes) -> BundleConfig:
    fields = {
        "limbeck_version": "0.1.0",
        "name": "digits",
        "task": "multiclass",
        "classes": ("zero", "one"),
        "input": InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8"),
        "preprocess": {},
        "student": {"family": "convnet", "width": 8},
        "quality": Quality(metric="accuracy", value=0.97, ci95=(0.95, 0.99), split="test"),
        "params": 12345,
        "fingerprints": Fingerprints(data="dd", teacher="tt", recipe="rr"),
    }
    return BundleConfig(**{**fields, **changes})


FACTS = Facts(
    teacher="resnet, 98.1% on test",
    method="soft targets at T=2",
    data="digits, 1347 examples",
    verdict="beats it by 1.2 points.",
    limits=("trained on 8 x 8 pixels",),
    machine="a processor",
)


def exported() -> Export:
    times = Latency(runtime="onnxruntime", threads=1, batch=1, repeats=9, p50=0.041, p90=0.05, p99=0.06, max=0.1)
    parity = Parity(examples=100, max_abs_error=1e-6, agreement=1.0, quality=0.97)
    return Export(format="onnx", path="model.onnx", size_bytes=78400, parity=parity, latency_ms=[times])


def test_it_tells_what_was_measured():
    text = card(configuration(), FACTS, [exported()])
    for piece in (
        "# digits", "accuracy on test: 0.97 (95% interval 0.95 to 0.99).", "12,345 parameters", "resnet, 98.1% on test",
        "soft targets at T=2", "beats it by 1.2 points.", "trained on 8 x 8 pixels", "78,400", "0.041 ms", "1 thread,",
        "a processor", "100.00%", "uint8 image, 1 x 8 x 8", "sha256 `rr`", "zero, one",
    ):  # fmt: skip
        assert piece in text


def test_what_is_unknown_is_left_out():
    text = card(configuration(quality=None), Facts())
    assert "Not measured." in text
    assert "distilled from" not in text
    assert "|---|" not in text


def test_names_from_outside_are_escaped():
    text = card(configuration(name="<script>alert(1)</script>", classes=("a|b", "*c*\n# d")), FACTS)
    assert "<script>" not in text
    assert "a\\|b" in text
    assert "\n# d" not in text


def test_many_classes_are_cut():
    text = card(configuration(classes=tuple(f"class{i}" for i in range(1000))), FACTS)
    assert "980 more" in text
    assert "class999" not in text


def test_the_program_is_five_lines():
    assert len(program(configuration()).splitlines()) == 5
