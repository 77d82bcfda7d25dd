"""``vista.encode_value`` and ``vista.decode_value``: values as bytes outside of messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vista
from vista.testing import World


@pytest.fixture(autouse=True)
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


def test_what_is_decoded_is_what_was_encoded() -> None:
    value = {"tea": [1, 2.5, None, ("a", b"b")], "set": {3, 1, 2}}
    assert vista.decode_value(vista.encode_value(value)) == value


def test_equal_sets_have_equal_bytes_whatever_their_order() -> None:
    one, other = {0, 8}, {8, 0}
    assert list(one) != list(other), "they stand in one place of the table, the first one first"
    assert vista.encode_value(one) == vista.encode_value(other)


def test_the_order_of_a_dict_is_part_of_it() -> None:
    assert vista.encode_value({1: 2, 3: 4}) != vista.encode_value({3: 4, 1: 2})


def test_a_ref_is_encoded_as_what_it_means() -> None:
    here = vista.here()
    assert vista.decode_value(vista.encode_value([here])) == [here]


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(vista.NotAValueError, match=r"^value\[0\]: object is not a value"):
        vista.encode_value([object()])


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92\x01"], ids=["empty", "unknown", "cut"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(vista.RemoteProtocolError):
        vista.decode_value(data)
