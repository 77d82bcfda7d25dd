"""The format itself: what is stored today must be read in years."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.values.samples import Colour, Handle, Position, Rights, Row
from tests.values.strategies import identical
from tests.wire.checks import make_codec
from vista.ids import Id

CODEC = make_codec()
ID = Id(bytes(range(16)))
VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "int": 7,
    "64 bits": 2**64 - 1,
    "65 bits": 2**64,
    "negative 64 bits": -(2**63) - 1,
    "float": -0.0,
    "str": "a",
    "bytes": b"a",
    "list": [1, [2]],
    "dict": {"a": 1, (2,): 3},
    "tuple": (1, (2,)),
    "set": {1},
    "frozenset": frozenset({1}),
    "id": ID,
    "decimal": Decimal("-1.50"),
    "uuid": UUID(int=5),
    "date": date(2001, 2, 3),
    "time": time(4, 5, 6, 7),
    "time with zone": time(4, 5, 6, 7, timezone(timedelta(hours=1), "A"), fold=1),
    "datetime": datetime(2001, 2, 3, 4, 5, 6, 7),
    "datetime with zone": datetime(2001, 2, 3, 4, 5, 6, 7, UTC),
    "timedelta": timedelta(-1, 2, 3),
    "timezone": timezone(timedelta(hours=-1)),
    "reference": Handle(ID, "A"),
    "record": Position(1, 2),
    "named tuple": Row("a", 1),
    "enum": Colour.RED,
    "flag": Rights.READ | Rights.RUN,
    "exception": ValueError("a"),
}

BYTES = {
    "none": "c0",
    "true": "c3",
    "int": "07",
    "64 bits": "cfffffffffffffffff",
    "65 bits": "c70901010000000000000000",
    "negative 64 bits": "c70901ff7fffffffffffffff",
    "float": "cb8000000000000000",
    "str": "a161",
    "bytes": "c40161",
    "list": "92019102",
    "dict": "82a1610192d57fc1740203",
    "tuple": "93d57fc1740192d57fc17402",
    "set": "92d57fc17301",
    "frozenset": "92d57fc16601",
    "id": "d802000102030405060708090a0b0c0d0e0f",
    "decimal": "c705032d312e3530",
    "uuid": "d80400000000000000000000000000000005",
    "date": "d605000b2597",
    "time": "d7060004050600000007",
    "time with zone": "c7130601040506000000076f00000000d693a4006e41",
    "datetime": "c70c07000b25970004050600000007",
    "datetime with zone": "c71507000b259700040506000000076f0000000000000000",
    "timedelta": "c70c08ffffffff0000000200000003",
    "timezone": "d709ffffffff296c5c00",
    "reference": "93d57fc16fd802000102030405060708090a0b0c0d0e0fa141",
    "record": "93d57fc172bd74657374732e76616c7565732e73616d706c65733a506f73"
    "6974696f6e82a17801a17902",
    "named tuple": "93d57fc172b874657374732e76616c7565732e73616d706c65733a526f77"
    "82a46e616d65a161a473697a6501",
    "enum": "93d57fc165bb74657374732e76616c7565732e73616d706c65733a436f6c6f7572a3524544",
    "flag": "93d57fc165bb74657374732e76616c7565732e73616d706c65733a52696768747305",
    "exception": "97d57fc178b36275696c74696e733a56616c75654572726f72a16191a1618090a0",
}


@pytest.mark.parametrize("name", VALUES)
def test_this_value_has_these_bytes(name: str) -> None:
    assert CODEC.encode(VALUES[name]).hex() == BYTES[name]


@pytest.mark.parametrize("name", VALUES)
def test_these_bytes_have_this_value(name: str) -> None:
    assert identical(CODEC.decode(bytes.fromhex(BYTES[name])), VALUES[name])
