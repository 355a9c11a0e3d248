"""Keeps docs/claims.md true: records of studies in docs/claims/*.json, plots drawn from them, numbers filled in.

    python tools/claims.py studies/claims/fashion-time ...     # keep these studies, then all of the below
    python tools/claims.py                                     # draw all plots and fill in the page, from docs/claims
    python tools/claims.py --names fashion-time                # what may stand between braces for this study

Folders of runs (`limbeck distil`) are kept too. Several that share their test examples become one record, whose arms
are compared by seed and example: `NAME=FOLDER,LABEL=FOLDER` makes NAME.json with arms "teacher", "student", "LABEL
student", ..., for instance with NAME fitnets-digits and LABEL hintless.

A record is a study.json that travels alone: docs/study.schema.json describes it. Predictions, histories, trials, curves
that no plot shows, paths and names of machines are left out, and numbers have six digits (`claims_record.kept`).

How to write the page. A block is a template in a comment and what it says beneath, which this tool writes and a test
(tests/architecture/test_claims.py) makes again:

    <!-- claims:
    | labels | no teacher | teacher of all labels |
    |---|---|---|
    | 1% ({fashion-data: no teacher, 1% #labelled}) | {fashion-data: no teacher, 1%} | {fashion-data: teacher of all
      labels, 1%}, {fashion-data: teacher of all labels, 1% vs no teacher, 1%} |          (in one line)
    -->
    <!-- end of claims -->

Templates hold any Markdown: a line of prose, or the whole table of claims. Between braces, NAME is a file's there:

    {NAME: ARM}                     68.0%                    also #interval, #span, #labelled, #examples, #steps,
                                                             #step_ms, #seeds, #agreement, #kl, #at, #chosen,
                                                             #objective, #about
    {NAME: ARM vs OTHER}            +17.9 (15.1 to 20.8)     also #alone, #span, #p (after Holm's correction), #sentence
    {NAME: teacher TEACHER}         90.9%                    also #interval, #span, #params, #labelled, #train_s,
                                                             #labelling_s, #about
    {NAME: finding FINDING}         73.2% (71.2 to 75.2)     also #alone, #span, #sentence
    {NAME: table}  {NAME: table 2}  a table of study.html, alone on its line
    {NAME: answer}                  what the study answers, in its own words

A verdict is an inequality, which the tool decides: yes where the whole interval is in it, no where none is, else open;
fewer than three seeds, or p > 0.05 after Holm's correction where the claim is about 0, are open too. Numbers are in the
unit that is shown.

    {NAME: ARM vs OTHER > 0 ?}                                **yes**, **no** or open
    {NAME: finding FINDING < 527.5 ? at most half : more}     **at most half**, **more** or open
    {NAME: ARM vs OTHER within 0.5 ? no gain : not alike}     within half a point on both sides

Once docs/claims holds records, the test refuses verdicts in bold that no block has decided.
"""

import argparse
import sys
from pathlib import Path

import claims_figures
import claims_record
import claims_runs
import claims_text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "claims.md"
OUT = ROOT / "docs" / "claims"


def keep(argument: str) -> str:
    """Keeps the study or the runs that an argument names; returns the record's name."""
    if "=" in argument:
        name, folders = argument.split("=", 1)
        record = claims_runs.as_study(name, claims_runs.named(folders))
    elif (Path(argument) / "record.json").is_file():
        name = Path(argument).name
        record = claims_runs.as_study(name, {"": Path(argument)})
    else:
        name = Path(argument).name
        record = claims_record.kept_of(Path(argument))
    claims_record.write(record, OUT / f"{name}.json")
    return name


def main(arguments: list[str]) -> int:
    """Keeps what is named, draws everything again and fills in the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", metavar="NAME", help="print what may stand between braces for this record")
    parser.add_argument("studies", nargs="*", help="folders of studies or runs, or NAME=FOLDER,LABEL=FOLDER")
    asked = parser.parse_args(arguments)
    OUT.mkdir(exist_ok=True)
    kept = [keep(argument) for argument in asked.studies]
    records = claims_record.read_all(OUT)
    if asked.names:
        print("\n".join(claims_text.sayable(asked.names, records[asked.names])))
        return 0
    for name, record in records.items():
        for path in claims_figures.draw(name, record, OUT):
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    for name in kept:
        print("\n".join(["", f"# {name}", *records[name].answer, "", *claims_text.tables(records[name])]))
    PAGE.write_text(claims_text.filled(PAGE.read_text(encoding="utf-8"), records), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
