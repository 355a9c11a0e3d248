"""Objectives on activations: grids, tokens with padding, vectors, alike and bridged."""

from functools import partial

from limbeck.objectives import (
    CRD,
    FSP,
    MGD,
    NST,
    OFA,
    PKD,
    VID,
    ActivationBoundaries,
    AttentionRelations,
    AttentionTransfer,
    ChannelWise,
    FactorTransfer,
    GradientAttention,
    Hint,
    Review,
    TinyBERTHidden,
)

from . import references_features as references
from .case import Case, labelled_weight
from .worlds import exits_world, features_world, gradients_world, half_labelled

TAPS = ("tap", "tap")
GRIDS = features_world((3, 2, 4), (3, 2, 4))
WIDER = features_world((2, 3, 2), (4, 3, 2))  # no two equal axes first, which would be a square, channels last
LARGER = features_world((2, 4, 4), (3, 2, 2))
TOKENS = features_world((5, 4), (5, 4), real=5)
WIDER_TOKENS = features_world((5, 2), (5, 4), real=5)
PIXELS = features_world((5, 3), (2, 2, 2))
VECTORS = features_world((3,), (5,))
UNLIKE = features_world((3, 2, 2), (5,))
PAIR, THREE = ("tap", "tap-2"), ("tap", "tap-2", "tap-3")
FLOWS = features_world((2, 4, 4), (3, 2, 2), (2, 4, 4), (3, 2, 2))
WIDER_FLOWS = features_world((2, 4, 4), (3, 2, 2), (3, 2, 2), (2, 2, 2))
ATTENTION = features_world(*[(4, 6)] * 6, real=4)
STAGES = features_world((2, 4, 4), (3, 2, 2), (3, 4, 4), (2, 2, 2))


def case(method, name, kind, reference, world, **promises):
    settings = promises.pop("settings", {})
    return Case(
        ", ".join([method, name, *(f"{key} {value}" for key, value in settings.items())]),
        method,
        partial(kind, *TAPS, **settings),
        reference,
        world,
        **promises,
    )


def scaled(tensor):
    return 3 * tensor


def shifted(tensor):
    return tensor + 5


def swapped(tensor):
    """Channels in another order."""
    return tensor.flip(1) if tensor.ndim == 4 else tensor.flip(2)


def halved_and_mapped(s, state):
    return references.mapped(references.halved(s), state)


def pixels_mapped(s, state):
    return references.mapped(references.as_pixels(s, 1, 2, 2), state)


HINT = partial(case, "hint", kind=Hint)
AT = partial(case, "attention-transfer", kind=AttentionTransfer, same=(scaled, swapped))
CWD = partial(case, "channel-wise", kind=ChannelWise)
SELECTIVITY = partial(case, "nst", kind=NST, same=(scaled, swapped))
PATIENT = partial(case, "pkd", kind=PKD, same=(scaled,))

