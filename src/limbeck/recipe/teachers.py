"""The recipe's `teacher`: one that is trained here, one that exists, several as one, or one that grows."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from limbeck.recipe.section import Count, Names, Numbers, Open, Place, Positive, Section, Share, Size


class TeacherTraining(Open):
    """A teacher that is trained first; the family's own settings (width, depth) stand beside these keys."""

    family: str = "resnet"
    """Architecture."""
    epochs: Count = 30
    """Passes over its training examples."""
    labels: Literal["all", "kept"] = "all"
    """Which labels it learns from: all, or only those that the student may see too."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target spread evenly over all classes."""
    learning_rate: Positive | None = None
    """Peak learning rate; null: as in train.learning_rate."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Cross-fitting: so many more teachers, each leaving one fold out and labelling that fold; null: one labels all."""


class TeacherPreprocess(Section):
    """How a teacher wants its input: `(resize(x) * scale - mean) / std`."""

    scale: Positive | None = None
    """null: 1/255 for uint8 images, 1 for floats."""
    mean: Numbers | None = None
    """Per channel, in the scaled range; null: the model's own where it is known, else nothing is subtracted."""
    std: Annotated[tuple[Positive, ...], Field(strict=False)] | None = None
    """Per channel, in the scaled range; null: the model's own where it is known, else nothing is divided."""
    size: Size | None = None
    """[height, width] to resize to; null: the model's own where it is known."""
    channels: Literal[1, 3] | None = None
    """3 repeats a grey channel, 1 averages colours; null: the model's own where it is known."""


class Adapt(Section):
    """A new head for a teacher that was trained on something else; it learns from labels before the student begins."""

    what: Literal["head", "all"] = "head"
    """head: a linear probe, nothing else changes; all: the whole teacher is trained on."""
    head: Place | None = None
    """Path of the layer to replace; null: the library's own classifier, or the last linear layer."""
    epochs: Count = 10
    """Passes over its training examples."""
    learning_rate: Positive | None = None
    """Peak learning rate of the new head; null: as in train.learning_rate."""
    backbone_share: Share = 0.1
    """With all: the rate of everything but the head, as a share of the head's."""
    labels: Literal["all", "kept"] = "all"
    """Which labels it learns from: all, or only those that the student may see too."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target spread evenly over all classes."""


class OneTeacher(Section):
    """A teacher that is trained here (`train`), or one that exists (`from`)."""

    train: TeacherTraining | None = None
    """A teacher that is trained first."""
    from_: Annotated[str | None, Field(alias="from")] = None
    """timm:NAME, torchvision:NAME, module:function, an .onnx or .pt2 file, a run's folder, `given`, or `guide`."""
    weights: Place | None = None
    """.safetensors file, or a .pt file of plain tensors, for the model of `from`."""
    weights_key: Place | None = None
    """Entry of that file that holds the weights; null: found, averaged ones (EMA) first."""
    pretrained: bool = True
    """timm, torchvision: download the library's weights where `weights` names no file; false: random ones."""
    settings: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """Keyword arguments of the function or of the library's builder."""
    output: Place | int | None = None
    """Where the logits are in what the model returns: key, attribute or place; null: it returns them alone."""
    output_kind: Literal["logits", "probabilities"] | None = None
    """probabilities: their logarithm is taken; null: logits, and what looks like probabilities is refused."""
    classes: Names | None = None
    """The teacher's class names in its own order; they are mapped by name onto the data's."""
    preprocess: TeacherPreprocess | None = None
    """null: the model's own where it is known; else normalised by the training data, but floats stay as they are."""
    adapt: Adapt | None = None
    """head, all, or a mapping: a teacher that was trained on something else gets a new head; null: none."""

    @property
    def learns(self) -> TeacherTraining | Adapt | None:
        """How it is trained here, if it is."""
        return self.train or self.adapt


class Teacher(OneTeacher):
    """Who is imitated: trained here (`train`), existing (`from`), several (`ensemble`); or nobody (`peers`, `ema`)."""

    ensemble: Annotated[tuple[OneTeacher, ...], Field(strict=False, min_length=2)] | None = None
    """Teachers that speak as one; each a mapping like this one, or a single word. A list for `teacher` means this."""
    rule: Literal["probabilities", "logits", "confidence", "random", "random-view"] = "probabilities"
    """Of an ensemble: means of probabilities or logits, by each row's confidence, one teacher a step, or one a view."""
    shares: Literal["learned"] | Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(strict=False)] | None = None
    """Of an ensemble: a weight a teacher, or learned (on validation); null: equal."""
    peers: Annotated[int, Field(ge=2)] | None = None
    """No teacher: so many students, the one that ships among them, learn together and from one another."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """No teacher: the moving average of the student's own weights, with this decay (0.99, say), teaches it."""
    min_quality: float | None = None
    """The task's metric on validation; a teacher below it stops the run."""

    @property
    def learns(self) -> TeacherTraining | Adapt | None:
        """How it is trained here, if it is; of an ensemble, the first that is."""
        own = self.train or self.adapt
        return own or next((member.learns for member in self.ensemble or () if member.learns is not None), None)

    @property
    def grows(self) -> bool:
        """Whether there is no teacher but one that learns beside each student."""
        return self.peers is not None or self.ema is not None

    @property
    def members(self) -> tuple["Teacher", ...]:
        """Of an ensemble its teachers, else itself."""
        if self.ensemble is None:
            return (self,)
        return tuple(Teacher.model_validate(member.model_dump(by_alias=True)) for member in self.ensemble)
