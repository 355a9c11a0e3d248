"""docs/claims.md says what the records in docs/claims say; the tool that makes it so is right about planted ones."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from limbeck import record as run_records
from limbeck.errors import InputError
from limbeck.record import (
    DataRecord,
    Estimate,
    FileRef,
    Fingerprints,
    Machine,
    MetricRecord,
    ModelRecord,
    Record,
    Trial,
)
from limbeck.runs.predictions import save_arrays
from limbeck.studies.record import ArmRecord, Comparison, Finding, SeedRecord, StudyRecord, TeacherRecord

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
FOLDER = ROOT / "docs" / "claims"
KEPT = sorted(FOLDER.glob("*.json"))

sys.path.insert(0, str(ROOT / "tools"))
import claims_figures  # noqa: E402
import claims_record  # noqa: E402
import claims_runs  # noqa: E402
import claims_text  # noqa: E402

sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def records():
    return claims_record.read_all(FOLDER)


def test_the_page_says_what_the_records_say(records):
    assert claims_text.filled(PAGE, records) == PAGE, "run python tools/claims.py and look at what changed"


@pytest.mark.skipif(not KEPT, reason="docs/claims holds no records")
def test_no_verdict_in_bold_was_written_by_hand():
    assert claims_text.undecided(PAGE) == [], "write a claim that tools/claims.py decides"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_records_are_as_they_are_kept(path):
    """Valid, without what only a study's folder holds, and without paths."""
    study = claims_record.read(path)
    text = path.read_text(encoding="utf-8")
    assert claims_record.text(claims_record.kept(study)) == text
    assert not re.search(r'[" (](?:~|\.\.?)?/[\w.-]+/', text)


@pytest.mark.skipif(not KEPT, reason="docs/claims holds no records")
def test_every_plot_has_a_record_and_every_record_its_plots(records):
    made = {
        f"{name}.svg" if place == 0 else f"{name}-{place + 1}.svg"
        for name, record in records.items()
        for place in range(len(claims_figures.view(record).figures))
    }
    assert {path.name for path in FOLDER.glob("*.svg")} == made, (
        "run python tools/claims.py, and remove what is left over"
    )


def estimate(value, half=0.02):
    return Estimate(value=value, ci95=(value - half, value + half))


def comparison(arm, against, difference, half, **more):
    return Comparison(
        arm=arm, against=against, outcome="inconclusive", difference=difference,
        ci95=None if half is None else (difference - half, difference + half), p_value=0.01,
        **{"p_value_holm": 0.01, "seeds": 5, "seeds_needed": None, "sentence": "It is."} | more,
    )  # fmt: skip


def arm(name, value, **more):
    file = FileRef(path="predictions/a.npz", sha256="0" * 64)
    seeds = [
        SeedRecord(
            seed=seed, quality=estimate(value), validation=value, agreement=0.45 + seed / 10, kl=0.1, steps=10,
            kept_step=10, train_s=1.0, predictions=file, history=file,
        )
        for seed in range(3)
    ]  # fmt: skip
    given = {"line": name, "at": None, "tutor": "teacher", "settings": {"temperature": 2.0}, "labelled": 1222} | more
    return ArmRecord(
        name=name, about=name, objective="soft targets", trials=[Trial(settings={}, steps=1, value=0.5, final=True)],
        quality=estimate(value), steps=1055, step_ms=1.23456789, examples=1222, curve=[(1, 0.5), (2, 0.6)],
        seeds=seeds, **given,
    )  # fmt: skip


