"""The table: as text, as the page of the docs, as JSON."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.measure import Result, Unit

HEADINGS = ("row", "vista", "beside", "took", "ratio", "must reach", "", "Erlang", "ratio")
_WIDTHS = (32, 12, 32, 12, 22, 38, 5, 10, 20)


def cells(result: Result) -> tuple[str, ...]:
    """Return the table's cells for one row.

    A ratio is how many times as fast vista is: median of the rounds, quartiles in brackets.
    """
    row = result.row
    beside = took = ratio = erlang = erlang_ratio = ""
    if row.reference is not None:
        beside = row.reference.name
        took = _figure(result.reference, row.unit)
        ratio = _ratio(result.speed)
    if row.erlang is not None:
        erlang = _figure(result.erlang, row.unit)
        erlang_ratio = _ratio(result.erlang_speed)
    reach = " and ".join(target.words for target in row.targets)
    verdicts = ["pass" if target.is_met(result) else "miss" for target in row.targets]
    # One word where all are of one mind, else one for each, in their order.
    verdict = ", ".join(verdicts if len({*verdicts}) > 1 else verdicts[:1])
    ours = _figure(result.ours, row.unit)
    return row.name, ours, beside, took, ratio, reach, verdict, erlang, erlang_ratio


def _figure(figures: Sequence[float], unit: Unit) -> str:
    median = unit.shown(sorted(figures)[len(figures) // 2])
    digits = 0 if median >= 100 else 1 if median >= 10 else 2
    return f"{median:,.{digits}f} {unit.name}"


def _ratio(quartiles: tuple[float, float, float]) -> str:
    low, median, high = (f"{figure:.3g}" for figure in quartiles)
    return f"{median} ({low}..{high})"


def text_line(row_cells: Sequence[str]) -> str:
    """Return one line of the table as text."""
    padded = (cell.ljust(width) for cell, width in zip(row_cells, _WIDTHS, strict=True))
    return " ".join(padded).rstrip()


def rst_table(results: Sequence[Result], words: str) -> str:
    """Return the table as ``docs/benchmarks.rst`` includes it; ``words`` tell its circumstances."""
    return f"{words}\n\n{rst_list(HEADINGS, [cells(result) for result in results])}"


def circumstances(around: dict[str, Any], day: str) -> str:
    """Return the line that says when, with what and on what was measured.

    ``around`` is what `surroundings` returns and ``day`` a date.
    """
    packages = [f"{name} {found}" for name, found in around["versions"].items() if found]
    erlang = [f"Erlang/OTP {around['erlang']}"] if around["erlang"] else []
    words = ", ".join([f"Python {around['python']}", *packages, *erlang])
    cores = f"{around['processors']} processors, load {around['load']:.1f} at the start"
    return f"Measured {day} with {words}; {cores}."


def rst_list(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as reStructuredText has it."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
    for row_cells in (headings, *rows):
        for number, cell in enumerate(row_cells):
            start = "   * -" if number == 0 else "     -"
            # A cell such as "@exclusive" or "1,000" is plain text; only these two would be markup.
            lines.append(f"{start} {cell.replace('*', chr(92) + '*')}".rstrip())
    return "\n".join(lines) + "\n"


def surroundings() -> dict[str, Any]:
    """Return what the figures depend on: versions, processors, load. Nothing names the machine."""
    packages = ("greenlet", "uvloop", "Pykka", "msgpack", "pyzmq", "Pyro5")
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "versions": {name: _version(name) for name in packages},
        "erlang": _erlang_version(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _erlang_version() -> str | None:
    program = shutil.which("erl")
    if program is None:
        return None
    code = 'io:format("~s",[erlang:system_info(otp_release)]),halt().'
    command = [program, "-noshell", "-eval", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def as_values(result: Result) -> dict[str, Any]:
    """Return one row for the JSON file: every figure of every round, in seconds or bytes."""
    row = result.row
    values: dict[str, Any] = {
        "row": row.name,
        "group": row.group,
        "unit": "bytes" if row.unit.name == "B" else "seconds",
        "vista": result.ours,
        "targets": [target.words for target in row.targets],
        "met": result.is_met if row.targets else None,
    }
    if row.reference is not None:
        values["reference"] = {"name": row.reference.name, "figures": result.reference}
        values["reference"]["ratio"] = result.speed
    if row.erlang is not None:
        values["erlang"] = {"name": row.erlang.name, "figures": result.erlang}
        values["erlang"]["ratio"] = result.erlang_speed
    return values
