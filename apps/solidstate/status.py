"""``vista solidstate``: how the groups of a pool are, asked of every machine of it, and commands.

What changes a group is in `operating`; this module reads the words and shows what there is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import vista
from apps.solidstate import operating
from apps.solidstate.errors import SolidStateError
from apps.solidstate.objects.showing import in_words, state_words, view_of
from apps.solidstate.operating import DONE, FAILED
from apps.solidstate.suspicions import suspicions

_POOL = "SolidState/pool/"
ASK_SECONDS = 5.0
"""How long one machine may take to answer; then it is shown as one that does not."""

REPORTS_SHOWN = 5

_ROW = {
    "group": str, "id": int, "mode": str, "faults": int, "runs": bool, "starts": int, "ails": str,
    "reports": list,
}  # fmt: skip
_RUNNING = {
    "voting": bool, "view": int, "primary": int, "executed": int, "stable": int, "members": list,
    "epoch": int, "differences": list, "tolerates": int,
}  # fmt: skip
_SECONDS_END = 253_402_300_800
"""The end of the year 9999, in seconds since 1970: later ones have no date."""

_COMMANDS = {
    "status": "tell how all replicas are",
    "add": "have a machine come into a group",
    "remove": "have a replica and its machine leave a group",
    "replace": "have a machine take the place of a replica",
    "handover": "have another replica lead",
    "recover": "have a replica start again from its disk, or all of them one by one",
    "backup": "write the state of a group, with its proof, to a file",
    "restore": "found a group on fresh servers from such a file",
}
_COLUMNS = ("replica", "node", "state", "view", "executed", "behind", "checkpoint", "starts")


def main(words: Sequence[str]) -> int:
    """Run the command with the words behind ``solidstate`` and return its exit code.

    Raises `SystemExit` for mistakes in the command line, and what `vista.connect` does.
    """
    options = read_words(words)
    if options.what != "status":
        return operating.main(options)
    with vista.Node("solidstate-status"):
        told = ask(vista.connect(options.url))
    if options.group:
        try:
            told = of_group(told, options.group)
        except SolidStateError as error:
            print(operating.printable(f"vista solidstate status: {error}"), file=sys.stderr)
            return FAILED
    if options.json:
        print(json.dumps(told, indent=1, default=str))
    elif not told:
        print("no machine of a pool is reached", file=sys.stderr)
    else:
        # A faulty machine must not write to the terminal what it likes.
        print(
            "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines(told))
        )
    return DONE if all_well(told) else FAILED


def read_words(words: Sequence[str]) -> argparse.Namespace:
    """Return what the words of a command line mean. Raises `SystemExit` for mistakes."""
    parser = argparse.ArgumentParser(prog="vista solidstate")
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
    made = {}
    for name, help in _COMMANDS.items():
        made[name] = command = commands.add_parser(name, help=help, description=help)
        command.add_argument("url", metavar="URL", help="any node that is linked with the pool")
        command.add_argument("--json", action="store_true", help="print all there is, as JSON")
        command.add_argument("--group", default="", help="where the pool has several")
    who, node = "a replica's number or the name of its node", "the name of a node of the pool"
    for name in ("remove", "replace"):
        made[name].add_argument("who", metavar="WHO", help=who)
    for name in ("add", "replace"):
        made[name].add_argument("node", metavar="NODE", help=node)
    for name in ("handover", "recover"):
        made[name].add_argument("who", metavar="WHO", nargs="?", help=f"{who}; else the next one")
    made["add"].add_argument("--client", action="store_true", help="as a client and no replica")
    made["remove"].add_argument(
        "--faults", type=int, metavar="N", help="how many are tolerated afterwards, if fewer"
    )
    for name in ("backup", "restore"):
        made[name].add_argument("file", metavar="FILE")
    made["restore"].add_argument("--pool", default="", help="where the node is in several")
    made["restore"].add_argument("--digest", default="", help="what ``backup`` said of the file")
    return parser.parse_args(list(words))


def ask(peer: vista.Ref) -> list[dict[str, Any]]:
    """Return what each machine of a pool tells that a node can reach.

    One that does not answer, or not as a machine does, has the keys node and ails.
    """
    rows = {row.object: row.node for row in vista.services(peer) if row.name.startswith(_POOL)}
    asked = [(node, vista.future(id, "get_status")) for id, node in sorted(rows.items())]
    told = []
    for node, answer in asked:
        try:
            with vista.timeout(ASK_SECONDS):
                said = answer.result()
        except vista.CallError as error:
            told.append({"node": node, "ails": f"does not answer: {error}"})
            continue
        told.append(said if _is_status(said) else {"node": node, "ails": "tells nothing sensible"})
    return told


def of_group(told: Sequence[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    """Return what is told with the replicas of one group alone.

    Machines that do not answer stay: nobody knows which replicas they have. Raises
    `SolidStateError` where no replica of the group is reached.
    """
    known = sorted({str(row["group"]) for row in replicas(told)})
    if group not in known:
        raise SolidStateError(
            f"no replica of group {group!r} is reached; those that are, are of: "
            f"{', '.join(known) or 'none'}"
        )
    return [
        {**one, "servers": {k: row for k, row in one["servers"].items() if row["group"] == group}}
        if "servers" in one
        else one
        for one in told
    ]


def _is_status(said: Any) -> bool:
    """Tell whether a machine told what can be shown: it may be faulty."""
    if not isinstance(said, dict) or not isinstance(said.get("node"), str):
        return False
    servers = said.get("servers")
    return isinstance(servers, dict) and all(map(_is_row, servers.values()))


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not all(isinstance(row.get(k), _ROW[k]) for k in _ROW):
        return False
    wanted = [k for k in _RUNNING if row["runs"] or k in row]
    if not all(isinstance(row.get(k), _RUNNING[k]) for k in wanted):
        return False
    return all(
        isinstance(one, list)
        and list(map(type, one[1:])) == [str, str, int]
        and isinstance(one[0], int | float)
        and 0 <= one[0] < _SECONDS_END
        for one in row["reports"]
    )


def replicas(told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is told of each replica, by group and number."""
    found = [
        {**server, "node": machine["node"]}
        for machine in told
        for server in machine.get("servers", {}).values()
    ]
    return sorted(found, key=lambda row: (row["group"], row["id"]))


