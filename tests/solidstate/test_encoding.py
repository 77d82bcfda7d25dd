"""Bytes from outside are a whole record or a named error; canonical bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.encoding import decode, encode
from apps.solidstate.pbft.messages import (
    KINDS,
    Account,
    Admission,
    Batch,
    Blobs,
    Checkpoint,
    Commit,
    Counted,
    Decided,
    FetchBatches,
    FetchBlobs,
    FetchHandovers,
    FetchStanding,
    Handover,
    Handovers,
    History,
    Member,
    Membership,
    Message,
    NewView,
    Opened,
    Opening,
    Prepare,
    Prepared,
    PrePrepare,
    Proposal,
    Reply,
    Request,
    Stable,
    Standing,
    Status,
    ViewChange,
)

NUMBERS = st.integers(0, 2**63 - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
SIGNATURES = st.binary(max_size=64)


def several(what: st.SearchStrategy[Message]) -> st.SearchStrategy[tuple[Message, ...]]:
    return st.lists(what, max_size=3).map(tuple)


REQUESTS = st.builds(
    Request, st.text(max_size=20), NUMBERS, st.binary(), st.booleans(), NUMBERS, SIGNATURES
)
BATCHES = st.builds(Batch, NUMBERS, st.binary(max_size=20), several(REQUESTS))
ORDERS = st.builds(PrePrepare, NUMBERS, NUMBERS, DIGESTS, SIGNATURES)
PREPARES = st.builds(Prepare, NUMBERS, NUMBERS, DIGESTS, NUMBERS, SIGNATURES)
PREPARED = st.builds(Prepared, ORDERS, several(PREPARES))
COUNTED = st.builds(Counted, st.text(max_size=9), NUMBERS, NUMBERS, DIGESTS, NUMBERS, SIGNATURES)
CHECKPOINTS = st.builds(
    Checkpoint,
    NUMBERS,
    DIGESTS,
    NUMBERS,
    NUMBERS,
    st.just(b"") | DIGESTS,
    several(COUNTED),
    SIGNATURES,
)
STABLE = st.builds(Stable, NUMBERS, DIGESTS, several(CHECKPOINTS))
MEMBERS = st.builds(Member, NUMBERS, st.binary(max_size=32))
ADMISSIONS = st.builds(Admission, st.text(max_size=9), st.binary(max_size=32))
MEMBERSHIPS = st.builds(
    Membership, NUMBERS, NUMBERS, NUMBERS, several(MEMBERS), several(ADMISSIONS)
)
HANDOVERS = st.builds(Handover, MEMBERSHIPS, STABLE)
OPENINGS = st.builds(Opening, NUMBERS, DIGESTS, NUMBERS, SIGNATURES)
OPENED = st.builds(
    Opened, NUMBERS, NUMBERS, st.lists(DIGESTS, max_size=3).map(tuple), several(OPENINGS)
)
ACCOUNTS = st.builds(Account, STABLE, several(COUNTED), several(OPENED))
VOTES = st.builds(
    ViewChange, NUMBERS, STABLE, several(PREPARED), NUMBERS, st.none() | ACCOUNTS, SIGNATURES
)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    REQUESTS,
    BATCHES,
    ORDERS,
    st.builds(Proposal, ORDERS, BATCHES),
    PREPARES,
    st.builds(Commit, NUMBERS, NUMBERS, DIGESTS),
    PREPARED,
    COUNTED,
    st.builds(History, several(COUNTED)),
    OPENINGS,
    OPENED,
    ACCOUNTS,
    CHECKPOINTS,
    STABLE,
    MEMBERS,
    ADMISSIONS,
    MEMBERSHIPS,
    HANDOVERS,
    st.builds(Handovers, several(HANDOVERS)),
    st.builds(FetchHandovers, NUMBERS),
    VOTES,
    st.builds(NewView, NUMBERS, several(VOTES), several(ORDERS), SIGNATURES),
    st.builds(
        Reply,
        NUMBERS,
        st.text(max_size=9),
        NUMBERS,
        st.booleans(),
        DIGESTS,
        st.none() | SIGNATURES,
        st.booleans(),
    ),
    st.builds(
        Status,
        NUMBERS,
        st.booleans(),
        NUMBERS,
        NUMBERS,
        st.booleans(),
        st.booleans(),
        st.lists(NUMBERS, max_size=3).map(tuple),
    ),
    st.builds(Decided, NUMBERS, DIGESTS),
    st.builds(FetchBatches, st.lists(DIGESTS, max_size=3).map(tuple)),
    st.builds(FetchBlobs, DIGESTS, st.lists(DIGESTS, max_size=3).map(tuple)),
    st.builds(Blobs, DIGESTS, st.lists(st.binary(max_size=9), max_size=3).map(tuple)),
    st.builds(FetchStanding, DIGESTS),
    st.builds(Standing, DIGESTS, NUMBERS, NUMBERS),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    again = decode(encode(message))
    assert again == message and encode(again) == encode(message)


@given(MESSAGES)
def test_the_signed_bytes_come_back_as_they_were(message: Message) -> None:
    again = decode(encode(message))
    assert (again.body, again.digest) == (message.body, message.digest)


@given(MESSAGES, st.data())
def test_a_message_cut_anywhere_is_refused(message: Message, data: st.DataObject) -> None:
    whole = encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedMessage):
        decode(whole[:cut])


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_a_message(data: bytes) -> None:
    try:
        assert isinstance(decode(data), Message)
    except MalformedMessage as error:
        assert str(error)


@given(MESSAGES, st.data())
def test_a_changed_byte_gives_a_message_or_is_refused(
    message: Message, data: st.DataObject
) -> None:
    whole = bytearray(encode(message))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(decode(bytes(whole)), Message)
    except MalformedMessage as error:
        assert str(error)


WRONG = {
    "no list": 5,
    "no tag": [],
    "a tag that is none": ["novel", 1],
    "a tag that is no text": [1, 2],
    "a field too few": ["commit", 1, 2],
    "a field too many": ["commit", 1, 2, b"", 3],
    "a negative number": ["commit", -1, 2, b""],
    "a number too large": ["commit", 2**63, 2, b""],
    "a bool for a number": ["commit", True, 2, b""],
    "a short digest": ["commit", 1, 2, b"short"],
    "text for a digest": ["commit", 1, 2, "x" * 32],
    "a number for a bool": ["status", 1, 1, 1, 1, True, []],
    "no list of numbers": ["status", 1, True, 1, 1, True, 5],
    "a name too long": ["request", "x" * 256, 1, b"", False, 0, b""],
    "bytes for a name": ["request", b"x", 1, b"", False, 0, b""],
    "a signature too long": ["pre-prepare", 1, 1, b"", b"x" * 257],
    "no list of digests": ["fetch-batches", b"x"],
    "no record in a record": ["proposal", 1, 2],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_wrong_is_refused(name: str) -> None:
    with pytest.raises(MalformedMessage, match=r"\w"):
        decode(pack([WRONG[name]])[1:] if isinstance(WRONG[name], int) else pack(WRONG[name]))  # type: ignore[arg-type]


def test_deeply_nested_bytes_are_refused() -> None:
    with pytest.raises(MalformedMessage):
        unpack(b"\x91" * 5000)


def test_every_kind_has_a_tag_of_its_own() -> None:
    assert len({kind.TAG for kind in KINDS}) == len(KINDS)


def test_two_kinds_with_the_same_fields_have_different_bytes_to_sign() -> None:
    assert Commit(1, 2, b"x" * 32).body != PrePrepare(1, 2, b"x" * 32).body


def test_the_signature_is_not_signed_and_everything_else_is() -> None:
    one = Prepare(1, 2, b"x" * 32, 3)
    assert one.body == Prepare(1, 2, b"x" * 32, 3, b"signature").body
    others = [
        Prepare(2, 2, b"x" * 32, 3),
        Prepare(1, 3, b"x" * 32, 3),
        Prepare(1, 2, b"y" * 32, 3),
        Prepare(1, 2, b"x" * 32, 4),
    ]
    assert one.body not in {other.body for other in others}


@given(MESSAGES)
def test_the_row_that_is_kept_of_what_came_is_the_one_that_would_be_made(message: Message) -> None:
    again = decode(encode(message))
    assert again.row == message.row