@pytest.fixture(scope="module")
def planted():
    teacher = TeacherRecord(
        name="teacher", about="that of runs/teachers/big", quality=estimate(0.909), params=36298, labelled=54000,
        train_s=100.0, labelling_s=1.0, note="a guide in /home/me/studies/guide (1 MB)",
    )  # fmt: skip
    return StudyRecord(
        limbeck_version="0", created="2026-01-01T00:00:00+00:00", kind="temperature", name="planted", question="?",
        answer=["So it is.", "More."],
        machine=Machine(cpu="A", cores=2, gpu=None, os="Linux-6.1.2-myhost-x86_64", python="3.11", torch="2.13"),
        fingerprints={"data": "a"}, task="multiclass", classes=["0", "1"],
        metric=MetricRecord(name="accuracy", higher_is_better=True, percent=True), margin=0.005,
        data=DataRecord(name="/data/fashion", input="", labelled=1, unlabelled=0, validation=1, test=1),
        teachers=[teacher], arms=[arm("labels only", 0.858), arm("temperature 2, 1% > all", 0.8734567, at=2.0)],
        comparisons=[
            comparison("temperature 2, 1% > all", "labels only", 0.015, 0.005),
            comparison("level", "labels only", 0.001, 0.003),
            comparison("chance", "labels only", 0.02, 0.01, p_value_holm=0.2),
            comparison("few", "labels only", 0.02, 0.01, seeds=2),
            comparison("one", "labels only", 0.02, None),
        ],
        findings=[
            Finding(name="steps: student", value=941.3, bounds=(787.2, None), unit="steps", sentence="941."),
            Finding(name="steps: late", value=None, bounds=(1055, None), unit="steps", sentence="Never."),
            Finding(name="share: few", value=1.0, bounds=(None, 5.0), unit="% of the labels", sentence="1%."),
            Finding(name="recall of 3: all, of it", value=0.732, ci95=(0.712, 0.752), unit="share", sentence="73%."),
            Finding(name="area", value=-0.009, ci95=(-0.018, 0.0), unit="mean accuracy", sentence="-0.9."),
            Finding(name="rank", value=0.93, ci95=(0.87, 0.95), unit="Spearman's rho", sentence="0.93."),
            Finding(name="luck", value=1.0, ci95=(0.5, 1.5), p_value_holm=0.07, unit="s", sentence="1 s."),
            Finding(name="bare", value=12.0, unit="s", sentence="12 s."),
        ],
        notes=["Models: those of the study in /home/me/s/fashion-methods; 93/100 of it."], timing_s={"all": 1.0},
        files={"test": FileRef(path="a", sha256="b")},
    )  # fmt: skip


def test_what_is_kept_travels_alone(planted):
    kept = claims_record.kept(planted)
    text = claims_record.text(kept)
    assert not any(word in text for word in ("myhost", "/home", "runs/teachers", "/data", "predictions/a"))
    assert "fashion-methods; 93/100" in text
    assert kept.machine.os == "Linux 6.1"
    assert not any(each.trials for each in kept.arms)
    assert kept.arms[0].curve, "its plot shows it"
    assert not claims_record.kept(planted.model_copy(update={"kind": "time"})).arms[0].curve
    assert kept.arms[1].quality.value == 0.873457
    assert claims_record.kept(kept) == kept
    assert StudyRecord.model_validate(json.loads(text)) == kept
    assert [each.sentence for each in kept.comparisons] == [each.sentence for each in planted.comparisons]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("labels only", "85.8%"),
        ("labels only #interval", "85.8% (83.8 to 87.8)"),
        ("temperature 2, 1% > all #labelled", "1,222"),
        ("labels only #agreement", "55.0%"),
        ("labels only #chosen", "temperature 2"),
        ("teacher teacher", "90.9%"),
        ("teacher teacher #params", "36,298"),
        ("temperature 2, 1% > all vs labels only", "+1.5 (1.0 to 2.0)"),
        ("labels only vs temperature 2, 1% > all", "-1.5 (-2.0 to -1.0)"),
        ("temperature 2, 1% > all vs labels only #alone", "+1.5"),
        ("level vs labels only", "+0.1 (-0.2 to 0.4)"),
        ("finding steps: student", "941 (787 or more)"),
        ("finding steps: late", "not reached (1,055 or more)"),
        ("finding share: few", "1% (5 or less)"),
        ("finding recall of 3: all, of it", "73.2% (71.2 to 75.2)"),
        ("finding area", "-0.9 (-1.8 to 0.0)"),
        ("finding rank", "0.93 (0.87 to 0.95)"),
        ("finding bare", "12 (no interval)"),
        ("answer", "So it is. More."),
    ],
)
def test_numbers_are_those_of_the_record(planted, what, said):
    assert claims_text.render(f"x {{p: {what}}} y", {"p": planted}) == f"x {said} y"


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ("temperature 2, 1% > all vs labels only > 0 ?", "**yes**"),
        ("temperature 2, 1% > all vs labels only < 0 ?", "**no**"),
        ("temperature 2, 1% > all vs labels only > 1.5 ?", "open"),
        ("temperature 2, 1% > all vs labels only > 3 ?", "**no**"),
        ("labels only vs temperature 2, 1% > all < 0 ? worse : not worse", "**worse**"),
        ("level vs labels only > 0 ?", "open"),
        ("level vs labels only within 0.5 ? no gain : not alike", "**no gain**"),
        ("temperature 2, 1% > all vs labels only within 0.5 ? no gain : not alike", "**not alike**"),
        ("chance vs labels only > 0 ?", "open"),
        ("few vs labels only > 0 ?", "open"),
        ("one vs labels only > 0 ?", "open"),
        ("finding steps: student < 527.5 ?", "**no**"),
        ("finding steps: student < 1055 ?", "open"),
        ("finding steps: late < 527.5 ?", "**no**"),
        ("finding share: few < 50 ?", "**yes**"),
        ("finding share: few > 3 ?", "open"),
        ("finding recall of 3: all, of it > 50 ?", "**yes**"),
        ("finding area < 0 ?", "open"),
        ("finding rank > 0 ?", "**yes**"),
        ("finding luck > 0 ?", "open"),
        ("finding luck > 0.2 ?", "**yes**"),
        ("finding bare > 0 ?", "open"),
    ],
)
def test_verdicts_are_decided_by_the_whole_interval(planted, claim, word):
    assert claims_text.render(f"{{p: {claim}}}", {"p": planted}) == word


