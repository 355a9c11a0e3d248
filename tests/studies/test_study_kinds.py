"""The other kinds of study: real trainings, tiny; each answers from the numbers in its own files."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import limbeck as lk
from limbeck.errors import InputError
from limbeck.runs.given import Given
from limbeck.studies import page
from limbeck.studies.compared import as_good
from limbeck.studies.crossing import crossing, reached
from limbeck.studies.kinds import data as data_kind
from limbeck.studies.kinds import fidelity, missing_class
from limbeck.studies.record import Comparison
from limbeck.verbs import several
from limbeck.verbs.planning import planned

TINY = {
    "seed": 3,
    "data": {"train": "digits"},
    "teacher": {"train": {"family": "wide-mlp", "width": 24, "depth": 1, "epochs": 2}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 2, "batch_size": 128, "learning_rate": 0.01, "evaluations": 3},
    "tune": {"trials": 2, "finalists": 1},
    "verdict": {"seeds": 2},
    "runtime": {"threads": 1},
}


def study(kind, folder, **more):
    return lk.study(kind=kind, recipe=TINY, out=folder / kind, **more)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return study("data", tmp_path_factory.mktemp("data"), shares=[0.1, 1.0])


def test_data_hides_labels_and_nothing_else(data):
    arms = {arm.name: arm for arm in data.record.arms}
    assert list(arms) == [
        "no teacher, 10%", "teacher of all labels, 10%", "teacher of the same labels, 10%", "no teacher, 100%",
        "teacher of all labels, 100%",
    ]  # fmt: skip
    assert len({arm.steps for arm in arms.values()}) == 1
    whole = arms["no teacher, 100%"].labelled
    assert arms["no teacher, 10%"].labelled == pytest.approx(whole / 10, abs=10)
    assert arms["no teacher, 10%"].examples == arms["no teacher, 10%"].labelled
    # its soft targets alone may be what validation chose, or the labels alone: then it has those only
    taught = arms["teacher of the same labels, 10%"]
    assert taught.examples == (whole if "SoftTargets" in taught.objective else taught.labelled)


def test_data_trains_a_teacher_of_few_labels_as_long(data):
    teachers = {each.name: each for each in data.record.teachers}
    assert list(teachers) == ["teacher", "kept-10-1", "kept-10-2"], "one a seed, since each seed keeps other labels"
    assert teachers["kept-10-1"].labelled == data.record.arm("no teacher, 10%").labelled
    assert teachers["teacher"].labelled == data.record.arm("no teacher, 100%").labelled


def test_data_draws_other_labels_for_each_seed_and_no_others_for_a_larger_share():
    chosen = planned(TINY, Given(), {"name": "draws"})
    few, more = (data_kind._drawn(chosen, part) for part in (0.05, 0.2))
    labelled = [[set(plan.splits.labelled.ids) for plan in plans] for plans in (few, more)]
    assert labelled[0][0] != labelled[0][1]
    assert all(small < large for small, large in zip(*labelled, strict=True))
    assert [plan.first_seed for plan in few] == [chosen.first_seed, chosen.first_seed + 1]
    assert all(set(plan.splits.transfer.ids) == set(chosen.splits.transfer.ids) for plan in few)
    assert all(set(plan.splits.validation.ids) == set(chosen.splits.validation.ids) for plan in few)


def test_each_seed_hears_the_teacher_of_its_own_labels(data):
    """Agreement is counted with that teacher, and differs from that with the other seed's."""
    arm = data.record.arm("teacher of the same labels, 10%")
    assert arm.tutor == "kept-10-1"
    assert len({seed.agreement for seed in arm.seeds}) == 2


def test_data_says_where_the_baseline_is_equalled(data):
    names = [finding.name for finding in data.record.findings]
    assert len(names) == len(set(names)) == 2
    assert all(each.against == "no teacher, 100%" for each in data.record.comparisons[:3])
    pairs = [(each.arm, each.against) for each in data.record.comparisons]
    assert len(pairs) == len(set(pairs)), "one comparison, one p-value"


def test_shares_out_of_range_are_refused(tmp_path):
    with pytest.raises(InputError, match="above 0 and at most 1"):
        study("data", tmp_path, shares=[10, 100])


@pytest.fixture(scope="module")
def time(tmp_path_factory):
    return study("time", tmp_path_factory.mktemp("time"))