CASES = (
    HINT("grids", reference=references.hint(), world=GRIDS, divergence=True),
    HINT(
        "tokens",
        reference=references.hint("mean-square"),
        world=TOKENS,
        divergence=True,
        settings={"variant": "mean-square"},
    ),
    HINT("vectors", reference=references.hint(bridged=references.mapped), world=VECTORS, learned=True),
    HINT("larger", reference=references.hint(bridged=halved_and_mapped), world=LARGER, learned=True),
    HINT("pixels", reference=references.hint(bridged=pixels_mapped), world=PIXELS, learned=True),
    HINT("wider tokens", reference=references.hint(bridged=references.mapped), world=WIDER_TOKENS, learned=True),
    AT("grids", reference=references.attention_transfer(), world=GRIDS, divergence=True),
    AT(
        "grids",
        reference=references.attention_transfer("mean-square", 3.0),
        world=GRIDS,
        divergence=True,
        stretch=10,
        settings={"variant": "mean-square", "power": 3.0},
    ),
    AT("tokens", reference=references.attention_transfer(), world=TOKENS, divergence=True),
    AT("larger", reference=references.attention_transfer(student=references.halved), world=LARGER),
    CWD("grids", reference=references.channel_wise(), world=GRIDS, divergence=True, same=(shifted,)),
    CWD(
        "tokens",
        reference=references.channel_wise(1.0),
        world=TOKENS,
        divergence=True,
        same=(shifted,),
        settings={"temperature": 1.0},
    ),
    CWD("larger", reference=references.channel_wise(bridged=halved_and_mapped), world=LARGER, learned=True),
    SELECTIVITY("grids", reference=references.nst(), world=GRIDS, divergence=True),
    SELECTIVITY("tokens", reference=references.nst(), world=TOKENS, divergence=True),
    SELECTIVITY(
        "larger", reference=references.nst("linear", references.halved), world=LARGER, settings={"kernel": "linear"}
    ),
    case("vid", "grids", VID, references.vid(), WIDER, learned=True, negative=True),
    case(
        "vid", "tokens", VID, references.vid("mean"), TOKENS, learned=True, negative=True, settings={"variant": "mean"}
    ),
    case("mgd", "grids", MGD, references.mgd(0.5), WIDER, learned=True),
    case("mgd", "other", MGD, references.mgd(0.3, 7), WIDER, learned=True, settings={"ratio": 0.3, "seed": 7}),
    PATIENT("tokens", reference=references.pkd(), world=TOKENS, divergence=True),
    PATIENT(
        "tokens", reference=references.pkd(tokens="all"), world=TOKENS, divergence=True, settings={"tokens": "all"}
    ),
    case(
        "pkd",
        "vectors",
        PKD,
        references.pkd("mean-square", bridged=references.mapped),
        VECTORS,
        learned=True,
        settings={"variant": "mean-square"},
    ),
    case("tinybert-hidden", "tokens", TinyBERTHidden, references.tinybert_hidden(), WIDER_TOKENS, learned=True),
    case("tinybert-hidden", "as wide", TinyBERTHidden, references.tinybert_hidden(), TOKENS, learned=True),
    case(
        "activation-boundaries",
        "grids",
        ActivationBoundaries,
        references.activation_boundaries(),
        WIDER,
        learned=True,
    ),
    case(
        "activation-boundaries",
        "vectors",
        ActivationBoundaries,
        references.activation_boundaries(0.5, "mean"),
        VECTORS,
        learned=True,
        settings={"margin": 0.5, "variant": "mean"},
    ),
    case("factor-transfer", "grids", FactorTransfer, references.factor_transfer(), WIDER, learned=True),
    case(
        "factor-transfer",
        "other",
        FactorTransfer,
        references.factor_transfer(2, "mean"),
        WIDER,
        learned=True,
        settings={"power": 2, "variant": "mean", "rate": 0.7},
    ),
    Case("fsp", "fsp", lambda: FSP(PAIR, PAIR), references.fsp(), FLOWS, divergence=True, stretch=1),
    Case("fsp, wider", "fsp", lambda: FSP(PAIR, PAIR), references.fsp(True), WIDER_FLOWS, learned=True, stretch=1),
    Case(
        "attention-relations",
        "attention-relations",
        lambda: AttentionRelations(THREE, THREE, relation_heads=2),
        references.attention_relations(2),
        ATTENTION,
        divergence=True,
        stretch=30,
    ),
    Case(
        "attention-relations, fused, of unlike width",
        "attention-relations",
        lambda: AttentionRelations(("tap",), ("tap",), relation_heads=1),
        references.fused_attention_relations(1),
        features_world((3, 12), (3, 6)),
        stretch=30,
    ),
    Case("review", "review", lambda: Review(PAIR, PAIR, width=3), references.review(), STAGES, learned=True),
    Case("ofa", "ofa", lambda: OFA("tap", classes=5), references.ofa(), exits_world, learned=True),
    Case(
        "ofa, code, some unlabelled",
        "ofa",
        lambda: OFA("tap", classes=5, gamma=1.5, temperature=2.0, variant="code"),
        references.ofa(1.5, 2.0, "code"),
        half_labelled(exits_world),
        learned=True,
        counts=labelled_weight,
    ),
    Case("crd", "crd", lambda: CRD("tap", "tap", width=4), references.crd(), UNLIKE, learned=True),
    Case(
        "crd, memory",
        "crd",
        lambda: CRD("tap", "tap", width=4, memory=5, temperature=0.5),
        references.crd(0.5),
        UNLIKE,
        learned=True,
    ),
    Case(
        "crd, the paper's critic",
        "crd",
        lambda: CRD("tap", "tap", width=4, memory=5, temperature=0.5, examples=50),
        references.crd(0.5, 50),
        UNLIKE,
        learned=True,
    ),
    Case(
        "gradient-attention",
        "gradient-attention",
        GradientAttention,
        references.gradient_attention,
        half_labelled(gradients_world),
        divergence=True,
        counts=labelled_weight,
    ),
)
