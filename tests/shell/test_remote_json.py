"""Values as JSON."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from vista import Id, record
from vista.shell.as_json import json_text

ID = Id.parse("4r7q2v9kzm1x8c5t-1f")


@record
class JsonColour(enum.Enum):
    """An enumeration that is a value."""

    RED = 1


@record
@dataclass
class JsonPoint:
    """A record that is a value."""

    x: int
    at: Id


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ("text", "text"),
        ("\ud800", "\ud800"),
        (b"\x00\xff", "AP8="),
        (ID, "4r7q2v9kzm1x8c5t-1f"),
        (date(2003, 7, 21), "2003-07-21"),
        (Decimal("1.10"), "1.10"),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        ({1: "a", ID: None}, {"1": "a", "4r7q2v9kzm1x8c5t-1f": None}),
        (JsonColour.RED, "RED"),
        (JsonPoint(3, ID), {"x": 3, "at": "4r7q2v9kzm1x8c5t-1f"}),
        (ValueError("wrong"), {"error": "ValueError", "text": "wrong"}),
    ],
)
def test_a_value_has_a_form_in_json(value: Any, wanted: Any) -> None:
    assert json.loads(json_text(value)) == wanted


def test_a_document_without_indent_is_one_line() -> None:
    assert json_text([1, {"a": "b\nc"}], indent=None) == '[1, {"a": "b\\nc"}]'
