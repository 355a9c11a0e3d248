"""Losses of other toolkits, said in Limbeck's terms: the same number and the same gradient, so recipes can be repeated.

"T = 4, alpha = 0.5" is another loss nearly everywhere: some divide by the number of classes, some leave the square of
the temperature out, some weigh the labels with alpha and some the teacher. Each function here takes the toolkit's
arguments under their names there, and its docstring prints the toolkit's formula: `KL_T` is the divergence of the
softened distributions, summed over classes, mean over rows, without a square, and `CE` the cross-entropy on labels.

Losses on activations are the same number for the same two activations. What a toolkit puts between the student's layer
and the teacher's (regressors, connectors) is a bridge here (`limbeck.objectives.bridges`): a 1x1 map of channels behind
a resize. Where that is another network, the docstring says so.

`as_recipe` writes any objective down as the lines of a recipe. Values are equal for batches whose rows all have weight
1 and are all labelled. Where the toolkits do not say what an unlabelled row means, Limbeck leaves it out of `CE` and
keeps it in `KL_T`.
"""

from limbeck.objectives.convert.as_recipe import as_recipe
from limbeck.objectives.convert.deit import from_deit
from limbeck.objectives.convert.mdistiller import (
    from_mdistiller,
    from_mdistiller_at,
    from_mdistiller_crd,
    from_mdistiller_dkd,
    from_mdistiller_fitnet,
    from_mdistiller_nst,
    from_mdistiller_pkt,
    from_mdistiller_reviewkd,
    from_mdistiller_rkd,
    from_mdistiller_sp,
    from_mdistiller_vid,
)
from limbeck.objectives.convert.modelopt import from_modelopt, from_modelopt_mgd
from limbeck.objectives.convert.torchdistill import (
    from_torchdistill,
    from_torchdistill_ab,
    from_torchdistill_at,
    from_torchdistill_crd,
    from_torchdistill_dist,
    from_torchdistill_ft,
    from_torchdistill_pkt,
    from_torchdistill_review,
    from_torchdistill_rkd,
    from_torchdistill_vid,
)

CONVERTERS = {
    "DeiT DistillationLoss": from_deit,
    "ModelOpt LogitsDistillationLoss": from_modelopt,
    "ModelOpt MGDLoss": from_modelopt_mgd,
    "torchdistill KDLoss": from_torchdistill,
    "torchdistill LogitStdKDLoss": from_torchdistill,
    "torchdistill ATLoss": from_torchdistill_at,
    "torchdistill RKDLoss": from_torchdistill_rkd,
    "torchdistill PKTLoss": from_torchdistill_pkt,
    "torchdistill VIDLoss": from_torchdistill_vid,
    "torchdistill FTLoss": from_torchdistill_ft,
    "torchdistill AltActTransferLoss": from_torchdistill_ab,
    "torchdistill DISTLoss": from_torchdistill_dist,
    "torchdistill CRDLoss": from_torchdistill_crd,
    "torchdistill HierarchicalContextLoss": from_torchdistill_review,
    "mdistiller KD": from_mdistiller,
    "mdistiller DKD": from_mdistiller_dkd,
    "mdistiller FitNet": from_mdistiller_fitnet,
    "mdistiller AT": from_mdistiller_at,
    "mdistiller NST": from_mdistiller_nst,
    "mdistiller RKD": from_mdistiller_rkd,
    "mdistiller SP": from_mdistiller_sp,
    "mdistiller PKT": from_mdistiller_pkt,
    "mdistiller VID": from_mdistiller_vid,
    "mdistiller CRD": from_mdistiller_crd,
    "mdistiller ReviewKD": from_mdistiller_reviewkd,
}
"""Toolkit and its loss -> what says it here."""

__all__ = [
    "CONVERTERS",
    "as_recipe",
    "from_deit",
    "from_mdistiller",
    "from_mdistiller_at",
    "from_mdistiller_crd",
    "from_mdistiller_dkd",
    "from_mdistiller_fitnet",
    "from_mdistiller_nst",
    "from_mdistiller_pkt",
    "from_mdistiller_reviewkd",
    "from_mdistiller_rkd",
    "from_mdistiller_sp",
    "from_mdistiller_vid",
    "from_modelopt",
    "from_modelopt_mgd",
    "from_torchdistill",
    "from_torchdistill_ab",
    "from_torchdistill_at",
    "from_torchdistill_crd",
    "from_torchdistill_dist",
    "from_torchdistill_ft",
    "from_torchdistill_pkt",
    "from_torchdistill_review",
    "from_torchdistill_rkd",
    "from_torchdistill_vid",
]
