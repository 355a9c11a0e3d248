"""`limbeck.distil` on plain modules and data sets, arrays and mappings; what was lent comes back as it was."""

import copy

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import limbeck as lk
from limbeck.bundle.read import load_state, read
from limbeck.core.identity import state_fingerprint
from limbeck.errors import DataError, ModelError, RecipeError, RunFolderError
from limbeck.recipe import load
from limbeck.runs.given import Given
from limbeck.runs.lent import lent
from limbeck.runs.plan import plan
from limbeck.verbs.predict import predict

SHORT = {
    "train": {"epochs": 1, "batch_size": 64, "evaluations": 1},
    "tune": {"trials": 2, "finalists": 1},
    "verdict": {"seeds": 3},
    "runtime": {"threads": 1},
}


def objective():
    return 0.9 * lk.SoftTargets(2) + 0.1 * lk.HardLabels()


def floats(digits, rows):
    x, y = digits
    return TensorDataset(torch.from_numpy(x[rows, None] / np.float32(255)), torch.from_numpy(y[rows].astype(np.int64)))


@pytest.fixture(scope="module")
def lent_teacher(net):
    """A teacher as users have them: in train mode, one part of it in eval mode, one part frozen."""
    teacher = net(1, width=32)
    teacher.train()
    teacher.layers[2].eval()
    teacher.layers[1].weight.requires_grad_(False)
    return teacher


@pytest.fixture(scope="module")
def from_modules(digits, net, lent_teacher, tmp_path_factory):
    """A whole run on a data set of float pictures, with everything given in Python; and what was given, before."""
    parts = [floats(digits, slice(*ends)) for ends in ((0, 200), (200, 300), (300, 400))]
    more = TensorDataset(torch.from_numpy(digits[0][400:500, None] / np.float32(255)))
    student = net(2)
    before = {"teacher": copy.deepcopy(lent_teacher), "student": copy.deepcopy(student)}
    run = lk.distil(
        teacher=lent_teacher,
        student=student,
        data=parts[0],
        test=parts[1],
        validation=parts[2],
        unlabelled=more,
        objective=objective(),
        recipe=SHORT,
        out=tmp_path_factory.mktemp("modules") / "run",
    )
    return run, {"teacher": lent_teacher, "student": student}, before


def test_the_record_says_what_was_given(from_modules):
    record = from_modules[0].record
    assert (record.data.labelled, record.data.unlabelled, record.data.validation, record.data.test) == (
        200, 100, 100, 100,
    )  # fmt: skip
    assert record.data.input == "float32 array, 1 x 8 x 8"
    assert record.objective == str(objective())
    assert [(m.role, m.seed) for m in record.models] == [
        ("teacher", None),
        *((role, seed) for role in ("student", "baseline", "teacher-labels") for seed in (0, 1, 2)),
    ]
    assert any(note.startswith("The student was given as a module: every seed starts") for note in record.notes)
    assert from_modules[0].verdict is not None
    assert from_modules[0].verdict.seeds == 3


def test_the_resolved_recipe_names_what_it_cannot_hold(from_modules):
    run = from_modules[0]
    text = (run.folder / "recipe.yaml").read_text()
    first, *_ = text.splitlines()
    assert first == f"# The objective was given in Python and stands for the one below: {objective()}"
    values = yaml.safe_load(text)
    assert [values["data"][key] for key in ("train", "test", "validation", "unlabelled")] == ["given"] * 4
    assert (values["teacher"]["from"], values["student"]["module"]) == ("given", "given")
    assert load(run.folder / "recipe.yaml").train.epochs == 1


@pytest.mark.parametrize("who", ["teacher", "student"])
def test_modules_come_back_as_they_were(from_modules, who):
    _, now, before = from_modules
    module, same = now[who], before[who]
    assert state_fingerprint(module.state_dict()) == state_fingerprint(same.state_dict())
    assert [each.training for each in module.modules()] == [each.training for each in same.modules()]
    assert [p.requires_grad for p in module.parameters()] == [p.requires_grad for p in same.parameters()]
    assert all(p.grad is None for p in module.parameters())
    assert not any(each._forward_hooks or each._forward_pre_hooks or each._backward_hooks for each in module.modules())
    module.train()(torch.zeros(2, 64)).sum().backward()  # and it can still be trained