def is_well(row: dict[str, Any]) -> bool:
    """Tell whether a replica runs, its word counts, and it holds what enough others do."""
    return bool(row["runs"] and row["voting"] and not row.get("divided"))


def missing(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """Return the numbers of the replicas of a group that no machine tells of."""
    running = [row for row in rows if row["runs"]]
    if not running:
        return []
    newest = max(running, key=lambda row: int(row["epoch"]))
    known = [row["id"] for row in rows]
    return [number for number in newest["members"] if number not in known]


def all_well(told: Sequence[dict[str, Any]]) -> bool:
    """Tell whether every machine answers, and every replica of every group is well."""
    found = replicas(told)
    groups = {row["group"] for row in found}
    return (
        bool(told)
        and all("servers" in row for row in told)
        and all(is_well(row) for row in found if not row.get("retired"))
        and not any(missing([row for row in found if row["group"] == one]) for one in groups)
    )


def lines(told: Sequence[dict[str, Any]]) -> list[str]:
    """Return the tables: one for each group, and the machines that do not answer."""
    found = replicas(told)
    shown: list[str] = []
    for group in dict.fromkeys(row["group"] for row in found):
        rows = [row for row in found if row["group"] == group]
        shown += _group(rows) + [f"  {line}" for line in suspicions(told, rows)]
    shown += [f"{row['node']}: {row['ails']}" for row in told if "servers" not in row]
    return shown or ["no group was founded yet"]


def _group(rows: list[dict[str, Any]]) -> list[str]:
    first = rows[0]
    tolerates = first.get("tolerates", first["faults"])
    shown = [f"group {first['group']}: {first['mode']}, tolerates {_faults(tolerates)}"]
    epoch = max(row.get("epoch", 0) for row in rows)
    if epoch:
        shown[0] += f", epoch {epoch}"
    if first["mode"] == "minbft":
        shown[0] += "; its trusted counters are processes, a stand-in for hardware"
    reached = _reached(rows)
    lost = [(str(number), "", "no machine tells of it", *[""] * 5) for number in missing(rows)]
    shown += _table([_COLUMNS, *(_row(row, reached) for row in rows), *lost])
    reports = sorted(
        ([at, row["id"], kind, words] for row in rows for at, kind, words, _ in row["reports"])
    )
    for at, number, kind, words in reports[-REPORTS_SHOWN:]:
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown.append(f"  {when} replica {number}: {kind}: {in_words(words)}")
    for row in rows:
        shown += [f"  replica {row['id']} differed: {one}" for one in row.get("differences", [])]
    return shown


def _reached(rows: Sequence[dict[str, Any]]) -> int:
    """Return how far the group is: half of its replicas, of which few lie, are there or further."""
    told = sorted(row["executed"] for row in rows if row["runs"])
    return told[len(told) // 2] if told else 0


def _faults(count: int) -> str:
    return "1 fault" if count == 1 else f"{count} faults"


def _row(row: dict[str, Any], reached: int) -> tuple[str, ...]:
    number, node, state = str(row["id"]), str(row["node"]), state_words(row)
    if not row["runs"]:
        return number, node, state, "", "", "", "", str(row["starts"])
    behind = max(reached - row["executed"], 0)
    figures = (view_of(row["view"]), row["executed"], behind, row["stable"], row["starts"])
    return number, node, state, *map(str, figures)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
