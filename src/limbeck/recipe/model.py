"""`Recipe`: everything that decides a run, one frozen, strict, typed value; its fields are the keys of `recipe.yaml`.

Shorthands (`device: phone`, `weight: 0.1`, one objective without a list, `student: given`) are written out before
validation (`shorthand`), so each field has one shape here. Sections that name something built elsewhere keep that
thing's own settings as extra fields; they were checked against its constructor (`settings`).
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from limbeck.profiles import Profile, named
from limbeck.recipe.section import Count, Names, Open, Place, Positive, Section, Share, Size
from limbeck.recipe.teachers import Adapt, OneTeacher, Teacher, TeacherPreprocess, TeacherTraining

__all__ = ["Adapt", "OneTeacher", "Teacher", "TeacherPreprocess", "TeacherTraining"]

GIVEN = "given"
"""Stands for an object that Python code passes beside the recipe."""
GUIDE = "guide"
"""Stands for a teacher that exists only as its guide: labels that others made."""


class ViewOp(Open):
    """One augmentation."""

    op: str
    """Its name: shift, flip, ..., or "v2:Name" for a transform of torchvision."""


class Views(Section):
    """Augmented versions of the examples; teacher and student see the same ones."""

    count: Count | None = None
    """How many versions of each example there are; null: a new one each epoch."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides the versions; apart from the training seed."""
    ops: Annotated[tuple[ViewOp, ...], Field(strict=False)] = ()
    """Augmentations, applied in this order."""


class Columns(Section):
    """Which columns of a table (CSV, Parquet, Hugging Face) mean what."""

    label: Place | None = None
    """null: label, labels, target, class or y, whichever there is."""
    input: Annotated[tuple[Place, ...], Field(strict=False)] = ()
    """One name or a list; left out: the column of pictures or of their paths, else all columns of numbers."""
    id: Place | None = None
    """The column that tells examples apart; null: row numbers do."""


class Data(Section):
    """The examples."""

    train: Place
    """digits, a path (image folder, table, .npz, IDX, ...), hf:owner/name, module:function, or `given`."""
    test: Place | None = None
    """null: the test split that the data bring (digits, folders of splits, ...), else test_fraction is split off."""
    validation: Place | None = None
    """null: the validation split that the data bring, else it is split off the labelled examples."""
    unlabelled: Place | None = None
    """More examples for the transfer set; their labels, if any, are not looked at."""
    classes: Names | None = None
    """Class names in the order of the labels; null: as the data name them."""
    columns: Columns = Columns()
    """Which columns of a table mean what."""
    streaming: bool = False
    """Reads Hugging Face data sets through once instead of storing them first; needs columns.id."""
    take: Count | None = None
    """How many examples are taken from the beginning of each stream; null: all."""
    keep_labels: Share = 1.0
    """Share of the training labels that the student may see; the other examples are transfer data without labels."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of the kept labels that is split off for validation."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share that is split off for testing where the data bring no test split."""
    size: Size | None = None
    """[height, width] to resize images to; null: as they are."""
    channels: Literal[1, 3] | None = None
    """1 (grey) or 3 (colour); null: as they are."""
    on_corrupt: Literal["refuse", "skip"] = "refuse"
    """Pictures that cannot be decoded: refuse the data, or skip those pictures (counted and named in the report)."""
    in_memory: bool = False
    """Decodes everything once and keeps it in memory: faster where pictures are files; the same results."""
    views: Views = Views()
    """Augmented versions of the examples."""


class Student(Open):
    """The model that is trained: a family with its settings (width, depth), or a module of the user's."""

    family: str | None = None
    """Architecture: a family of Limbeck's, timm:NAME or torchvision:NAME with its builder's settings."""
    module: Place | None = None
    """"module:function" that returns a module (needs --trust-code), or `given`."""
    output: Place | int | None = None
    """Where a module's logits are: key, attribute, or place in a tuple; null: it returns them alone."""
    weights: Place | None = None
    """.safetensors file, or a .pt file of plain tensors, to start from; a classifier that does not fit begins anew."""