def test_the_student_answers_for_itself(from_modules, digits):
    run, *_ = from_modules
    bundle = read(run.student)
    assert bundle.config.student["module"].endswith(":Net")
    x = (digits[0][200:210, None] / 255).astype(np.float32)
    np.save(run.folder.parent / "x.npy", x)
    answers = predict(bundle=run.student, inputs=[run.folder.parent / "x.npy"])
    with np.load(run.folder / "predictions" / "student-seed0.npz") as file:
        assert [int(answer.label) for answer in answers] == file["logits"][:10].argmax(1).tolist()
    assert {key.partition(".")[0] for key in load_state(run.student)} == {"layers"}  # the user's own names


def test_a_teacher_is_given_back_when_the_run_fails(lent_teacher, digits, net, tmp_path):
    flags = [p.requires_grad for p in lent_teacher.parameters()]
    modes = [each.training for each in lent_teacher.modules()]
    with pytest.raises(ModelError, match="the student must give logits"):
        lk.distil(teacher=lent_teacher, student=lambda: net(outputs=9), data=digits, recipe=SHORT, out=tmp_path / "run")
    assert [p.requires_grad for p in lent_teacher.parameters()] == flags
    assert [each.training for each in lent_teacher.modules()] == modes
    assert not (tmp_path / "run").exists()


