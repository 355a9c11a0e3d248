"""What a chain's record says of it, against what its links say themselves; and the page drawn from it."""

import re
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import softmax

import limbeck as lk
from limbeck import record as records
from limbeck.cli.shown import run_lines
from limbeck.errors import BundleError
from limbeck.lineage import page
from limbeck.lineage import record as chains
from limbeck.lineage.judged import ONE_TEACHER
from limbeck.lineage.record import FIRST_TEACHER, TOGETHER
from limbeck.record import LINEAGE
from limbeck.studies.verdict import holm

from .test_lineage import TINY

EVIL = "<img src=x onerror=alert(1)></script>"


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Two assistants' links of two seeds each. Not to be changed."""
    recipe = {**TINY, "verdict": {"seeds": 2, "arms": []}, "lineage": {"via": [{"family": "mlp", "width": 12}]}}
    return lk.distil(recipe=recipe, out=tmp_path_factory.mktemp("judged") / "chain")


def right(folder, role):
    """Which test examples each model of a role got right, and its probabilities, from the link's own files."""
    record = records.read(folder)
    target = np.load(folder / record.files["test"].path)["target"]
    said = [np.load(folder / m.predictions.path)["logits"] for m in record.models if m.role == role]
    return np.stack([logits.argmax(1) == target for logits in said]), [softmax(each, axis=1) for each in said], target


def test_qualities_and_differences_are_those_of_the_links_own_files(chain):
    told, out = chain.lineage, chain.folder.parent
    links = [right(out / name, "student") for name in ("1", "2")]
    teacher = right(out / "1", "teacher")[0]
    for each, (hits, _, _) in zip(told.generations, links, strict=True):
        assert each.test.value == pytest.approx(hits.mean())
        low, high = each.test.ci95
        assert low < each.test.value < high
    assert told.first_teacher.test.value == pytest.approx(teacher.mean())
    pooled = [np.mean(pair, axis=0).argmax(1) for pair in zip(links[0][1], links[1][1], strict=True)]
    together = np.stack([each == links[0][2] for each in pooled])
    assert told.together.test.value == pytest.approx(together.mean())
    assert told.together.shipped_test == pytest.approx(together[0].mean())
    assert told.together.test.ci95[0] < together.mean() < told.together.test.ci95[1]
    single = max(told.generations, key=lambda each: each.validation.value).name
    means = {"link 1": links[0][0].mean(), "link 2": links[1][0].mean(), FIRST_TEACHER: teacher.mean()}
    means[TOGETHER] = together.mean()
    assert [(each.arm, each.against) for each in told.comparisons] == [
        ("link 2", "link 1"), ("link 1", FIRST_TEACHER), ("link 2", FIRST_TEACHER), (TOGETHER, single),
    ]  # fmt: skip
    for each in told.comparisons:
        assert each.difference == pytest.approx(means[each.arm] - means[each.against])
        assert each.ci95[0] <= each.difference <= each.ci95[1]
    assert [each.p_value_holm for each in told.comparisons] == holm([each.p_value for each in told.comparisons])


def test_the_result_of_assistants_is_the_last_link_and_the_words_say_what_no_interval_covers(chain):
    assert (chain.lineage.kind, chain.lineage.best, chain.folder.name) == ("assistants", 1, "2")
    assert "link 2 ends the chain and is kept" in chain.lineage.answer[0]
    assert chain.lineage.notes[0] == ONE_TEACHER
    lines = run_lines(chain)
    assert ONE_TEACHER in lines
    low, high = chain.lineage.generations[1].test.ci95
    kept = next(line for line in lines if "(kept)" in line)
    assert f"({100 * low:.1f} to {100 * high:.1f}%)" in kept, "in the unit of the page"
    assert any(str(chain.folder.parent / page.FILE_NAME) in line for line in lines)


def test_the_record_reads_back_and_the_page_is_written_again_from_it_alone(chain, tmp_path):
    out = chain.folder.parent
    assert chains.read(out) == chain.lineage
    written = (out / page.FILE_NAME).read_bytes()
    (tmp_path / LINEAGE).write_bytes((out / LINEAGE).read_bytes())
    assert lk.report(run=tmp_path).name == page.FILE_NAME
    assert (tmp_path / page.FILE_NAME).read_bytes() == written
    html = written.decode()
    for name in ("1", "2"):
        assert f'<a href="{name}/report.html">' in html
        assert (out / name / "report.html").is_file()
    assert "the first student of the link before" in html
    assert "<h3>All together</h3>" in html
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:|[12]/report\.html)""", html.split("<script>")[0])


def test_nothing_from_a_chain_acts_in_its_page(chain):
    evil = [each.model_copy(update={"student": EVIL}) for each in chain.lineage.generations]
    changed = {"name": EVIL, "generations": evil, "notes": [EVIL], "stopped": EVIL, "answer": [EVIL]}
    html = re.sub(r"<script>.*?</script>", "", page.render(chain.lineage.model_copy(update=changed)), flags=re.DOTALL)
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_one_link_alone_has_a_page_too(chain):
    first = chain.lineage.generations[:1]
    changed = {"generations": first, "best": 0, "together": None, "comparisons": [], "first_teacher": None}
    html = page.render(chain.lineage.model_copy(update=changed))
    assert "<h3>All together</h3>" not in html
    assert "<h3>Differences on test</h3>" not in html


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema_version": 1, "name": "a", "ensemble_test": null}', "schema 1, expected 2: .*with another --out"),
        ('{"schema_version": 99}', "schema 99, expected 2: a newer Limbeck wrote it"),
        ('{"schema_version": 2}', "schema 2: limbeck_version: Field required, and .* more; limbeck distil writes it"),
        ("[]", "limbeck distil writes it again"),
        ("{", "limbeck distil writes it again"),
    ],
    ids=["older", "newer", "lacking", "list", "torn"],
)
def test_another_schema_is_refused_with_the_mend_in_one_line(text, words, tmp_path):
    (tmp_path / LINEAGE).write_text(text)
    with pytest.raises(BundleError, match=words) as refused:
        lk.report(run=tmp_path)
    assert "\n" not in str(refused.value)


def test_a_folder_that_leads_elsewhere_is_refused(chain):
    told = chain.lineage.model_dump(mode="json")
    told["generations"][0]["folder"] = "javascript:alert(1)//"
    with pytest.raises(ValueError, match="pattern"):
        chains.Lineage.model_validate(told)


def test_the_page_needs_no_torch(chain, tmp_path):
    (tmp_path / LINEAGE).write_bytes((chain.folder.parent / LINEAGE).read_bytes())
    code = "import sys, limbeck as lk; lk.report(run=sys.argv[1]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
