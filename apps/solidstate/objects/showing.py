"""How a replica is, for people who look at its object and for machines that collect figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import vista
from apps.solidstate.pbft.membership import VIEWS_PER_EPOCH
from vista import BadValueError

FIGURES_SERVICE = "Figures:SolidState"
"""The beginning of the service name under which a member tells its figures; see `HTTPmetrics`."""

REPORTS_SHOWN = 10
"""The last reports that stand among the variables of a replica; `get_status` has all kept ones."""

_PREFIX = "vista_solidstate_"
_LEVELS = {
    "runs": "Whether the replica runs.",
    "voting": "Whether the word of the replica counts.",
    "leads": "Whether the replica is the primary of its view.",
    "epoch": "How often the members of the group changed.",
    "view": "The view of the replica, within its epoch.",
    "tolerates": "Replicas that may be faulty.",
    "executed": "The number of the last batch that was executed.",
    "stable": "The number of the last checkpoint that is proven.",
    "behind": "Batches between the replica's state and the last proven checkpoint.",
    "pending": "Requests that wait to be executed.",
    "variables": "State variables.",
    "state_bytes": "Bytes of the state when it was measured last.",
}
_TOTALS = {
    "starts": "Times the replica started, by itself or because it could not go on.",
    "dropped": "Letters that were dropped because too many waited.",
    "refused": "Letters that nobody of the group had sealed.",
}
_REPORTS = "Reports of the replica: views it suspected, repairs of its state, and so on."
_OF_PROXIES = {
    "requests": ("counter", "Requests of the proxy that were answered."),
    "waiting": ("gauge", "Requests of the proxy that wait for the group."),
}
_NUMBERS = ("id", "epoch", "view", "primary", "executed", "stable", "starts")
_FLAGS = ("runs", "voting", "retired")
_VIEW = re.compile(r"\b(view|for) (\d{10,20})\b")

Row = tuple[str, str, str, dict[str, str], float]
"""A figure: its name, counter or gauge, words, labels, value."""


def read_figures(told: Any) -> dict[str, Any]:
    """Return what another machine told of its replica, empty where that cannot be.

    Whoever reads it can rely on the types of what there is, and on nothing else.
    """
    if not isinstance(told, dict):
        return {}
    wrong = any(type(told.get(name, 0)) is not int for name in _NUMBERS)
    wrong |= any(type(told.get(name, False)) is not bool for name in _FLAGS)
    runs = told.get("runs") is True
    if wrong or (runs and not told.keys() >= {*_NUMBERS, *_FLAGS}):
        return {}
    return dict(told)


def level_of(told: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of a replica that tells so of itself, by name; what it lacks is 0."""
    found = {name: float(told.get(name, 0)) for name in (*_LEVELS, *_TOTALS)}
    found["leads"] = float(told.get("primary") == told["id"] and bool(told.get("voting")))
    found["view"] = float(view_of(int(told.get("view", 0))))
    found["behind"] = max(found["stable"] - found["executed"], 0.0)
    return found


def rows_of_server(told: Mapping[str, Any]) -> Iterable[Row]:
    """Return the figures of a replica for a page of metrics."""
    labels = {"group": str(told["group"]), "replica": str(told["id"])}
    found = level_of(told)
    for name, words in _LEVELS.items():
        yield _PREFIX + name, "gauge", words, labels, found[name]
    for name, words in _TOTALS.items():
        yield _PREFIX + name, "counter", words, labels, found[name]
    for kind, count in sorted(told.get("counts", {}).items()):
        yield f"{_PREFIX}reports", "counter", _REPORTS, {**labels, "kind": kind}, float(count)


def rows_of_proxy(told: Mapping[str, Any]) -> Iterable[Row]:
    """Return the figures of a proxy for a page of metrics."""
    labels = {"group": str(told["group"])}
    for name, (kind, words) in _OF_PROXIES.items():
        yield f"{_PREFIX}proxy_{name}", kind, words, labels, float(told[name])


def variables_of_server(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people see as the variables of a replica: how it is, in words."""
    shown = {name: value for name, value in told.items() if name not in ("reports", "counts")}
    counts = Counter(told.get("counts", {}))
    shown["state"] = state_words(told)
    shown.update({name: int(level_of(told)[name]) for name in ("behind", "view")})
    shown["suspected"] = counts["suspect"] + counts["faulty"]
    shown["diverged"] = counts["diverged"]
    for number, (at, kind, words, _) in enumerate(reversed(told.get("reports", []))):
        if number == REPORTS_SHOWN:
            break
        shown[f"report_{number}"] = f"{at:.3f} {kind}: {in_words(words)}"
    return dict(sorted(shown.items()))


def view_of(number: int) -> int:
    """Return the view, within its epoch, of a number that holds the epoch above it."""
    return number % VIEWS_PER_EPOCH


def in_words(words: str) -> str:
    """Return the words of a report with views as `view_of` has them."""
    return _VIEW.sub(lambda found: f"{found[1]} {view_of(int(found[2]))}", words)


def state_words(told: Mapping[str, Any]) -> str:
    """Return in a few words how a replica is."""
    if not told["runs"]:
        return str(told["ails"] or "starts")
    if told.get("retired"):
        return "left the group"
    if not told["voting"]:
        return "follows without a vote"
    if told.get("divided"):
        return "holds what too few others do"
    return "ok, primary" if told["primary"] == told["id"] else "ok"


def told_variables(
    variables: Mapping[str, Any], names: Iterable[str], outline_characters_max: int | None
) -> dict[str, Any]:
    """Return variables by name as ``extract_instance_variables`` has to.

    Raises `BadValueError` for a name unknown.
    """
    found = {}
    for name in tuple(names) or tuple(variables):
        if name not in variables:
            raise BadValueError(
                f"no instance variable {name!r}; there are {', '.join(variables) or 'none'}"
            )
        value = variables[name]
        most = outline_characters_max
        found[name] = value if most is None else vista.outline(value, most)
    return found
