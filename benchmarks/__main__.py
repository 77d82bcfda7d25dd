"""The command: ``python -m benchmarks [--quick] [--rst] [--only WORDS]``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Result, Row, measure
from benchmarks.report import HEADINGS, as_values, cells, rst_table, surroundings, text_line
from benchmarks.rows import World, all_rows

RESULTS = Path(__file__).with_name("results")
QUICK_ROUNDS = 3


def main(arguments: Sequence[str] | None = None, folder: Path = RESULTS) -> None:
    """Measure the rows asked for, print the table line by line and keep the figures as JSON."""
    options = _parser().parse_args(arguments)
    results: list[Result] = []
    around = surroundings()
    world = World()
    try:
        rows = [row for row in all_rows(world) if options.only.lower() in row.name.lower()]
        if not options.rst:
            print(text_line(HEADINGS), flush=True)
        for row in rows:
            results.append(_measured(row, options.quick))
            if not options.rst:
                print(text_line(cells(results[-1])), flush=True)
    finally:
        world.close()
    if options.rst:
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        print(rst_table(results, around, day), end="")
    file = _write(results, around, folder)
    if not options.rst:
        print(f"\n{_summary(results)}; every figure is in {file}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure vista beside named references. How to read it: benchmarks/README.md",
    )
    parser.add_argument("--quick", action="store_true", help="fewer operations and rounds")
    parser.add_argument("--rst", action="store_true", help="print the table as the docs include it")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="only rows with these words in their name"
    )
    return parser


def _measured(row: Row, quick: bool) -> Result:
    if quick:
        return measure(row, row.quick, min(row.rounds, QUICK_ROUNDS))
    return measure(row, row.count, row.rounds)


def _summary(results: Sequence[Result]) -> str:
    judged = [result for result in results if result.row.targets]
    missed = [result.row.name for result in judged if not result.is_met]
    if not missed:
        return f"all {len(judged)} targets reached"
    return f"{len(missed)} of {len(judged)} targets missed: {', '.join(missed)}"


def _write(results: Sequence[Result], around: dict[str, object], folder: Path) -> Path:
    """Write the figures as JSON into a folder and return the file."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    file = folder / f"{now:%Y-%m-%dT%H%M%SZ}.json"
    report = {
        "when": now.isoformat(timespec="seconds"),
        "surroundings": around,
        "rows": [as_values(result) for result in results],
    }
    file.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return file


if __name__ == "__main__":
    main()
