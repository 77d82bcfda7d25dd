"""``vista solidstate status URL``: how the groups of a pool are, asked of every machine of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import vista

_POOL = "SolidState/pool/"
ASK_SECONDS = 5.0
"""How long one machine may take to answer; then it is shown as one that does not."""

REPORTS_SHOWN = 5
DONE, FAILED = 0, 1

_COLUMNS = ("replica", "node", "state", "view", "executed", "behind", "checkpoint", "starts")


def main(words: Sequence[str]) -> int:
    """Run the command with the words behind ``solidstate`` and return its exit code.

    Raises `SystemExit` for mistakes in the command line, and what `vista.connect` does.
    """
    parser = argparse.ArgumentParser(prog="vista solidstate", add_help=False)
    parser.add_argument("what", choices=["status"])
    parser.add_argument("url")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(list(words))
    with vista.Node("solidstate-status"):
        told = ask(vista.connect(options.url))
    if options.json:
        print(json.dumps(told, indent=1, default=str))
    elif not told:
        print("no machine of a pool is reached", file=sys.stderr)
    else:
        print("\n".join(lines(told)))
    return DONE if told and all(is_well(row) for row in replicas(told)) else FAILED


def ask(peer: vista.Ref) -> list[dict[str, Any]]:
    """Return what each machine of a pool tells that a node can reach.

    One that does not answer has the keys node and ails.
    """
    rows = {row.object: row.node for row in vista.services(peer) if row.name.startswith(_POOL)}
    asked = [(node, vista.future(id, "get_status")) for id, node in sorted(rows.items())]
    told = []
    for node, answer in asked:
        try:
            with vista.timeout(ASK_SECONDS):
                told.append(answer.result())
        except vista.CallError as error:
            told.append({"node": node, "ails": f"does not answer: {error}"})
    return told


def replicas(told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is told of each replica, by group and number."""
    found = [
        {**server, "node": machine["node"]}
        for machine in told
        for server in machine.get("servers", {}).values()
    ]
    return sorted(found, key=lambda row: (row["group"], row["id"]))


def is_well(row: dict[str, Any]) -> bool:
    """Tell whether a replica runs and its word counts."""
    return bool(row["runs"] and row["voting"])


def lines(told: Sequence[dict[str, Any]]) -> list[str]:
    """Return the tables: one for each group, and the machines that do not answer."""
    found = replicas(told)
    shown: list[str] = []
    for group in dict.fromkeys(row["group"] for row in found):
        shown += _group([row for row in found if row["group"] == group])
    shown += [f"{row['node']}: {row['ails']}" for row in told if "servers" not in row]
    return shown or ["no group was founded yet"]


def _group(rows: list[dict[str, Any]]) -> list[str]:
    first = rows[0]
    shown = [f"group {first['group']}: {first['mode']}, tolerates {_faults(first['faults'])}"]
    furthest = max(row.get("executed", 0) for row in rows)
    shown += _table([_COLUMNS, *(_row(row, furthest) for row in rows)])
    reports = sorted(
        ([at, row["id"], kind, words] for row in rows for at, kind, words, _ in row["reports"])
    )
    for at, number, kind, words in reports[-REPORTS_SHOWN:]:
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown.append(f"  {when} replica {number}: {kind}: {words}")
    for row in rows:
        shown += [f"  replica {row['id']} differed: {one}" for one in row.get("differences", [])]
    return shown


def _faults(count: int) -> str:
    return "1 fault" if count == 1 else f"{count} faults"


def _row(row: dict[str, Any], furthest: int) -> tuple[str, ...]:
    number, node = str(row["id"]), str(row["node"])
    if not row["runs"]:
        state = row["ails"] or "starts"
        return number, node, state, "", "", "", "", str(row["starts"])
    state = "follows without a vote" if not row["voting"] else "ok"
    if row["primary"] == row["id"] and row["voting"]:
        state = "ok, primary"
    behind = furthest - row["executed"]
    figures = (row["view"], row["executed"], behind, row["stable"], row["starts"])
    return number, node, state, *map(str, figures)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
