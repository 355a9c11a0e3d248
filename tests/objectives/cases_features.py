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
from . import references_limits as limits
from .case import Case, labelled_weight
from .changes import (
    heads_turned,
    mirrored,
    moved,
    negated,
    positions_mirrored,
    scaled,
    shifted,
    stretched,
    swapped,
    together,
    tokens_turned,
    turned,
)
from .limits import Limit, Limits
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


def halved_and_mapped(s, state):
    return references.mapped(references.halved(s), state)


def pixels_mapped(s, state):
    return references.mapped(references.as_pixels(s, 1, 2, 2), state)


CHANNELS = Limits(
    partial(ChannelWise, *TAPS),
    Limit(limits.of_channels(limits.hot_channel)),
    Limit(limits.of_channels(limits.cold_channel), -1),
)

FACTORS = (("factor-transfer", "paraphraser."),)
"""The student follows the teacher's factors, whatever makes them."""

HINT = partial(case, "hint", kind=Hint)
AT = partial(case, "attention-transfer", kind=AttentionTransfer, same=(scaled, swapped), alike=(positions_mirrored,))
CWD = partial(case, "channel-wise", kind=ChannelWise, alike=(positions_mirrored,))
SELECTIVITY = partial(case, "nst", kind=NST, same=(scaled, swapped), alike=(positions_mirrored,))
PATIENT = partial(case, "pkd", kind=PKD, same=(scaled,))