def test_time_gives_every_length_a_run_of_its_own(time):
    by_line = {}
    for arm in time.record.arms:
        by_line.setdefault(arm.line, []).append(arm)
    assert {line: [arm.steps for arm in arms] for line, arms in by_line.items()} == {
        "no teacher": [20, 10, 5, 2], "student": [20, 10, 5, 2], "teacher in the first 30%": [20, 10, 5, 2],
    }  # fmt: skip
    for arms in by_line.values():
        assert all(arm.settings == arms[0].settings for arm in arms)
        assert all(seed.steps == arm.steps for arm in arms for seed in arm.seeds)
    assert by_line["student"][0].settings == by_line["teacher in the first 30%"][0].settings


def test_time_counts_the_teacher(time):
    found = {finding.name: finding.value for finding in time.record.findings}
    if "seconds, teacher included: student" in found:
        teacher = time.record.teachers[0]
        cost = found["seconds, teacher included: student"] - found["seconds, teacher there: student"]
        assert cost == pytest.approx(teacher.train_s + teacher.labelling_s)


@pytest.fixture(scope="module")
def temperature(tmp_path_factory):
    return study("temperature", tmp_path_factory.mktemp("temperature"))


def test_temperature_tunes_nothing(temperature):
    assert [arm.at for arm in temperature.record.arms] == [None, 1, 2, 4, 8]
    assert not any(arm.trials for arm in temperature.record.arms)


def test_the_area_is_that_of_the_curve(temperature):
    """Trapezoids over the mean curve, since every seed was looked at at the same steps."""

    def area(arm):
        steps, values = np.array(arm.curve).T
        return np.trapezoid(values, steps) / np.ptp(steps)

    arms = {arm.name: arm for arm in temperature.record.arms}
    for finding in temperature.record.findings:
        arm = arms[finding.name.removeprefix("area under the validation curve, ").removesuffix(" minus labels")]
        assert finding.value == pytest.approx(area(arm) - area(arms["labels only"]))


@pytest.fixture(scope="module")
def schedule(tmp_path_factory):
    return study("schedule", tmp_path_factory.mktemp("schedule"), shares=[0.5, 0.25])


def test_schedule_hands_the_same_training_from_teacher_to_labels(schedule):
    arms = {arm.name: arm for arm in schedule.record.arms}
    assert list(arms) == [
        "no teacher", "teacher throughout", "teacher in the first 25%", "teacher in the first 50%",
        "labels first, teacher from 50% on", "teacher fades into labels",
    ]  # fmt: skip
    assert len({(arm.steps, arm.examples, arm.labelled) for arm in arms.values()}) == 1
    taught = [arm for arm in arms.values() if arm.tutor is not None]
    assert len({arm.settings["temperature"] for arm in taught}) == 1
    soft = f"SoftTargets(temperature={arms['teacher throughout'].settings['temperature']:g})"
    labels = "HardLabels()"
    assert {arm.name: arm.objective for arm in taught} == {
        "teacher throughout": f"1 * {soft}",
        "teacher in the first 25%": f"First(1, share=0.25, end=0) * {soft} + Late(1, after=0.25) * {labels}",
        "teacher in the first 50%": f"First(1, share=0.5, end=0) * {soft} + Late(1, after=0.5) * {labels}",
        "labels first, teacher from 50% on": f"Late(1, after=0.5) * {soft} + First(1, share=0.5, end=0) * {labels}",
        "teacher fades into labels": f"Decay(1, 0) * {soft} + Decay(0, 1) * {labels}",
    }


def test_schedule_compares_each_with_the_teacher_throughout_and_with_none(schedule):
    pairs = [(each.arm, each.against) for each in schedule.record.comparisons]
    taught = [arm.name for arm in schedule.record.arms if arm.tutor is not None]
    assert pairs == [(name, "teacher throughout") for name in taught[1:]] + [(name, "no teacher") for name in taught]