class Device(Section):
    """What the student must fit: limits of a named profile, or limits of one's own."""

    name: str | None = None
    """A named profile (`limbeck devices` lists them)."""
    latency_ms: Positive | None = None
    """Time of one answer, milliseconds."""
    size_kb: Positive | None = None
    """Weights as they are stored; 1 KB = 1024 bytes."""
    memory_kb: Positive | None = None
    """Peak of live activations; 1 KB = 1024 bytes."""

    @property
    def profile(self) -> Profile:
        """The limits, whoever named them."""
        if self.name is not None:
            return named(self.name)
        return Profile(name="your limits", latency_ms=self.latency_ms, size_kb=self.size_kb, memory_kb=self.memory_kb)


class Weight(Open):
    """How much an objective counts as training goes on; `auto`: validation chooses."""

    kind: str = "constant"
    """constant, decay, first, late, rise, or auto."""


class ObjectiveTerm(Open):
    """One thing to imitate; the method's own settings (temperature, ...) stand beside these keys."""

    method: str
    """`limbeck methods` lists them."""
    weight: Weight = Weight.model_validate({"kind": "constant", "value": 1.0})
    """A number, auto, or {kind: constant|decay|first|late|rise, value, end, share, after}."""


class EarlierStage(Section):
    """Training before the objective's own: the student first learns this, then that (FitNets)."""

    objective: Annotated[tuple[ObjectiveTerm, ...], Field(strict=False, min_length=1)]
    """One mapping or a list, as the recipe's own."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """Of all steps; what the stages leave is the objective's."""
    trains: Annotated[tuple[Place, ...], Field(strict=False, min_length=1)] | None = None
    """Beginnings of parameter names, which alone are trained; null: all that the stage's objective reaches."""
    learning_rate: Positive | None = None
    """Peak learning rate; null: as in train.learning_rate."""


class Train(Section):
    """How students are trained, with and without a teacher."""

    epochs: Count = 30
    """Passes over the training examples."""
    batch_size: Count = 256
    """Examples a step, over all processes."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """adamw, or sgd with momentum."""
    learning_rate: Positive = 0.003
    """Peak learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled for adamw; not on biases and normalisation."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Only sgd has it."""
    schedule: Literal["cosine", "linear", "step", "constant"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of all steps over which the learning rate rises."""
    final_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Where cosine and linear end, as a share of the peak."""
    milestones: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(strict=False, min_length=1)] = (
        0.5,
        0.75,
    )
    """Shares of all steps after which `schedule: step` multiplies the rate by step_factor."""
    step_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Only `schedule: step` has it."""
    evaluations: Count = 20
    """How often validation is looked at."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30
    """Time between checkpoints."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient; null: not clipped."""
    accumulate: Count = 1
    """Pieces that a batch is computed in, to save memory; batch_size stays what an optimiser step sees."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of a moving average of the weights, which is then validated and kept (0.999, say); null: none."""
    patience: Count | None = None
    """Looks at validation without gain after which training stops, with the best weights; null: to the last step."""
    compile: bool = False
    """Whether training goes through torch.compile; bits are then no longer claimed to be the same."""
    balance: bool = False
    """Weights of objectives are shares of the gradient: each term is scaled once, at a stage's first step."""
    gradient_shares: bool = False
    """Logs each term's share of the gradient whenever validation is looked at (a backward pass a term)."""


class Track(Section):
    """A tracker that draws the curves of every training, beside the report."""

    kind: Literal["tensorboard", "wandb", "mlflow"]
    """tensorboard, wandb (offline), or mlflow (a local database)."""
    project: Place | None = None
    """What wandb and mlflow keep the trainings under; null: the run's name."""


class GuidePlan(Open):
    """The teacher's outputs, written once, read by every student; the signal's own settings stand beside these keys."""

    use: Literal["auto", "always", "never"] = "auto"
    """auto: one is written when it pays; never: the teacher runs at every step."""
    from_: Annotated[Place | None, Field(alias="from")] = None
    """A guide that exists (`limbeck label`, `limbeck guide import`): a folder, or an fsspec URL."""
    signal: str = "logits"
    """logits, top-k, or sampled."""
    features: Annotated[dict[str, Literal["float16", "int8"]], Field(default_factory=dict)]
    """Activations to keep: path of a layer -> how they are stored."""
    max_gb: Positive = 10.0
    """Largest guide that `auto` writes."""
    any_view: bool = False
    """Lets a guide of the raw examples teach augmented ones, whose labels then do not follow the view."""
    origin: str | None = None
    """Where the teacher comes from, for the guide's manifest."""
    licence: str | None = None
    """The teacher's licence, for the guide's manifest."""