def test_two_seeds_decide_no_finding(planted):
    few = [arm.model_copy(update={"seeds": arm.seeds[:2]}) for arm in planted.arms]
    claim = "{p: finding recall of 3: all, of it > 50 ?}"
    assert claims_text.render(claim, {"p": planted}) == "**yes**"
    assert claims_text.render(claim, {"p": planted.model_copy(update={"arms": few})}) == "open"


@pytest.mark.parametrize(
    "what", ["nobody", "a vs b", "finding none", "teacher none", "table 9", "labels only #colour", "nobody vs x > 0 ?"]
)
def test_what_is_not_there_is_named(planted, what):
    with pytest.raises(claims_text.ClaimError, match=re.escape(what.split(" > ")[0])):
        claims_text.render(f"{{p: {what}}}", {"p": planted})
    with pytest.raises(claims_text.ClaimError, match=r"holds no q\.json"):
        claims_text.render(f"{{q: {what}}}", {"p": planted})


def test_blocks_are_filled_and_filling_them_again_changes_nothing(planted):
    page = "# A\n\n<!-- claims:\n| {p: labels only} |\n-->\nold\n<!-- end of claims -->\n\nB {p: labels only}\n"
    once = claims_text.filled(page, {"p": planted})
    assert "| 85.8% |" in once
    assert "old" not in once
    assert once.endswith("B {p: labels only}\n"), "outside of blocks nothing is touched"
    assert claims_text.filled(once, {"p": planted}) == once


def test_a_table_of_the_page_is_made_whole(planted):
    made = claims_text.render("{p: table}", {"p": planted})
    head, line, *rows = made.splitlines()
    assert head.count("|") == line.count("|") == rows[0].count("|")
    assert [row.split(" | ")[0] for row in rows] == ["| labels only", "| temperature 2, 1% > all"]


def test_hand_written_verdicts_are_found(planted):
    made = claims_text.filled(
        "<!-- claims: {p: few vs labels only within 9 ?} --><!-- end of claims -->", {"p": planted}
    )
    assert claims_text.undecided(made + "\n**Note**: no verdict\n") == []
    for text in ("| 1 | **no**: never |", "**Yes**", "<!-- claims: **not below 12%** --><!-- end of claims -->"):
        assert claims_text.undecided(text), text


def test_everything_that_can_be_said_is_listed(planted):
    for line in claims_text.sayable("p", planted):
        braces, said = line.split("   ", 1)
        assert claims_text.render(braces, {"p": planted}) == said


def test_plots_are_drawn_from_what_is_kept(planted, tmp_path):
    """No style sheet, no font of one system alone, and nothing is written twice."""
    paths = claims_figures.draw("p", claims_record.kept(planted), tmp_path)
    assert [path.name for path in paths] == ["p.svg", "p-2.svg"]
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert "var(--" not in text
        assert "system-ui" not in text
        assert "Arial" in text
    before = [path.stat().st_mtime_ns for path in paths]
    claims_figures.draw("p", claims_record.kept(planted), tmp_path)
    assert [path.stat().st_mtime_ns for path in paths] == before


RANDOM = np.random.default_rng(0)
TARGET = RANDOM.integers(3, size=200)