@pytest.mark.parametrize(
    ("low", "high", "good"),
    [
        (-0.003, -0.001, True), (0.0005, 0.0035, True), (-0.003, 0.003, True), (0.01, 0.02, True),
        (-0.006, 0.006, False), (-0.02, -0.01, False), (-0.006, -0.001, False),
    ],
)  # fmt: skip
def test_as_good_is_a_whole_interval_above_the_margin(low, high, good):
    """Whatever the outcome's name is; and turned, where less is better."""
    each = difference((low + high) / 2, (high - low) / 2)
    turned = difference(-(low + high) / 2, (high - low) / 2)
    assert as_good(each, 0.005, higher_is_better=True) is good
    assert as_good(turned, 0.005, higher_is_better=False) is good
    assert not as_good(each.model_copy(update={"ci95": None}), 0.005, higher_is_better=True)
    assert not as_good(each.model_copy(update={"seeds": 2}), 0.005, higher_is_better=True)


def test_one_seed_knows_no_interval_of_a_crossing():
    alone = [difference(d, 0.1).model_copy(update={"ci95": None, "seeds": 1}) for d in (-0.1, 0.1)]
    found = crossing([1, 100], alone, higher_is_better=True, margin=0.05)
    assert (found.low, found.high, found.enough, found.bounds(100)) == (None, None, None, (None, None))
    assert found.words(" steps") == "10 steps (one seed shows no interval)"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"shares": [1.0]}, "above 0 and below 1"),
        ({"overrides": {"objective": [{"method": "hard-labels"}]}}, "listens to no teacher"),
        (
            {"overrides": {"objective": [{"method": "soft-targets", "weight": {"kind": "first", "share": 0.5}},
                                         {"method": "hard-labels"}]}},
            "plain numbers",
        ),
    ],
)  # fmt: skip
def test_schedule_refuses_what_it_decides_itself(more, told, tmp_path):
    with pytest.raises(InputError, match=told):
        study("schedule", tmp_path, **more)
    assert not (tmp_path / "schedule").exists()


@pytest.mark.parametrize("kind", ["data", "time", "ensembles", "teachers", "born-again", "schedule"])
def test_a_recipe_that_hears_no_teacher_is_refused(kind, tmp_path):
    several = {"ensemble": [TINY["teacher"], TINY["teacher"]]} if kind == "ensembles" else TINY["teacher"]
    recipe = TINY | {"objective": [{"method": "hard-labels"}], "teacher": several}
    more = {"teachers": ["wide-mlp", "resnet"]} if kind == "teachers" else {}
    with pytest.raises(InputError, match="listens to no teacher"):
        lk.study(kind=kind, recipe=recipe, out=tmp_path / kind, **more)
    assert not (tmp_path / kind).exists()


def test_no_teacher_at_all_is_no_candidate_of_a_student_with_one(tmp_path):
    """The default objective may choose no teacher; a study of the teacher may not."""
    found = study("time", tmp_path, overrides={"tune.trials": 3, "verdict.seeds": 1, "train.epochs": 1})
    taught = [arm for arm in found.record.arms if arm.tutor is not None]
    assert all(arm.settings["teacher_share"] > 0 for arm in taught)


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        ("time", {"without": 3}, "--without; it is for missing-class"),
        ("temperature", {"shares": [0.5]}, "--shares; it is for data and schedule"),
        ("data", {"generations": 2}, "--generations; it is for born-again"),
        ("time", {"overrides": {"lineage": {"generations": 2}}}, "links one by one"),
    ],
)
def test_what_a_study_would_not_look_at_is_refused(kind, more, told, tmp_path):
    with pytest.raises(InputError, match=told):
        study(kind, tmp_path, **more)
    assert not (tmp_path / kind).exists()


@pytest.mark.parametrize("kind", ["data", "time", "temperature", "schedule"])
def test_pages_show_every_arm(kind, request):
    record = request.getfixturevalue(kind).record
    text = page.render(record)
    assert all(f">{arm.name}<" in text for arm in record.arms)
    assert record.answer[0].partition(":")[0][:30] in text


def difference(value, half):
    return Comparison(
        arm="a", against="b", outcome="inconclusive", difference=value, ci95=(value - half, value + half), p_value=None,
        p_value_holm=None, seeds=5, seeds_needed=None, sentence="",
    )  # fmt: skip


def test_a_crossing_lies_between_its_ends():
    places = [1, 10, 100]
    found = crossing(places, [difference(d, 0.02) for d in (-0.1, -0.01, 0.05)], higher_is_better=True)
    assert found.low < found.at < found.high
    assert 1 < found.low < 10 < found.at < found.high < 100