CASES = (
    HINT(
        "grids",
        reference=references.hint(),
        world=GRIDS,
        divergence=True,
        alike=(positions_mirrored, together(moved), together(turned)),
    ),
    HINT(
        "tokens",
        reference=references.hint("mean-square"),
        world=TOKENS,
        divergence=True,
        alike=(positions_mirrored, together(moved), together(tokens_turned)),
        settings={"variant": "mean-square"},
    ),
    HINT("vectors", reference=references.hint(bridged=references.mapped), world=VECTORS, learned=True),
    HINT(
        "larger",
        reference=references.hint(bridged=halved_and_mapped),
        world=LARGER,
        learned=True,
        alike=(positions_mirrored,),
    ),
    HINT("pixels", reference=references.hint(bridged=pixels_mapped), world=PIXELS, learned=True),
    HINT(
        "wider tokens",
        reference=references.hint(bridged=references.mapped),
        world=WIDER_TOKENS,
        learned=True,
        alike=(positions_mirrored,),
    ),
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
    CWD("grids", reference=references.channel_wise(), world=GRIDS, divergence=True, same=(shifted,), limits=CHANNELS),
    CWD(
        "tokens",
        reference=references.channel_wise(1.0),
        world=TOKENS,
        divergence=True,
        same=(shifted,),
        limits=CHANNELS,
        settings={"temperature": 1.0},
    ),
    CWD("larger", reference=references.channel_wise(bridged=halved_and_mapped), world=LARGER, learned=True),
    SELECTIVITY("grids", reference=references.nst(), world=GRIDS, divergence=True),
    SELECTIVITY("tokens", reference=references.nst(), world=TOKENS, divergence=True),
    SELECTIVITY(
        "larger", reference=references.nst("linear", references.halved), world=LARGER, settings={"kernel": "linear"}
    ),
    case("vid", "grids", VID, references.vid(), WIDER, learned=True, negative=True, alike=(positions_mirrored,)),
    case(
        "vid",
        "tokens",
        VID,
        references.vid("mean"),
        TOKENS,
        learned=True,
        negative=True,
        alike=(positions_mirrored,),
        settings={"variant": "mean"},
    ),
    case("mgd", "grids", MGD, references.mgd(0.5), WIDER, learned=True, padding=False),
    case(
        "mgd",
        "other",
        MGD,
        references.mgd(0.3, 7),
        WIDER,
        learned=True,
        padding=False,
        settings={"ratio": 0.3, "seed": 7},
    ),
    case(
        "mgd",
        "grids",
        MGD,
        references.mgd(0.4, mask="channels"),
        WIDER,
        learned=True,
        padding=False,
        settings={"ratio": 0.4, "mask": "channels"},
    ),
    PATIENT("tokens", reference=references.pkd(), world=TOKENS, divergence=True),
    PATIENT(
        "tokens",
        reference=references.pkd(tokens="all"),
        world=TOKENS,
        divergence=True,
        alike=(positions_mirrored, together(tokens_turned)),
        settings={"tokens": "all"},
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
    case(
        "tinybert-hidden",
        "tokens",
        TinyBERTHidden,
        references.tinybert_hidden(),
        WIDER_TOKENS,
        learned=True,
        alike=(positions_mirrored,),
    ),
    case(
        "tinybert-hidden",
        "as wide",
        TinyBERTHidden,
        references.tinybert_hidden(),
        TOKENS,
        learned=True,
        alike=(positions_mirrored,),
    ),
    case(
        "activation-boundaries",
        "grids",
        ActivationBoundaries,
        references.activation_boundaries(),
        WIDER,
        learned=True,
        teacher_same=(scaled, stretched),
        alike=(positions_mirrored,),
    ),
    case(
        "activation-boundaries",
        "vectors",
        ActivationBoundaries,
        references.activation_boundaries(0.5, "mean"),
        VECTORS,
        learned=True,
        teacher_same=(scaled, stretched),
        settings={"margin": 0.5, "variant": "mean"},
    ),
    case(
        "factor-transfer",
        "grids",
        FactorTransfer,
        references.factor_transfer(),
        WIDER,
        learned=True,
        padding=False,
        given=FACTORS,
    ),
    case(
        "factor-transfer",
        "other",
        FactorTransfer,
        references.factor_transfer(2, "mean"),
        WIDER,
        learned=True,
        padding=False,
        given=FACTORS,
        settings={"power": 2, "variant": "mean", "rate": 0.7},
    ),
    Case(
        "fsp",
        "fsp",
        lambda: FSP(PAIR, PAIR),
        references.fsp(),
        FLOWS,
        divergence=True,
        same=(mirrored,),
        padding=False,
        stretch=1,
    ),
    Case(
        "fsp, wider",
        "fsp",
        lambda: FSP(PAIR, PAIR),
        references.fsp(True),
        WIDER_FLOWS,
        learned=True,
        same=(mirrored,),
        padding=False,
        stretch=1,
    ),
    Case(
        "attention-relations",
        "attention-relations",
        lambda: AttentionRelations(THREE, THREE, relation_heads=2),
        references.attention_relations(2),
        ATTENTION,
        divergence=True,
        same=(heads_turned(2),),
        alike=(positions_mirrored,),
        stretch=30,
    ),
    Case(
        "attention-relations, fused, of unlike width",
        "attention-relations",
        lambda: AttentionRelations(("tap",), ("tap",), relation_heads=1),
        references.fused_attention_relations(1),
        features_world((3, 12), (3, 6)),
        same=(heads_turned(3),),
        alike=(positions_mirrored,),
        stretch=30,
    ),
    Case(
        "review",
        "review",
        lambda: Review(PAIR, PAIR, width=3),
        references.review(),
        STAGES,
        learned=True,
        padding=False,
    ),
    Case(
        "ofa",
        "ofa",
        lambda: OFA("tap", classes=5),
        references.ofa(),
        exits_world,
        learned=True,
        student_same=(mirrored,),
        teacher_same=(shifted,),
        limits=Limits(
            lambda t: OFA("tap", classes=5, temperature=t), Limit(limits.hot_ofa(1.0)), Limit(limits.cold_ofa(1.0), 1)
        ),
    ),
    Case(
        "ofa, code, some unlabelled",
        "ofa",
        lambda: OFA("tap", classes=5, gamma=1.5, temperature=2.0, variant="code"),
        references.ofa(1.5, 2.0, "code"),
        half_labelled(exits_world),
        learned=True,
        student_same=(mirrored,),
        teacher_same=(shifted,),
        counts=labelled_weight,
    ),
    Case(
        "ofa, standardised",
        "ofa",
        lambda: OFA("tap", classes=5, gamma=2.0, temperature=2.0, standardize=True),
        references.ofa(2.0, 2.0, prepare=references.z_scores),
        exits_world,
        learned=True,
    ),
    Case(
        "crd",
        "crd",
        lambda: CRD("tap", "tap", width=4),
        references.crd(),
        UNLIKE,
        learned=True,
        same=(mirrored,),
        limits=Limits(
            lambda t: CRD("tap", "tap", width=4, temperature=t), Limit(limits.hot_crd), Limit(limits.cold_crd, 1)
        ),
    ),
    Case(
        "crd, memory",
        "crd",
        lambda: CRD("tap", "tap", width=4, memory=5, temperature=0.5),
        references.crd(0.5),
        UNLIKE,
        same=(mirrored,),
        learned=True,
    ),
    Case(
        "crd, the paper's critic",
        "crd",
        lambda: CRD("tap", "tap", width=4, memory=5, temperature=0.5, examples=50),
        references.crd(0.5, 50),
        UNLIKE,
        same=(mirrored,),
        learned=True,
    ),
    Case(
        "crd, the authors' critic",
        "crd",
        lambda: CRD("tap", "tap", width=4, temperature=0.5, examples=50, constant=80.0),
        references.crd(0.5, 50, 80.0),
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
        alike=(together(moved), together(turned), together(negated)),
        counts=labelled_weight,
    ),
)
