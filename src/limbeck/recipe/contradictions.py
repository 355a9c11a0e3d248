"""Settings that are right one by one and wrong together."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from limbeck import profiles, task
from limbeck.core.dotted import load_object
from limbeck.core.libraries import LIBRARIES, from_library
from limbeck.errors import InputError, RecipeError
from limbeck.exporting.formats import EXPORTERS, check_formats
from limbeck.recipe import growing
from limbeck.recipe.model import GIVEN, GUIDE, ObjectiveTerm, OneTeacher, Recipe, Teacher, Train
from limbeck.recipe.paths import FILES, is_path
from limbeck.recipe.problems import Problem, nearest
from limbeck.recipe.settings import AUTO
from limbeck.recipe.text import Path


def contradictions(recipe: Recipe) -> list[Problem]:
    """Everything that does not go together; empty for a recipe that can be run."""
    checks = (
        _task, _data, _teacher, _student, _device, _objective, _stages, _train, _guide, _tune, _export,
        _lineage, _weighing, _track, _repeated, growing.problems,
    )  # fmt: skip
    return [problem for check in checks for problem in check(recipe)]


def _task(recipe: Recipe) -> Iterator[Problem]:
    try:
        kind = task.named(recipe.task)
    except RecipeError as error:
        yield Problem(("task",), str(error).removeprefix("task: "))
        return
    for path, term in _terms(recipe):
        if term.method not in kind.objectives:
            right = ", ".join(sorted(kind.objectives))
            yield Problem((*path, "method"), f"{term.method} is not defined for task {recipe.task}; use {right}")


def _terms(recipe: Recipe) -> Iterator[tuple[Path, ObjectiveTerm]]:
    """All terms of all stages, with where they stand."""
    yield from ((("objective", number), term) for number, term in enumerate(recipe.objective))
    for place, stage in enumerate(recipe.stages):
        yield from ((("stages", place, "objective", number), term) for number, term in enumerate(stage.objective))


def _stages(recipe: Recipe) -> Iterator[Problem]:
    if sum(stage.share for stage in recipe.stages) >= 1:
        yield Problem(("stages",), "their shares leave no step to the objective; their sum must be below 1")
    for path, term in _terms(recipe):
        if path[0] == "stages" and term.weight.kind == "auto":
            yield Problem((*path, "weight"), "auto is for the last stage; give a number")


def _data(recipe: Recipe) -> Iterator[Problem]:
    data = recipe.data
    if data.take is not None and not data.streaming:
        yield Problem(("data", "take"), "is for streams; add data.streaming: true, or remove it")
    if data.streaming and data.columns.id is None:
        yield Problem(
            ("data", "streaming"),
            "a stream has no row numbers that a second pass would find again; name the column that tells its examples "
            "apart (data.columns.id), or remove it",
        )


def _teacher(recipe: Recipe) -> Iterator[Problem]:
    if recipe.teacher.grows:
        return  # growing.problems
    if recipe.teacher.ensemble is None:
        for key in ("rule", "shares"):
            if getattr(recipe.teacher, key) != Teacher.model_fields[key].default:
                yield Problem(("teacher", key), "belongs to several teachers (teacher.ensemble); remove it")
        yield from _one_teacher(recipe)
    else:
        yield from _ensemble(recipe, recipe.teacher.ensemble)


def _one_teacher(recipe: Recipe) -> Iterator[Problem]:
    teacher = recipe.teacher
    if (teacher.train is None) == (teacher.from_ is None):
        state = "neither" if teacher.train is None else "both"
        yield Problem(("teacher",), f"got {state} of train and from; name one: a teacher is trained here, or exists")
        return
    if teacher.train is not None:
        for key in _set(teacher, ("weights", "weights_key", "settings", "output", "output_kind", "classes", "adapt")):
            yield Problem(("teacher", key), "belongs to a teacher that exists (teacher.from); remove it")
    elif teacher.from_ == GUIDE:
        yield from _only_its_guide(recipe)
    elif teacher.from_ is not None:
        yield from _brought(recipe, teacher.from_)


def _ensemble(recipe: Recipe, members: tuple[OneTeacher, ...]) -> Iterator[Problem]:
    """Each teacher by itself, and what only all of them can have."""
    at = ("teacher", "ensemble")
    yield from _together(recipe, len(members))
    for number, member in enumerate(recipe.teacher.members):
        if member.from_ == GUIDE:
            yield Problem((*at, number), "from: guide is for one teacher; label with each, and name them one by one")
            continue
        if member.train is not None and member.train.folds is not None:
            yield Problem((*at, number, "train", "folds"), "one of several is not cross-fitted; remove it")
        for problem in _one_teacher(recipe.model_copy(update={"teacher": member})):
            yield Problem((*at, number, *problem.path[1:]), problem.text)
    if len({member.learns.labels for member in members if member.learns is not None}) > 1:
        yield Problem(at, "teachers that are trained must learn from the same labels (all, or kept)")


def _together(recipe: Recipe, count: int) -> Iterator[Problem]:
    """What is said of several teachers at once."""
    teacher, guide = recipe.teacher, recipe.guide
    for key in sorted(teacher.model_fields_set & set(Teacher.model_fields) - {"ensemble", "rule", "shares"}):
        if key != "min_quality" and getattr(teacher, key) not in (None, {}, True):
            yield Problem(("teacher", key), "belongs to one teacher; write it beside one of teacher.ensemble")
    if teacher.shares == "learned" and teacher.rule != "probabilities":
        yield Problem(("teacher", "shares"), f"are learned for rule: probabilities, not {teacher.rule}; give numbers")
    if isinstance(teacher.shares, tuple) and (len(teacher.shares) != count or sum(teacher.shares) == 0):
        yield Problem(("teacher", "shares"), f"give {count} numbers, not all 0: one a teacher")
    if guide.signal != "logits" and not teacher.rule.startswith("random"):
        text = f"rule: {teacher.rule} needs all logits; leave it out, or use rule: random-view"
        yield Problem(("guide", "signal"), text)
    if guide.features:
        yield Problem(("guide", "features"), "activations of several teachers have no mean; remove them")
    if guide.from_ is not None:
        yield Problem(("guide", "from"), "is one teacher's; leave it out, each of several writes a guide of its own")


def _set(section: object, keys: tuple[str, ...]) -> list[str]:
    """Keys that were given a value."""
    return [key for key in keys if getattr(section, key) not in (None, {})]


def _brought(recipe: Recipe, where: str) -> Iterator[Problem]:
    """A teacher that exists: what belongs to one kind of it alone."""
    teacher = recipe.teacher
    library = from_library(where)
    if where == GIVEN or is_path(where):
        who = "a given teacher" if where == GIVEN else f"a {'file' if where.lower().endswith(FILES) else 'run'}"
        for key in _set(teacher, ("weights", "settings")):
            yield Problem(("teacher", key), f"{who} brings its own {key}; remove it")
    elif not library:
        path = ("teacher", "from")
        yield from _module(path, where, f", {', '.join(f'{each}:NAME' for each in LIBRARIES)}, or a path with a slash")
    if not library and not teacher.pretrained:
        yield Problem(("teacher", "pretrained"), f"belongs to {' and '.join(LIBRARIES)}; remove it")
    if teacher.weights_key is not None and teacher.weights is None:
        yield Problem(("teacher", "weights_key"), "belongs to teacher.weights, and that names no file")
    if teacher.adapt is not None and teacher.classes is not None:
        yield Problem(("teacher", "classes"), "an adapted teacher has the data's classes; remove it")


def _only_its_guide(recipe: Recipe) -> Iterator[Problem]:
    if recipe.guide.from_ is None:
        yield Problem(("guide", "from"), "the teacher exists only as its guide; say where that is")
    keys = ("weights", "weights_key", "settings", "output", "output_kind", "classes", "preprocess", "adapt")
    for key in _set(recipe.teacher, (*keys, "min_quality")):
        yield Problem(("teacher", key), "belongs to a teacher that can be asked; remove it")


def _student(recipe: Recipe) -> Iterator[Problem]:
    student = recipe.student
    if (student.family is None) == (student.module is None):
        yield Problem(("student",), "got both family and module; name one")
    elif student.module is not None and student.module != GIVEN:
        yield from _module(("student", "module"), student.module)
    elif student.module is not None and student.weights is not None:
        yield Problem(("student", "weights"), "a given student brings its own weights; remove it")
    if student.family is not None and student.output is not None:
        yield Problem(("student", "output"), "a family returns its logits alone; remove it")


def _module(path: Path, where: str, others: str = "") -> Iterator[Problem]:
    module, _, function = where.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        yield Problem(path, f"got {where!r}, expected module:function, both plain names{others}")


def _device(recipe: Recipe) -> Iterator[Problem]:
    device = recipe.device
    if device is None:
        return
    limits = (device.latency_ms, device.size_kb, device.memory_kb)
    if device.name is None:
        if limits == (None, None, None):
            yield Problem(("device",), "no limit is given; name a profile, or latency_ms, size_kb or memory_kb")
        return
    if limits != (None, None, None):
        yield Problem(("device",), "got a profile's name and limits; give one of both")
    try:
        profiles.named(device.name)
    except RecipeError as error:
        yield Problem(("device", "name"), str(error).removeprefix("device: "))


def _objective(recipe: Recipe) -> Iterator[Problem]:
    weights = [term.weight for term in recipe.objective]
    if all(weight.kind == "constant" and weight.settings["value"] == 0 for weight in weights):
        yield Problem(("objective",), "every weight is 0, so there is nothing to learn from")
    open_weights = [number for number, weight in enumerate(weights) if weight.kind == "auto"]
    if open_weights and (len(weights) > 1 or recipe.objective[0].method != "soft-targets"):
        yield Problem(
            ("objective", open_weights[0], "weight"),
            "auto balances one soft-targets term with the labels; give a number, or leave other terms out",
        )
    elif open_weights:
        for key in _whole_logits(recipe.objective[0]):
            yield Problem(("objective", 0, key), "an open weight tries plain soft targets only; give weight a number")
    chosen_by_tuning = [
        (number, key)
        for number, term in enumerate(recipe.objective)
        for key, value in {**term.settings, "weight": term.weight.kind}.items()
        if value == "auto"
    ]
    if recipe.tune.trials == 0:
        for number, key in chosen_by_tuning:
            yield Problem(
                ("objective", number, key), "auto is chosen by tuning, which tune.trials: 0 turns off; give a number"
            )


def _train(recipe: Recipe) -> Iterator[Problem]:
    train, wanted = recipe.train, recipe.train.model_fields_set
    if train.final_share > 0 and train.schedule not in ("cosine", "linear"):
        yield Problem(("train", "final_share"), f"schedule: {train.schedule} has no end of its own; remove it")
    for key in ("milestones", "step_factor"):
        if key in wanted and getattr(train, key) != Train.model_fields[key].default and train.schedule != "step":
            yield Problem(("train", key), f"belongs to schedule: step, not {train.schedule}; remove it")
    if any(a >= b for a, b in pairwise(train.milestones)):
        yield Problem(("train", "milestones"), "must ascend")
    if train.accumulate > train.batch_size:
        yield Problem(
            ("train", "accumulate"), f"a batch of {train.batch_size} cannot be computed in {train.accumulate} pieces"
        )


def _lineage(recipe: Recipe) -> Iterator[Problem]:
    lineage = recipe.lineage
    if lineage is None:
        return
    if lineage.generations > 1 and lineage.via:
        yield Problem(("lineage",), "generations repeat the student, via leads to it step by step; name one of both")
    elif lineage.generations == 1 and not lineage.via:
        yield Problem(("lineage",), "has one generation, which is a plain run; give generations or via, or remove it")
    for number, student in enumerate(lineage.via):
        if student.family is None or student.weights is not None:
            yield Problem(("lineage", "via", number), "a student in between is a family with its settings")
    if recipe.teacher.from_ == GUIDE or recipe.guide.from_ is not None:
        yield Problem(("guide", "from"), "holds the first teacher's answers alone; leave it out for a lineage")


def _weighing(recipe: Recipe) -> Iterator[Problem]:
    """Gradients of single terms."""
    for key in ("balance", "gradient_shares"):
        if getattr(recipe.train, key) and recipe.runtime.strategy == "fsdp":
            yield Problem(("train", key), "needs the whole gradient in one process; use strategy: ddp, or remove it")
    for _, term in _terms(recipe):
        if recipe.train.compile and term.method == "gradient-attention":
            yield Problem(
                ("train", "compile"),
                f"{term.method} differentiates twice, which torch.compile cannot; remove one of both",
            )
    if recipe.train.balance and any(term.weight.kind == "auto" for term in recipe.objective):
        yield Problem(("train", "balance"), "weighs terms against one another; give the weights numbers")


def _track(recipe: Recipe) -> Iterator[Problem]:
    kinds = [track.kind for track in recipe.track]
    for number, track in enumerate(recipe.track):
        if track.kind in kinds[:number]:
            yield Problem(("track", number), f"{track.kind} is named more than once")
        if track.kind == "tensorboard" and track.project is not None:
            yield Problem(("track", number, "project"), "tensorboard knows no projects; remove it")


def _whole_logits(term: ObjectiveTerm) -> list[str]:
    """Settings of a soft-targets term that only make sense of all logits as they are."""
    return [key for key in ("classes", "standardize") if term.method == "soft-targets" and term.settings.get(key)]


def _guide(recipe: Recipe) -> Iterator[Problem]:
    """Who may read what the guide keeps, and at which temperatures."""
    guide = recipe.guide
    if guide.use == "never" and (guide.from_ is not None or guide.signal != "logits"):
        yield Problem(("guide", "use"), "never, and yet a guide is described; remove one of both")
        return
    if guide.features and recipe.teacher.train is not None and recipe.teacher.train.folds is not None:
        yield Problem(("guide", "features"), "features are not cross-fitted; remove them, or teacher.train.folds")
    methods: list[tuple[Path, str, Mapping[str, Any]]] = [
        ((*path, "method"), term.method, term.settings) for path, term in _terms(recipe)
    ]
    if recipe.verdict.seeds:
        methods += [(("verdict", "arms", n), arm, {}) for n, arm in enumerate(recipe.verdict.arms)]
    for path, method, settings in methods:
        try:
            _check_signal(method, settings, guide.signal)
        except RecipeError as error:
            yield Problem(path, str(error))
    if guide.signal != "logits":
        yield from _sparse_guide(recipe)


def _check_signal(method: str, settings: Mapping[str, Any], signal: str) -> None:
    from limbeck.objectives import METHODS  # the package imports torch
    from limbeck.objectives.support import require

    if method in METHODS:
        made = load_object(METHODS[method], trust_code=True, what="objective")
        given = {key: value for key, value in settings.items() if value != AUTO}
        require(method, signal, made(**given).needs())


def _sparse_guide(recipe: Recipe) -> Iterator[Problem]:
    """What a guide without all logits does not hold."""
    guide, settings = recipe.guide, recipe.guide.settings
    written = tuple(settings["temperatures"]) if guide.signal == "top-k" else (settings["temperature"],)
    for path, term in _terms(recipe):
        for key in _whole_logits(term):
            yield Problem((*path, key), "needs all logits; write the guide with signal: logits")
        asked = term.settings.get("temperature")
        if asked not in (None, "auto", *written):
            known = ", ".join(f"{t:g}" for t in written)
            yield Problem((*path, "temperature"), f"{asked:g} is not written in the guide (only {known})")


def _tune(recipe: Recipe) -> Iterator[Problem]:
    if 0 < recipe.tune.trials < recipe.tune.finalists:
        yield Problem(
            ("tune", "finalists"), f"{recipe.tune.finalists} finalists cannot come from {recipe.tune.trials} trials"
        )


def _export(recipe: Recipe) -> Iterator[Problem]:
    for number, name in enumerate(recipe.export):
        try:
            check_formats([name])
        except InputError as error:
            near = nearest(name, EXPORTERS)
            hint = f"; did you mean {near}?" if near else ""
            yield Problem(("export", number), str(error).removeprefix("export: ") + hint)


def _repeated(recipe: Recipe) -> Iterator[Problem]:
    lists: tuple[tuple[Path, tuple[str, ...] | None], ...] = (
        (("data", "classes"), recipe.data.classes),
        (("data", "columns", "input"), recipe.data.columns.input),
        (("teacher", "classes"), recipe.teacher.classes),
        (("verdict", "arms"), recipe.verdict.arms),
        (("export",), recipe.export),
    )
    for path, names in lists:
        twice = sorted({name for name in names or () if (names or ()).count(name) > 1})
        if twice:
            yield Problem(path, f"{', '.join(twice)} is named more than once")