def test_a_crossing_turns_with_the_metric():
    places, values = [1, 10, 100], (-0.1, -0.01, 0.05)
    up = crossing(places, [difference(d, 0.02) for d in values], higher_is_better=True)
    down = crossing(places, [difference(-d, 0.02) for d in values], higher_is_better=False)
    assert up == down


def test_enough_needs_the_whole_interval_above_the_margin_from_there_on():
    places = [1, 10, 100]

    def enough(*values):
        return crossing(places, [difference(d, 0.02) for d in values], higher_is_better=True, margin=0.03).enough

    assert enough(-0.1, 0.0, 0.1) == 10
    assert enough(-0.1, -0.02, 0.1) == 100
    assert enough(0.1, -0.1, 0.0) == 100, "what is known at 1 does not hold at 10"
    assert enough(0.1, 0.1, -0.1) is None


def test_nothing_is_reached_where_nothing_is():
    assert reached([1, 10], [-1, -0.5]) is None
    assert reached([1, 10], [0.5, -0.5]) == 1


def test_a_bias_gives_the_class_to_so_many_rows():
    """By brute force: shift, and count."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(200, 5))
    for share in (0.0, 0.1, 0.5, 0.995, 1.0):
        moved = logits.copy()
        moved[:, 2] += missing_class.bias(logits, 2, share)
        assert (moved.argmax(1) == 2).sum() == round(share * 200)


@pytest.fixture(scope="module")
def missing(tmp_path_factory):
    return study("missing-class", tmp_path_factory.mktemp("missing"), without=3)


def test_the_class_is_left_out_of_the_student_and_of_nobody_else(missing):
    target = np.load(missing.folder / "predictions/test.npz")["target"]
    arms = {arm.name: arm for arm in missing.record.arms}
    whole, few = arms["whole transfer set"], arms["class left out"]
    assert few.examples == arms["no teacher, class left out"].examples < whole.examples
    assert missing.record.teachers[0].labelled == whole.examples
    assert few.settings == whole.settings
    recall = next(each for each in missing.record.findings if each.name == "recall of 3: whole transfer set")
    said = [np.load(missing.folder / seed.predictions.path)["logits"].argmax(1) for seed in whole.seeds]
    assert recall.value == pytest.approx(np.mean([(each[target == 3] == 3).mean() for each in said]))


@pytest.mark.parametrize("without", [None, "elephant", "10"])
def test_a_class_that_there_is_not_is_refused(without, tmp_path):
    with pytest.raises(InputError, match="use --without with one of: 0, 1"):
        study("missing-class", tmp_path, without=without)
    assert not (tmp_path / "missing-class").exists()


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    small = {"train": {"family": "wide-mlp", "width": 4, "depth": 1, "epochs": 1}}
    return study("teachers", tmp_path_factory.mktemp("teachers"), teachers=[small, "wide-mlp"])


def test_each_student_hears_its_own_teacher(teachers):
    record = teachers.record
    assert [arm.tutor for arm in record.arms] == [None, "wide-mlp-width-4-depth-1-epochs-1", "wide-mlp"]
    small, large = record.teachers
    assert small.params < large.params
    assert record.arms[1].seeds[0].predictions.sha256 != record.arms[2].seeds[0].predictions.sha256


def test_agreement_is_with_the_teacher_though_an_arm_has_its_name(teachers):
    arm = teachers.record.arm("wide-mlp")
    assert arm.tutor == arm.name
    assert all(seed.agreement < 1 for seed in arm.seeds)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["wide-mlp"], "at least two, got only wide-mlp"),
        ([], "at least two, got none"),
        (["wide-mlp", "nonsense"], "^--teachers: there is no teacher 'nonsense'; a family .* one of resnet, wide-mlp"),
        (["wide-mlp", "resnt"], r"^--teachers: there is no teacher 'resnt' \(did you mean resnet\?\)"),
        (["resnet", "resnet"], "^--teachers: 'resnet' is named twice; keep one, or give each settings of its own"),
        (["wide-mlp", {"train": {"family": "resnt"}}], "^--teachers, resnt: teacher.train.family: .* mean resnet"),
        (["wide-mlp", {"frm": "x"}], "^--teachers, .*unknown key; did you mean teacher.from"),
        (["wide-mlp", 3], r"^--teachers: got 3 \(int\), expected a family"),
        (["wide-mlp", {**TINY["teacher"], "via": [{"family": "ml"}]}], "^--teachers, the assistants of .* mean mlp"),
    ],
)  # fmt: skip
def test_teachers_that_cannot_be_compared_are_named_with_their_option(given, told, tmp_path):
    with pytest.raises(InputError, match=told):
        study("teachers", tmp_path, teachers=given)
    assert not (tmp_path / "teachers").exists()


def test_teachers_of_the_recipe_are_told_as_such(tmp_path):
    with pytest.raises(InputError, match=r"^study\.teachers: there is no teacher 'nonsense'"):
        study("teachers", tmp_path, overrides={"study.teachers": ["wide-mlp", "nonsense"]})


def test_one_teacher_may_have_several_chains_of_assistants():
    """Each is another arm; only the same chain twice is the same."""
    one = {**TINY["teacher"], "via": [{"family": "mlp", "width": 16}]}
    other = {**TINY["teacher"], "via": [{"family": "mlp", "width": 12}]}
    several.refuse_twice([one, other, TINY["teacher"]], "--teachers")
    with pytest.raises(InputError, match="named twice"):
        several.refuse_twice([one, other, one], "--teachers")


def test_fidelity_looks_at_a_finished_study(data, tmp_path):
    found = lk.study(kind="fidelity", recipe=data.folder, out=tmp_path / "f")
    assert found.page.is_file()
    assert found.record.kind == "fidelity"
    seed = found.record.arms[0].seeds[0]
    assert (found.folder / seed.predictions.path).resolve() == (
        data.folder / data.record.arms[0].seeds[0].predictions.path
    ).resolve()


def test_a_study_keeps_what_its_teachers_said(data):
    """Agreement, and what becomes of the teacher's errors, counted by hand from the files; each seed with its own."""
    target = np.load(data.folder / "predictions/test.npz")["target"]
    kept = {each.name: np.load(data.folder / each.predictions.path)["logits"] for each in data.record.teachers}
    teacher = data.record.teachers[0]
    assert teacher.quality.value == pytest.approx((kept["teacher"].argmax(1) == target).mean())
    own = data.record.arm("teacher of the same labels, 10%").seeds
    assert [seed.tutor for seed in own] == ["kept-10-1", "kept-10-2"]
    for seed in own:
        ours = np.load(data.folder / seed.predictions.path)["logits"].argmax(1)
        theirs = kept[seed.tutor].argmax(1)
        wrong = theirs != target
        assert seed.agreement == pytest.approx((ours == theirs).mean())
        assert seed.on_errors.errors == wrong.sum()
        assert seed.on_errors.repeated == pytest.approx((ours == theirs)[wrong].mean())
        assert seed.on_errors.right == pytest.approx((ours == target)[wrong].mean())
        assert seed.on_errors.right_elsewhere == pytest.approx((ours == target)[~wrong].mean())


