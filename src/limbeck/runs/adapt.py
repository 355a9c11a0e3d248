"""A teacher that was trained on something else gets a new head: a training before the students'."""

from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from limbeck.core import processes
from limbeck.core.architecture import architecture_fingerprint
from limbeck.core.identity import fingerprint, state_fingerprint
from limbeck.core.progress import Reporter
from limbeck.core.storage import write_tensors
from limbeck.data.loader import steps_for
from limbeck.data.memory import ArraySource
from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec
from limbeck.data.source import InputSpec, Source
from limbeck.data.views import Views
from limbeck.objectives import HardLabels, as_sum
from limbeck.recipe.model import Adapt
from limbeck.runs.build import Blueprint
from limbeck.runs.fit import Fitted, Job, Shop, fit
from limbeck.runs.plan import Plan
from limbeck.teachers.heads import Adapted, features_of
from limbeck.teachers.live import CHUNK
from limbeck.teachers.steady import filled_up, steady

HEAD_NAME = "teacher's new head"


def adapted(plan: Plan, shop: Shop) -> tuple[nn.Module, Fitted]:
    """Trains the new head of the plan's teacher, or the whole of it.

    Where views do not change and only the head learns, the rest of the teacher runs once over the examples, and the
    head is trained on what it gave: the same minimum for a fraction of the time.

    Args:
        plan: its recipe's `teacher.adapt`, and the blueprint.
        shop: without a teacher yet.

    Returns:
        The teacher, and how it was trained.
    """
    blueprint, how = plan.teacher, plan.recipe.teacher.adapt
    assert blueprint is not None, "a teacher that exists only as its guide has no head"
    assert how is not None, "asked for"
    fresh = blueprint.make(plan.recipe.seed)
    assert isinstance(fresh, Adapted), "the blueprint of an adapted teacher"
    if how.what == "head" and not plan.views.ops and _separable(fresh, blueprint, plan.splits.teacher):
        return _on_features(plan, blueprint, fresh, how, shop)
    name = HEAD_NAME if how.what == "head" else "teacher, trained on"
    whole = fit(_job(plan, blueprint, plan.splits.teacher, how, name=name, fresh=fresh), shop)
    core = whole.model().core
    assert isinstance(core, Adapted), "what the blueprint makes"
    return core.model, whole


def _job(
    plan: Plan, blueprint: Blueprint, source: Source, how: Adapt, *, name: str, fresh: Adapted | None = None
) -> Job:
    settings = replace(plan.settings, learning_rate=how.learning_rate or plan.settings.learning_rate)
    if fresh is not None and not fresh.frozen:
        heads = {id(parameter) for layer in fresh.layers() for parameter in layer.parameters()}
        fast = tuple(f"core.{name}" for name, parameter in fresh.named_parameters() if id(parameter) in heads)
        settings = replace(settings, fast=fast, slow_share=how.backbone_share)
    return Job(
        name=name,
        role="teacher",
        blueprint=blueprint,
        seed=plan.recipe.seed,
        source=source,
        objective=as_sum(HardLabels(how.label_smoothing)),
        steps=steps_for(how.epochs, len(source), plan.recipe.train.batch_size),
        settings={"adapted": how.what, "label_smoothing": how.label_smoothing},
        train=settings,
    )


def _separable(fresh: Adapted, blueprint: Blueprint, source: Source) -> bool:
    """Whether the logits are one linear layer's answer to one row of features, and nothing comes after it."""
    layers = fresh.layers()
    if len(layers) != 1 or not isinstance(layers[0], nn.Linear):
        return False
    model = Prepared(fresh.eval(), Preprocess(blueprint.preprocess))
    raw = torch.from_numpy(np.ascontiguousarray(source.read(np.arange(min(2, len(source))))))
    with torch.no_grad(), features_of(fresh) as read:
        logits = model(raw)
    if len(read) != 1 or read[0].ndim != 2 or len(read[0]) != len(raw):
        return False
    with torch.no_grad():
        return torch.allclose(layers[0](read[0]), logits, rtol=1e-4, atol=1e-5)


def _on_features(plan: Plan, blueprint: Blueprint, fresh: Adapted, how: Adapt, shop: Shop) -> tuple[nn.Module, Fitted]:
    said = fingerprint(
        {
            "weights": state_fingerprint(fresh.state_dict()),
            "architecture": architecture_fingerprint(fresh),
            "preprocess": blueprint.preprocess.as_dict(),
        }
    )
    model = Prepared(fresh, Preprocess(blueprint.preprocess)).to(plan.runtime.device).eval()
    parts = [_features(model, fresh, source, said, shop) for source in (plan.splits.teacher, plan.splits.validation)]
    (head,) = fresh.to("cpu").layers()

    def make(seed: int) -> nn.Module:
        (layer,) = _adapted(blueprint.make(seed)).layers()
        return layer.train()

    only = Blueprint(make, PreprocessSpec(), blueprint.spec)
    trained = fit(_job(plan, only, parts[0], how, name=HEAD_NAME), replace(shop, validation=parts[1], views=Views()))
    head.load_state_dict(trained.model().core.state_dict())
    return fresh.model, trained


def _adapted(module: nn.Module) -> Adapted:
    assert isinstance(module, Adapted), "what the blueprint makes"
    return module


def _features(model: Prepared, fresh: Adapted, source: Source, said: str, shop: Shop) -> ArraySource:
    """What the head reads, as a source of its own with the same ids and labels; kept in the run's folder."""
    device = shop.runtime.device
    path = shop.folder / f"features-{fingerprint([said, source.fingerprint(), device])[:16]}.safetensors"
    if not processes.agreed(path.is_file()):
        if processes.is_main():
            write_tensors(path, {"features": _asked(model, fresh, source, device, shop.reporter)})
        processes.barrier()
    values = load_file(path)["features"]
    return ArraySource(
        name=source.name,
        spec=InputSpec("array", tuple(values.shape[1:]), "float32"),
        classes=source.classes,
        ids=source.ids,
        labels=source.labels,
        contents=values.numpy(),
    )


def _asked(model: Prepared, fresh: Adapted, source: Source, device: str, reporter: Reporter) -> Tensor:
    """Features of all examples, in chunks of a fixed number of rows, as teachers are asked."""
    kept: list[Tensor] = []
    with (
        torch.no_grad(),
        steady(fresh.model),
        features_of(fresh) as read,
        reporter.task("features", len(source)) as bar,
    ):
        for start in range(0, len(source), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(source)))
            raw = torch.from_numpy(np.ascontiguousarray(source.read(rows)))
            model(filled_up(raw, CHUNK).to(device))
            kept.append(read.pop()[: len(raw)].float().cpu())
            bar.advance(len(raw))
    return torch.cat(kept)
