"""The command: ``python -m benchmarks [--quick] [--rst | --docs] [--only WORDS]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    growth,
    http,
    pbft,
    solidstate,
    solidstate_files,
    solidstate_plots,
    starship,
)
from benchmarks.measure import Result, Row, measure
from benchmarks.report import (
    HEADINGS,
    as_values,
    cells,
    circumstances,
    rst_table,
    surroundings,
    text_line,
)
from benchmarks.rows import GROUPS, World, all_rows

RESULTS = Path(__file__).with_name("results")
DOCS = Path(__file__).parents[1] / "docs"
TABLES = {
    "local": "benchmarks-table.txt",
    "peers": "benchmarks-peers.txt",
    "persistence": "benchmarks-persistence.txt",
    "growth": "benchmarks-growth.txt",
    "pbft": "benchmarks-pbft.txt",
    "agreement": "benchmarks-agreement.txt",
    "solidstate": "benchmarks-solidstate.txt",
    "replicated": "benchmarks-replicated.txt",
    "files": "benchmarks-files.txt",
    "http": "benchmarks-http.txt",
    "starship": "benchmarks-starship.txt",
    "galaxy": "benchmarks-galaxy.txt",
}
"""The files of the docs by what they show."""

QUICK_ROUNDS = 3


def main(arguments: Sequence[str] | None = None, folder: Path = RESULTS, docs: Path = DOCS) -> None:
    """Measure the rows asked for, print the table line by line and keep the figures as JSON."""
    options = _parser().parse_args(arguments)
    around = surroundings()
    words = circumstances(around, f"{datetime.now(UTC):%Y-%m-%d}")
    results = _measure_rows(options)
    grown = _measure_growth(options)
    agreed = _measure_agreement(options)
    asked = _measure_replicated(options)
    kept = _measure_files(options)
    played = _measure_galaxies(options)
    if options.rst and results:
        print(rst_table(results, words), end="")
    if grown is not None and not options.docs:
        print(growth.rst_tables(*grown, words), end="")
    tables = {
        "agreement": pbft.rst_tables(agreed, words) if agreed else "",
        "replicated": solidstate.rst_tables(asked, words) if asked else "",
        "files": solidstate_files.rst_tables(kept, words) if kept else "",
        "galaxy": starship.rst_tables(played, words) if played else "",
    }
    file = _write(results, grown, agreed, asked, kept, played, around, folder)
    if options.docs:
        _write_tables(results, grown, words, docs)
    if options.docs and (asked or agreed):
        solidstate_plots.draw_all(asked, agreed, docs / "pictures")
    for name, table in tables.items():
        if table and options.docs:
            (docs / TABLES[name]).write_text(table, "utf-8")
        elif table:
            print(table, end="")
    if not options.rst:
        print(f"\n{_summary(results)}; every figure is in {file}")


def _measure_rows(options: argparse.Namespace) -> list[Result]:
    """Measure the rows asked for; as text the table appears line by line."""
    results: list[Result] = []
    world = World()
    try:
        rows = [row for row in all_rows(world) if _is_wanted(row, options.only.lower())]
        if any(row.group == "http" for row in rows):
            sys.stderr.writelines(f"{line}\n" for line in http.left_out())
        if rows and not options.rst:
            print(text_line(HEADINGS), flush=True)
        for row in rows:
            results.append(_measured(row, options.quick))
            if not options.rst:
                print(text_line(cells(results[-1])), flush=True)
    finally:
        world.close()
    return results


def _measure_growth(options: argparse.Namespace) -> growth.Grown | None:
    """Measure growth where it is asked for: it takes longer than all rows."""
    if options.only != "growth" and not (options.docs and not options.only):
        return None
    return growth.measure_all(growth.QUICK if options.quick else growth.Plan())


def _measure_agreement(options: argparse.Namespace) -> list[pbft.Ordered]:
    """Measure groups of replicas where it is asked for: it takes minutes."""
    if options.only not in ("pbft", "agreement") and not (options.docs and not options.only):
        return []
    return pbft.measure_all(pbft.QUICK if options.quick else pbft.FULL)


def _measure_replicated(options: argparse.Namespace) -> list[solidstate.Asked]:
    """Measure replicated objects where it is asked for: it takes minutes."""
    if options.only not in ("solidstate", "replicated") and not (options.docs and not options.only):
        return []
    return solidstate.measure_all(solidstate.QUICK if options.quick else solidstate.FULL)


def _measure_files(options: argparse.Namespace) -> list[solidstate_files.Phase]:
    """Measure the workload on files where it is asked for: it takes minutes."""
    if options.only != "files" and not (options.docs and not options.only):
        return []
    return solidstate_files.measure_all(
        solidstate_files.QUICK if options.quick else solidstate_files.FULL
    )


def _measure_galaxies(options: argparse.Namespace) -> list[starship.Galaxy]:
    """Measure games of several processes where it is asked for: it takes minutes."""
    if options.only != "galaxy" and not (options.docs and not options.only):
        return []
    return starship.measure_all(starship.QUICK if options.quick else starship.FULL)


def _write_tables(
    results: Sequence[Result], grown: growth.Grown | None, words: str, docs: Path
) -> None:
    """Write the tables of which something was measured."""
    for group in GROUPS:
        found = [result for result in results if result.row.group == group]
        if found:
            (docs / TABLES[group]).write_text(rst_table(found, words), "utf-8")
    if grown is not None:
        (docs / TABLES["growth"]).write_text(growth.rst_tables(*grown, words), "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure vista beside named references. How to read it: benchmarks/README.md",
    )
    parser.add_argument("--quick", action="store_true", help="fewer operations and rounds")
    parser.add_argument("--rst", action="store_true", help="print the table as the docs include it")
    parser.add_argument(
        "--docs",
        action="store_true",
        help="write the tables that docs/benchmarks.rst includes; all of them without --only",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="WORDS",
        help=f"only rows with these words in their name, or of a group: {', '.join(TABLES)}",
    )
    return parser


def _is_wanted(row: Row, words: str) -> bool:
    return words == row.group if words in GROUPS else words in row.name.lower()


def _measured(row: Row, quick: bool) -> Result:
    if quick:
        return measure(row, row.quick, min(row.rounds, QUICK_ROUNDS))
    return measure(row, row.count, row.rounds)


def _summary(results: Sequence[Result]) -> str:
    judged = [result for result in results if result.row.targets]
    if not judged:
        return "nothing with a target was measured"
    missed = [result.row.name for result in judged if not result.is_met]
    if not missed:
        return f"all {len(judged)} targets reached"
    return f"{len(missed)} of {len(judged)} targets missed: {', '.join(missed)}"


def _write(
    results: Sequence[Result],
    grown: growth.Grown | None,
    agreed: list[pbft.Ordered],
    asked: list[solidstate.Asked],
    kept: list[solidstate_files.Phase],
    played: list[starship.Galaxy],
    around: dict[str, object],
    folder: Path,
) -> Path:
    """Write the figures as JSON into a folder and return the file."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    file = folder / f"{now:%Y-%m-%dT%H%M%SZ}.json"
    report = {
        "when": now.isoformat(timespec="seconds"),
        "surroundings": around,
        "rows": [as_values(result) for result in results],
        "growth": [asdict(found) for part in grown or () for found in part],
        "agreement": [asdict(found) for found in agreed],
        "replicated": [asdict(found) for found in asked],
        "files": [asdict(found) for found in kept],
        "galaxy": [asdict(found) for found in played],
    }
    file.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return file


if __name__ == "__main__":
    main()