def test_lent_modules_come_back_after_an_exception():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()

    def fail():
        with lent(module):
            module.eval().requires_grad_(False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert all(each.training for each in module.modules())
    assert all(p.requires_grad for p in module.parameters())


# -- data of every kind that Python code holds


def test_a_loader_of_uint8_pictures_is_its_data_set(quick, digits, net, tmp_path):
    x, y = torch.from_numpy(digits[0][:, None]), torch.from_numpy(digits[1].astype(np.int64))
    loader = DataLoader(TensorDataset(x, y), batch_size=7, shuffle=True, drop_last=True)
    run = lk.distil(teacher=net(1), student=net.kind, data=loader, recipe=SHORT, out=tmp_path / "run")
    record = run.record
    assert record.data.input == "uint8 image, 1 x 8 x 8"
    assert record.data.labelled + record.data.validation + record.data.test == len(x)
    assert not any("given as a module" in note for note in record.notes)  # the class makes a fresh one for each seed


def test_arrays_with_a_mapping_and_overrides(quick, digits, net, tmp_path):
    """Objects win over the recipe's names, the recipe's other keys stay, and overrides win over both."""
    recipe = {
        **SHORT,
        "data": {"train": "nowhere.npz", "keep_labels": 0.5, "validation_fraction": 0.3},
        "teacher": {"train": {"family": "resnet"}, "min_quality": 0.0},
        "student": {"family": "mlp", "width": 5},
    }
    run = lk.distil(
        data=digits, teacher=net(1), recipe=recipe, out=tmp_path / "run",
        overrides={"train.epochs": 2, "student.width": 6, "data.validation_fraction": 0.2},
    )  # fmt: skip
    values = yaml.safe_load((run.folder / "recipe.yaml").read_text())
    assert values["data"]["train"] == "given"
    assert (values["data"]["keep_labels"], values["data"]["validation_fraction"]) == (0.5, 0.2)
    assert (values["teacher"]["from"], values["teacher"]["train"]) == ("given", None)
    assert values["teacher"]["min_quality"] == 0
    assert (values["student"]["width"], values["train"]["epochs"]) == (6, 2)
    assert not values["name"].startswith("nowhere")


def test_a_recipe_file_beside_objects(digits, net, tmp_path):
    """`teacher: given` in a file is filled by the argument, and the file's other words about the teacher stay."""
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({**SHORT, "data": {"train": "given"}, "teacher": "given", "student": {"family": "mlp"}})
    )
    with pytest.raises(ModelError, match="teacher is 'given', but none was given"):
        lk.distil(recipe=tmp_path / "mine.yaml", data=digits, out=tmp_path / "run")
    with pytest.raises(DataError, match=r"data\.train is 'given', but no data were given"):
        lk.distil(recipe=tmp_path / "mine.yaml", teacher=net(), out=tmp_path / "run")
    with pytest.raises(DataError, match=r"data\.test is 'given', but none was given"):
        lk.distil(
            recipe=tmp_path / "mine.yaml", teacher=net(), data=digits, overrides={"data.test": "given"},
            out=tmp_path / "run",
        )  # fmt: skip
    with pytest.raises(ModelError, match="teacher does not know '9'"):
        lk.distil(
            recipe=tmp_path / "mine.yaml", teacher=net(), data=digits, out=tmp_path / "run",
            overrides={"teacher.classes": [*"012345678", "nine"], "data.classes": list("0123456789")},
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("objective", [1.0, "soft-targets", nn.MSELoss()])
def test_an_objective_that_is_none(objective, digits, net):
    with pytest.raises(RecipeError, match=r"expected one of limbeck\.objectives"):
        lk.distil(teacher=net(), student=net.kind, data=digits, objective=objective)


# -- students


def planned(digits, **given):
    from limbeck.recipe import from_mapping

    values = {**SHORT, "data": {"train": "given"}, "teacher": "given", "student": "given"}
    return plan(from_mapping(values), Given(data=digits, **given))


def test_every_seed_of_a_given_student_starts_from_its_weights(digits, net):
    student = net(3)
    mine = state_fingerprint(student.state_dict())
    made = planned(digits, teacher=net(), student=student)
    with torch.no_grad():
        student.layers[1].weight.zero_()  # what its owner does meanwhile is no business of the run's
    starts = [state_fingerprint(made.student.make(seed).state_dict()) for seed in (0, 1, 7)]
    assert starts == [mine] * 3
    assert not made.student.reseeds


def test_every_seed_of_a_factory_starts_elsewhere_and_each_from_the_same(digits, net):
    made = planned(digits, teacher=net(), student=net.kind)
    starts = [state_fingerprint(made.student.make(seed).state_dict()) for seed in (0, 1, 0)]
    assert starts[0] != starts[1]
    assert starts[0] == starts[2]


def test_a_teacher_may_be_its_own_student(digits, net, tmp_path, quick):
    """Born again: the copy is trained, the teacher is not, and its being frozen does not rub off."""
    both = net(4)
    before = state_fingerprint(both.state_dict())
    run = lk.distil(teacher=both, student=both, data=digits, recipe=SHORT, out=tmp_path / "run")
    assert state_fingerprint(both.state_dict()) == before
    assert run.record.models[1].params == run.record.models[0].params
    history = (run.folder / "history" / "student-seed0.json").read_text()
    assert "soft-targets" in history or "hard-labels" in history


def test_what_the_user_froze_in_the_student_stays_frozen(digits, net, tmp_path, quick):
    from safetensors.torch import load_file

    student = net(5)
    student.layers[1].weight.requires_grad_(False)
    run = lk.distil(teacher=net(1), student=student, data=digits, recipe=SHORT, out=tmp_path / "run")
    assert run.verdict is not None
    for weights in run.folder.glob("checkpoints/*/weights.safetensors"):
        state = load_file(weights)
        assert torch.equal(state["layers.1.weight"], student.layers[1].weight)
        assert not torch.equal(state["layers.5.weight"], student.layers[5].weight)


class Tied(nn.Module):
    """Two layers that share their weights."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.head(self.second(self.first(x.flatten(1))).relu())


def test_tied_weights_stay_tied(digits, net, tmp_path, quick):
    from safetensors.torch import load_file

    recipe = {**SHORT, "train": {**SHORT["train"], "checkpoint_seconds": 0}}
    run = lk.distil(teacher=net(1), student=Tied, data=digits, recipe=recipe, out=tmp_path / "run")
    for weights in run.folder.glob("checkpoints/*/weights.safetensors"):
        state = load_file(weights)
        assert torch.equal(state["first.weight"], state["second.weight"])


class Broken(nn.Module):
    """Fails in a way of its own."""

    def __init__(self, error=None):
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.error = error

    def forward(self, x):
        if self.error is not None:
            raise self.error
        return {"logits": self.layer(x.flatten(1))}


def unable():
    raise KeyError("no weights here")


class Uncopied(Broken):
    def __deepcopy__(self, memo):
        raise RuntimeError("only one of me")


def frozen():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).requires_grad_(False)


@pytest.mark.parametrize(
    ("student", "said"),
    [
        (Broken(), r"the student must give logits \(rows, 10\), it gave dict"),
        (Broken(KeyError("lost")), "the student fails on examples of uint8 image, 1 x 8 x 8: KeyError: 'lost'"),
        (Broken(AssertionError()), "the student fails on examples .*: AssertionError"),
        (unable, "student: making it failed: KeyError: 'no weights here'"),
        (lambda width: None, "student: making it failed: TypeError: .*it is called without arguments"),
        (lambda: 3, "the function must return a torch.nn.Module, it returned int"),
        (3, "expected a module or a function that makes one, got int"),
        (Uncopied(), "the student cannot be copied for each seed: RuntimeError: only one of me; give a function"),
        (frozen, "nothing to train"),
        (nn.Flatten(), "nothing to train"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(32, 10)), "the student fails on examples"),
    ],
)
def test_a_student_that_does_not_fit_is_refused_before_anything_is_written(student, said, digits, net, tmp_path):
    with pytest.raises(ModelError, match=said):
        lk.distil(teacher=net(), student=student, data=digits, recipe=SHORT, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Undecided(Broken):
    """Control flow that depends on values: it trains, and no exporter can follow it."""

    def forward(self, x):
        x = x.flatten(1)
        return self.layer(x) if x.sum() > 0 else self.layer(-x)


class FixedBatch(Broken):
    """Holds the size of the batch it was made with as a number."""

    def forward(self, x):
        return self.layer(x.reshape(2, 64)) if len(x) == 2 else self.layer(x.flatten(1))


@pytest.mark.parametrize(
    ("student", "said"),
    [(Undecided, "torch cannot export the student to ONNX: "), (FixedBatch, "the student works for a batch of 2 only")],
)
def test_a_student_that_cannot_be_exported_is_refused_before_it_is_trained(student, said, digits, net, tmp_path):
    with pytest.raises(ModelError, match=f"{said}.*; nothing was trained, mend the student first"):
        lk.distil(teacher=net(), student=student, data=digits, recipe=SHORT, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_teacher_is_another_run(digits, net, tmp_path, quick):
    arguments = {"student": net.kind, "data": digits, "recipe": SHORT, "out": tmp_path / "run"}
    lk.distil(teacher=net(1), **arguments)
    with pytest.raises(RunFolderError, match="holds a run of another recipe"):
        lk.distil(teacher=net(2), **arguments)


# -- classes are mapped by name


class Exact(nn.Module):
    """A linear teacher whose sums are exact in float32, however a kernel orders them: whole numbers all the way."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return x.flatten(1) @ self.weight.T / 256


def test_a_teacher_with_more_classes_in_another_order(digits, net, tmp_path, quick, trainings):
    """Its outputs are picked by name: the students are, to the bit, those of a teacher with just these outputs."""
    theirs = ["nine", "ten", *"876543210"]
    ours = [*"012345678", "nine"]
    weight = torch.randint(-8, 9, (11, 64), generator=torch.Generator().manual_seed(0)).float()
    narrow = weight[[theirs.index(name) for name in ours]]
    recipe = {**SHORT, "data": {"classes": ours}}
    arguments = {"student": net.kind, "data": ((digits[0] // 16).astype(np.float32), digits[1])}
    naming = {**recipe, "teacher": {"classes": theirs}}
    lk.distil(teacher=Exact(weight), recipe=naming, out=tmp_path / "wide", **arguments)
    lk.distil(teacher=Exact(narrow), recipe=recipe, out=tmp_path / "narrow", **arguments)
    assert trainings(tmp_path / "wide") == trainings(tmp_path / "narrow")
    with pytest.raises(ModelError, match=r"name its classes in teacher\.classes"):
        lk.distil(teacher=Exact(weight), recipe=recipe, out=tmp_path / "refused", **arguments)