def run(folder, recipe, students, teacher=7):
    """A run's folder with planted answers: a teacher, by its seed, and students, each right on a share of test."""
    shares = [("teacher", 0, 0.9), *(("student", seed, share) for seed, share in enumerate(students))]
    models = []
    for role, seed, share in shares:
        draws = np.random.default_rng(teacher) if role == "teacher" else RANDOM
        said = np.where(draws.random(200) < share, TARGET, (TARGET + 1) % 3)
        file = save_arrays(folder, f"predictions/{role}-{seed}", logits=np.eye(3, dtype=np.float32)[said])
        quality = {split: {"accuracy": estimate((said == TARGET).mean())} for split in ("validation", "test")}
        models.append(
            ModelRecord(
                role=role, name=f"{role}, seed {seed}", seed=seed, settings={}, steps=10, quality=quality,
                fidelity=None, calibration=None, params=7, macs=None, size_bytes=28, peak_memory_bytes=None,
                latency_ms=[], train_s=1.0, predictions=file, history=None,
            )
        )  # fmt: skip
    made = Record(
        limbeck_version="0", created="2026-01-01T00:00:00+00:00", name=recipe,
        machine=Machine(cpu="A", cores=2, gpu=None, os="Linux-6.1", python="3.11", torch=None),
        fingerprints=Fingerprints(data="d", teacher="t", recipe=recipe), task="multiclass", classes=["a", "b", "c"],
        metric=MetricRecord(name="accuracy", higher_is_better=True, percent=True),
        data=DataRecord(name="d", input="", labelled=10, unlabelled=0, validation=5, test=200), objective="hint",
        models=models, verdict=None, comparisons=[], tuning=[], exports=[], notes=["n"], timing_s={},
        files={"test": save_arrays(folder, "predictions/test", target=TARGET)},
    )  # fmt: skip
    run_records.write(made, folder)
    return folder


def test_runs_beside_one_another_are_compared_by_seed_and_example(tmp_path):
    one, other = run(tmp_path / "a", "a", [0.8, 0.7, 0.75]), run(tmp_path / "b", "b", [0.6, 0.5, 0.55])
    kept = claims_runs.as_study("both", {"": one, "alone": other})
    assert [arm.name for arm in kept.arms] == ["teacher", "student", "alone student"]
    assert [(each.arm, each.against) for each in kept.comparisons] == [
        ("student", "teacher"), ("alone student", "teacher"), ("alone student", "student"),
    ]  # fmt: skip

    def right(folder, name):
        return np.load(folder / f"predictions/{name}.npz")["logits"].argmax(1) == TARGET

    scores = [np.stack([right(each, f"student-{seed}") for seed in range(3)]) for each in (other, one)]
    last = kept.comparisons[-1]
    assert last.difference == pytest.approx(scores[0].mean() - scores[1].mean(), rel=1e-5)
    low, high = last.ci95
    assert low < last.difference < high < 0
    assert last.outcome == "worse"
    to_teacher = kept.comparisons[0].difference
    assert to_teacher == pytest.approx(scores[1].mean() - right(one, "teacher-0").mean(), rel=1e-5)
    assert claims_text.say(kept, "student vs alone student > 0 ?") == "**yes**"


def test_a_run_with_another_teacher_keeps_it(tmp_path):
    one, other = run(tmp_path / "a", "a", [0.8] * 3), run(tmp_path / "b", "b", [0.6] * 3, teacher=8)
    kept = claims_runs.as_study("both", {"": one, "longer": other})
    assert [arm.name for arm in kept.arms] == ["teacher", "student", "longer teacher", "longer student"]
    pairs = [(each.arm, each.against) for each in kept.comparisons]
    assert ("student", "longer teacher") in pairs, "who taught stands before who learned"


def test_runs_tested_on_other_examples_are_kept_apart(tmp_path):
    one, other = run(tmp_path / "a", "a", [0.8]), run(tmp_path / "b", "b", [0.6])
    record = run_records.read(other)
    save_arrays(other, "predictions/test", target=TARGET[::-1].copy())
    file = record.files["test"].model_copy(update={"sha256": "0" * 64})
    run_records.write(record.model_copy(update={"files": {"test": file}}), other)
    with pytest.raises(InputError, match="tested on other examples"):
        claims_runs.as_study("both", {"": one, "alone": other})


def test_runs_are_named_with_a_label_but_the_first():
    assert claims_runs.named("a/b,x=c/d") == {"": Path("a/b"), "x": Path("c/d")}
