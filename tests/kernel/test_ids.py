"""Ids: 16 bytes that name one object for ever, and their text."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista import BadValueError, Id, Overloaded
from vista.ids import ID_BYTES, NODE_BYTES, SERIAL_MAX
from vista.kernel.table import RESERVED_SPANS_MAX, Table

nodes = st.binary(min_size=NODE_BYTES, max_size=NODE_BYTES)
serials = st.integers(0, SERIAL_MAX)

FIRST = Id.make(bytes(NODE_BYTES), 1)


@given(node=nodes, serial=serials)
def test_an_id_keeps_node_and_serial_number(node: bytes, serial: int) -> None:
    id = Id.make(node, serial)
    assert (id.node, id.serial, len(id)) == (node, serial, ID_BYTES)


@given(node=nodes, serial=serials)
def test_the_text_of_an_id_reads_back(node: bytes, serial: int) -> None:
    id = Id.make(node, serial)
    assert Id.parse(str(id)) == id


@given(node=nodes, serial=serials)
def test_the_text_may_be_in_capitals(node: bytes, serial: int) -> None:
    id = Id.make(node, serial)
    assert Id.parse(str(id).upper()) == id


@given(data=st.binary(min_size=ID_BYTES, max_size=ID_BYTES))
def test_any_16_bytes_are_an_id(data: bytes) -> None:
    assert Id.read(data) == Id.parse(str(Id.read(data))) == data


@given(one=st.tuples(nodes, serials), other=st.tuples(nodes, serials))
def test_ids_are_equal_when_their_parts_are(
    one: tuple[bytes, int], other: tuple[bytes, int]
) -> None:
    assert (Id.make(*one) == Id.make(*other)) == (one == other)
    assert (str(Id.make(*one)) == str(Id.make(*other))) == (one == other)


def test_the_text_is_short() -> None:
    assert str(FIRST) == "0000000000000000-1"
    assert str(Id.make(b"\xff" * NODE_BYTES, SERIAL_MAX)) == "zzzzzzzzzzzzzzzz-7zzzzzzzzz"


def test_the_representation_makes_the_id_again() -> None:
    assert repr(FIRST) == "Id('0000000000000000-1')"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "0000000000000000",
        "0000000000000000-",
        "000000000000000-1",
        "00000000000000000-1",
        "0000000000000000-1-1",
        "0000000000000000-00000000001",
        "000000000000000u-1",
        " 0000000000000000-1",
        "0000000000000000-1\n",
        "0000000000000000-\u0661",
        "0000000000000000-zzzzzzzzzz",
    ],
)
def test_a_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadValueError, match="is not an Id"):
        Id.parse(text)


@pytest.mark.parametrize("size", [0, 1, 15, 17, 32])
def test_another_number_of_bytes_is_no_id(size: int) -> None:
    with pytest.raises(BadValueError, match=f"16 bytes, not {size}"):
        Id.read(bytes(size))


@pytest.mark.parametrize("size", [0, 9, 11])
def test_a_node_identity_has_ten_bytes(size: int) -> None:
    with pytest.raises(BadValueError, match="10 bytes"):
        Id.make(bytes(size), 1)


@pytest.mark.parametrize("serial", [-1, SERIAL_MAX + 1])
def test_a_serial_number_has_48_bits(serial: int) -> None:
    with pytest.raises(BadValueError, match="serial number"):
        Id.make(bytes(NODE_BYTES), serial)


def test_ids_sort_by_node_and_then_in_the_order_they_were_given() -> None:
    ids = [Id.make(bytes([node] * NODE_BYTES), serial) for node in (1, 2) for serial in (1, 9, 300)]
    backwards = ids[::-1]
    assert sorted(backwards) == ids


def test_a_copy_of_an_id_is_an_id() -> None:
    assert type(copy.deepcopy(FIRST)) is Id and copy.deepcopy(FIRST) == FIRST


# --- giving them -----------------------------------------------------------------------------


def test_a_table_gives_serial_numbers_in_order() -> None:
    table = Table(bytes(NODE_BYTES))
    assert [table.new_id().serial for _ in range(3)] == [1, 2, 3]
    assert table.serial == 3


def test_a_table_passes_over_reserved_ids() -> None:
    table = Table(bytes(NODE_BYTES))
    for serial in (2, 3, 5):
        table.reserve(Id.make(bytes(NODE_BYTES), serial))
    assert [table.new_id().serial for _ in range(4)] == [1, 4, 6, 7]


def test_ids_that_were_made_up_are_reserved_within_a_bound() -> None:
    table = Table(bytes(NODE_BYTES))
    for number in range(RESERVED_SPANS_MAX):
        table.reserve(Id.make(bytes(NODE_BYTES), 2**40 + number * 2**20))
    table.reserve(Id.make(bytes(NODE_BYTES), 2**40 + 1))
    with pytest.raises(Overloaded, match=r"of this node and was never made by it.*makes Ids up$"):
        table.reserve(Id.make(bytes(NODE_BYTES), 2**41))
    assert table.new_id().serial == 1


def test_reserved_ids_that_were_passed_are_forgotten() -> None:
    blocks = iter([range(1, 3), range(2**40, 2**41)])
    table = Table(bytes(NODE_BYTES), lambda: next(blocks))
    reserved = [2**20 * number for number in range(1, RESERVED_SPANS_MAX)]
    for serial in [*reserved, 2**40]:
        table.reserve(Id.make(bytes(NODE_BYTES), serial))
    assert [table.new_id().serial for _ in range(3)] == [1, 2, 2**40 + 1]
    assert len(table._reserved) == 1


def test_ids_of_other_nodes_and_of_the_past_need_not_be_reserved() -> None:
    table = Table(bytes(NODE_BYTES))
    table.new_id()
    table.reserve(FIRST)
    table.reserve(Id.make(b"\x01" * NODE_BYTES, 2))
    assert table.new_id().serial == 2
