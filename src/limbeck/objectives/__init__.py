"""What a student can be asked to imitate: one method, one file; they add up and take weights.

Example:
    >>> from limbeck.objectives import HardLabels, SoftTargets
    >>> objective = 0.9 * SoftTargets(temperature=2) + 0.1 * HardLabels()
    >>> str(objective)
    '0.9 * SoftTargets(temperature=2) + 0.1 * HardLabels()'
"""

from limbeck.objectives import convert as convert
from limbeck.objectives.activation_boundaries import ActivationBoundaries
from limbeck.objectives.attention_relations import AttentionRelations
from limbeck.objectives.attention_transfer import AttentionTransfer
from limbeck.objectives.binary_labels import BinaryLabels
from limbeck.objectives.binary_targets import BinaryTargets
from limbeck.objectives.bounded_regression import BoundedRegression
from limbeck.objectives.card import MethodCard
from limbeck.objectives.correlation import CorrelationCongruence
from limbeck.objectives.crd import CRD
from limbeck.objectives.cwd import ChannelWise
from limbeck.objectives.cwtm import CWTM
from limbeck.objectives.dist import DIST
from limbeck.objectives.dkd import DKD
from limbeck.objectives.dkpp import DKPP
from limbeck.objectives.embedding import Embedding
from limbeck.objectives.factor_transfer import FactorTransfer
from limbeck.objectives.fsp import FSP
from limbeck.objectives.gradient_attention import GradientAttention
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.hint import Hint
from limbeck.objectives.jensen_shannon import JensenShannon
from limbeck.objectives.logit_mse import LogitMSE
from limbeck.objectives.margin_mse import MarginMSE
from limbeck.objectives.mgd import MGD
from limbeck.objectives.nst import NST
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.ofa import OFA
from limbeck.objectives.pkd import PKD
from limbeck.objectives.pkt import PKT
from limbeck.objectives.regression_labels import RegressionLabels
from limbeck.objectives.regression_targets import RegressionTargets
from limbeck.objectives.reverse_kl import ReverseKL
from limbeck.objectives.review import Review
from limbeck.objectives.rkd_angle import RKDAngle
from limbeck.objectives.rkd_distance import RKDDistance
from limbeck.objectives.schedule import Constant, Decay, First, Late, Rise, Schedule
from limbeck.objectives.similarity import SimilarityPreserving
from limbeck.objectives.skew_kl import SkewKL
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.teacher_labels import TeacherLabels
from limbeck.objectives.tinybert_hidden import TinyBERTHidden
from limbeck.objectives.vid import VID
from limbeck.objectives.weighted import WeightedSum, as_sum, objective_fingerprint

METHODS = {
    "soft-targets": "limbeck.objectives.soft_targets:SoftTargets",
    "hard-labels": "limbeck.objectives.hard_labels:HardLabels",
    "teacher-labels": "limbeck.objectives.teacher_labels:TeacherLabels",
    "rkd-distance": "limbeck.objectives.rkd_distance:RKDDistance",
    "rkd-angle": "limbeck.objectives.rkd_angle:RKDAngle",
    "similarity-preserving": "limbeck.objectives.similarity:SimilarityPreserving",
    "correlation-congruence": "limbeck.objectives.correlation:CorrelationCongruence",
    "pkt": "limbeck.objectives.pkt:PKT",
    "reverse-kl": "limbeck.objectives.reverse_kl:ReverseKL",
    "jensen-shannon": "limbeck.objectives.jensen_shannon:JensenShannon",
    "skew-kl": "limbeck.objectives.skew_kl:SkewKL",
    "logit-mse": "limbeck.objectives.logit_mse:LogitMSE",
    "dkd": "limbeck.objectives.dkd:DKD",
    "dist": "limbeck.objectives.dist:DIST",
    "cwtm": "limbeck.objectives.cwtm:CWTM",
    "dkpp": "limbeck.objectives.dkpp:DKPP",
    "binary-targets": "limbeck.objectives.binary_targets:BinaryTargets",
    "binary-labels": "limbeck.objectives.binary_labels:BinaryLabels",
    "regression-targets": "limbeck.objectives.regression_targets:RegressionTargets",
    "regression-labels": "limbeck.objectives.regression_labels:RegressionLabels",
    "bounded-regression": "limbeck.objectives.bounded_regression:BoundedRegression",
    "embedding": "limbeck.objectives.embedding:Embedding",
    "margin-mse": "limbeck.objectives.margin_mse:MarginMSE",
    "hint": "limbeck.objectives.hint:Hint",
    "attention-transfer": "limbeck.objectives.attention_transfer:AttentionTransfer",
    "channel-wise": "limbeck.objectives.cwd:ChannelWise",
    "nst": "limbeck.objectives.nst:NST",
    "vid": "limbeck.objectives.vid:VID",
    "mgd": "limbeck.objectives.mgd:MGD",
    "pkd": "limbeck.objectives.pkd:PKD",
    "tinybert-hidden": "limbeck.objectives.tinybert_hidden:TinyBERTHidden",
    "activation-boundaries": "limbeck.objectives.activation_boundaries:ActivationBoundaries",
    "factor-transfer": "limbeck.objectives.factor_transfer:FactorTransfer",
    "fsp": "limbeck.objectives.fsp:FSP",
    "attention-relations": "limbeck.objectives.attention_relations:AttentionRelations",
    "review": "limbeck.objectives.review:Review",
    "ofa": "limbeck.objectives.ofa:OFA",
    "crd": "limbeck.objectives.crd:CRD",
    "gradient-attention": "limbeck.objectives.gradient_attention:GradientAttention",
}
"""Recipe name -> where the class lives. Its module also holds the method's `CARD`."""

SCHEDULES = {
    "constant": "limbeck.objectives.schedule:Constant",
    "decay": "limbeck.objectives.schedule:Decay",
    "first": "limbeck.objectives.schedule:First",
    "late": "limbeck.objectives.schedule:Late",
    "rise": "limbeck.objectives.schedule:Rise",
}

__all__ = [
    "CRD",
    "CWTM",
    "DIST",
    "DKD",
    "DKPP",
    "FSP",
    "METHODS",
    "MGD",
    "NST",
    "OFA",
    "PKD",
    "PKT",
    "SCHEDULES",
    "VID",
    "ActivationBoundaries",
    "AttentionRelations",
    "AttentionTransfer",
    "BinaryLabels",
    "BinaryTargets",
    "BoundedRegression",
    "ChannelWise",
    "Constant",
    "CorrelationCongruence",
    "Decay",
    "Embedding",
    "FactorTransfer",
    "First",
    "GradientAttention",
    "HardLabels",
    "Hint",
    "JensenShannon",
    "Late",
    "LogitMSE",
    "MarginMSE",
    "MethodCard",
    "Needs",
    "Objective",
    "RKDAngle",
    "RKDDistance",
    "RegressionLabels",
    "RegressionTargets",
    "ReverseKL",
    "Review",
    "Rise",
    "Schedule",
    "SimilarityPreserving",
    "SkewKL",
    "SoftTargets",
    "TeacherLabels",
    "TinyBERTHidden",
    "WeightedSum",
    "as_sum",
    "objective_fingerprint",
]