class Tune(Section):
    """How much validation may choose, the same for every arm of the verdict."""

    trials: Annotated[int, Field(ge=0)] = 6
    """Candidates an arm; 0 turns tuning off."""
    short_share: Share = 0.25
    """Length of a short run, as a share of a full one."""
    finalists: Count = 2
    """How many candidates run at full length, since short runs misrank."""


class VerdictPlan(Section):
    """How it is judged whether the teacher helped."""

    seeds: Annotated[int, Field(ge=0)] = 5
    """Runs an arm; fewer than 3 are always inconclusive, 0 turns the verdict off."""
    first_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Seed of the first student, which ships; null: the recipe's. Data are divided by the recipe's seed either way."""
    margin: Annotated[float, Field(ge=0)] = 0.005
    """Differences within this do not matter; in the metric's own unit, so 0.005 is half a point."""
    arms: Annotated[tuple[Literal["teacher-labels"], ...], Field(strict=False)] = ("teacher-labels",)
    """Arms beside the baseline that explain a gain."""


class StudyPlan(Section):
    """What `limbeck study` compares; a run looks at none of it."""

    methods: Annotated[tuple[dict[str, JsonValue], ...], Field(strict=False)] = ()
    """`study methods`: names, or {method: NAME} with settings that are then not tuned; empty: all that fit."""
    teachers: Annotated[tuple[str | dict[str, JsonValue], ...], Field(strict=False)] = ()
    """`study teachers`: a recipe's `teacher` each, or a family trained like it; `via` beside it names assistants."""


class LineagePlan(Section):
    """A chain of distillations: each student teaches the next."""

    generations: Count = 1
    """Born-again networks: how often the student is trained, each time anew, taught by the one before."""
    via: Annotated[tuple[Student, ...], Field(strict=False)] = ()
    """Teacher assistants: students of sizes in between, the largest first, each taught by the one before."""
    stop_early: bool = True
    """Ends the chain where a generation is no better than the one before, on validation."""


class RuntimePlan(Section):
    """Where training computes."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    threads: Count | None = None
    """Threads on the CPU; null: 1 where the largest model has under 5M parameters, else as many as torch would take."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """Number format of the heavy layers."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """Several processes (torchrun): ddp, each holds the whole model; fsdp, each holds a share of it (FSDP2)."""


class Preset(Open):
    """A known way to distil; its own settings stand beside its name."""

    name: str
    """patient, or fitnets with the paths of two layers."""


class Recipe(Section):
    """Everything that decides a run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """What the run is called; null: the file's stem."""
    task: str = "multiclass"
    """What kind of answer the models give."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the student that ships."""
    preset: Preset | None = None
    """Fills in keys that are left out; they stand in the resolved recipe, where the preset only tells of them."""
    data: Data
    teacher: Teacher
    student: Student
    device: Device | None = None
    """null, a named profile, or {latency_ms, size_kb, memory_kb}."""
    objective: Annotated[tuple[ObjectiveTerm, ...], Field(strict=False, min_length=1)]
    """One mapping or a list."""
    stages: Annotated[tuple[EarlierStage, ...], Field(strict=False)] = ()
    """Stages before the objective's; their steps count, so that a baseline trains as long."""
    train: Train = Train()
    guide: GuidePlan
    tune: Tune = Tune()
    verdict: VerdictPlan = VerdictPlan()
    export: Annotated[tuple[str, ...], Field(strict=False)] = ("onnx",)
    """Formats to export the student to."""
    lineage: LineagePlan | None = None
    """null: one distillation."""
    runtime: RuntimePlan = RuntimePlan()
    study: StudyPlan = StudyPlan()
    """What `limbeck study` compares."""
    track: Annotated[tuple[Track, ...], Field(strict=False)] = ()
    """A tracker's name, {kind: ..., project: ...}, or a list of these; it changes nothing in the run itself."""
