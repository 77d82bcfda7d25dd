"""Configurations that cannot work are refused, with words that say why."""

from __future__ import annotations

from typing import Any

import pytest

from apps.solidstate.pbft.configuration import Config
from tests.refusals import refusal
from vista import BadValueError

BAD: dict[str, tuple[dict[str, object], str]] = {
    "replicas": ({"replicas": 3}, r"takes 3f \+ 1, so 4 or more"),
    "replica": ({"replica": 4}, r"replica 4 is none of 0, 1, 2, 3; one that is"),
    "joining": ({"joining": True}, r"replica 0 is a member: it cannot be joining"),
    "administrator": (
        {"clients": frozenset({"ann"}), "administrators": frozenset({"ann"})},
        r"ann: a client or an administrator, not both",
    ),
    "zero": ({"batch_requests_max": 0}, r"batch_requests_max is 0; it has to be above 0"),
    "endless": ({"view_seconds": float("inf")}, r"view_seconds is inf"),
    "window": ({"window_batches": 200}, r"window_batches is 200"),
    "operation": ({"operation_bytes_max": 2**30}, r"operation_bytes_max is above"),
    "views": ({"view_seconds": 61.0}, r"view_seconds is above view_seconds_max"),
    "turn": ({"view_turn_seconds": 1.5}, r"view_turn_seconds is below"),
    "idle": ({"idle_status_seconds": 0.1}, r"status_seconds is above idle_status_seconds"),
    "status": ({"status_seconds": 1.5}, r"status_seconds is above view_seconds"),
    "waits": ({"retransmit_seconds": 9.0}, r"retransmit_seconds is above"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_work_is_refused(name: str) -> None:
    settings, words = BAD[name]
    with pytest.raises(BadValueError, match=words):
        Config(**settings).validate()  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{}, {"replica": None}, {"replicas": 7, "replica": 6}])
def test_the_values_that_are_given_work(settings: dict[str, Any]) -> None:
    assert refusal(Config(**settings)) == ""