def test_fidelity_of_a_recipe_is_refused(tmp_path):
    with pytest.raises(InputError, match="name its folder instead of a recipe"):
        study("fidelity", tmp_path)


def test_fidelity_writes_over_no_other_study(data):
    with pytest.raises(InputError, match="holds another study"):
        lk.study(kind="fidelity", recipe=data.folder, out=data.folder)


def test_rank_correlation_knows_only_the_order():
    """Against a monotone transform, and against its own reversal; the interval holds the value."""
    random = np.random.default_rng(1)
    x = [list(random.normal(loc=arm, size=3)) for arm in range(6)]
    up = [[np.exp(value) for value in arm] for arm in x]
    value, interval = fidelity.rank_correlation(x, up, draws=200)
    assert value == 1
    assert interval == (1, 1)
    noisy = [[value + random.normal() for value in arm] for arm in x]
    value, interval = fidelity.rank_correlation(x, noisy, draws=200)
    assert interval[0] <= value <= interval[1]
    assert value == pytest.approx(spearmanr(np.concatenate(x), np.concatenate(noisy)).statistic)
    turned, _ = fidelity.rank_correlation(x, [[-value for value in arm] for arm in noisy], draws=200)
    assert turned == pytest.approx(-value)
    undefined, interval = fidelity.rank_correlation(x, [[1.0] * 3] * 6)
    assert np.isnan(undefined)
    assert interval is None, "nothing varies"


def test_the_other_pages_show_every_arm(missing, teachers):
    for record in (missing.record, teachers.record):
        assert all(f">{arm.name}<" in page.render(record) for arm in record.arms)
