"""What a reconfiguration makes of a membership, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.solidstate.pbft.canonical import MalformedMessage, pack
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.pbft.membership import (
    MEMBERS_MAX,
    VIEWS_PER_EPOCH,
    Epoch,
    epoch_of,
    founders,
    read_membership,
    reconfiguration,
    reconfigured,
)
from apps.solidstate.pbft.messages import Admission, Member, Membership, Request
from apps.solidstate.pbft.proofs import Proofs
from vista import BadValueError

FOUR = founders(4)


def changed(operation: bytes, before: Membership = FOUR, crash_only: bool = False) -> Membership:
    return reconfigured(before, operation, 9, lambda key: len(key) == 3, crash_only)


def test_the_next_epoch_begins_behind_the_batch_that_asked_for_it() -> None:
    after = changed(reconfiguration(FOUR, {4: b"key"}, [2]))
    assert (after.epoch, after.start) == (1, 9)
    assert [member.number for member in after.members] == [0, 1, 3, 4]
    assert after.members[3] == Member(4, b"key")


def test_adding_three_changes_how_many_may_be_faulty() -> None:
    after = changed(reconfiguration(FOUR, {4: b"key", 5: b"key", 6: b"key"}))
    assert Epoch(after, crash_only=False).quorums.faults == 2


def test_a_number_is_never_given_twice() -> None:
    without = changed(reconfiguration(FOUR, {4: b"key"}, [2]))
    assert without.fresh == 5
    with pytest.raises(BadValueError, match=r"2 was a member; the least free number: 5"):
        reconfiguration(without, {2: b"key"})
    rows = [[one, b""] for one in range(4)]
    rows.append([4, b"key"])
    with pytest.raises(BadValueError, match=r"2 was a member; the least free: 5"):
        reconfigured(without, pack(["reconfigure", 1, rows]), 10, lambda key: True, False)


def test_who_is_no_member_cannot_leave() -> None:
    with pytest.raises(BadValueError, match=r"\[9\] are not all members of epoch 0"):
        reconfiguration(FOUR, remove=[9])


def row(number: object, key: object = b"") -> list[object]:
    return [number, key]


BAD: dict[str, tuple[object, str]] = {
    "words": ("hello", r"asks for reconfigurations and nothing else"),
    "put": (["put", "a", b"1"], r"asks for reconfigurations and nothing else"),
    "past": (["reconfigure", 1, []], r"epoch 0 is reached, and the operation is for 1"),
    "none": (["reconfigure", 0, []], r"0 replicas: Byzantine agreement"),
    "few": (["reconfigure", 0, [row(0), row(1), row(3)]], r"3 replicas: Byzantine agreement"),
    "order": (
        ["reconfigure", 0, [row(1), row(0), row(2), row(3)]],
        r"in the order of their numbers, each once",
    ),
    "twice": (
        ["reconfigure", 0, [row(0), row(0), row(2), row(3)]],
        r"in the order of their numbers, each once",
    ),
    "key": (
        ["reconfigure", 0, [row(0, b"new"), row(1), row(2), row(3)]],
        r"the key of 0 cannot change",
    ),
    "short": (
        ["reconfigure", 0, [row(0), row(1), row(2), row(4, b"k")]],
        r"the key of 4 is no public key",
    ),
    "name": (["reconfigure", 0, [row("x")]], r"a member is a number below"),
    "flag": (["reconfigure", 0, [row(True)]], r"a member is a number below"),
    "high": (["reconfigure", 0, [row(2**31)]], r"a member is a number below"),
    "many": (
        ["reconfigure", 0, [row(n, b"key" if n > 3 else b"") for n in range(MEMBERS_MAX + 1)]],
        r"65 members: 64 are the most",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_work_is_refused_with_words(name: str) -> None:
    operation, words = BAD[name]
    packed = pack(operation) if isinstance(operation, list) else str(operation).encode()
    with pytest.raises(BadValueError, match=words):
        changed(packed)


def test_one_batch_ends_one_epoch() -> None:
    after = changed(reconfiguration(FOUR))
    with pytest.raises(BadValueError, match=r"epoch 1 is reached"):
        reconfigured(after, reconfiguration(after), after.start, lambda key: True, False)


def test_three_are_enough_where_replicas_only_crash() -> None:
    after = changed(reconfiguration(FOUR, remove=[0]), crash_only=True)
    assert Epoch(after, crash_only=True).quorums.certificate == 2


def test_a_view_number_holds_its_epoch() -> None:
    epoch = Epoch(replace(FOUR, epoch=3), crash_only=False)
    assert epoch_of(epoch.first_view) == epoch_of(epoch.first_view + VIEWS_PER_EPOCH - 1) == 3
    assert not epoch.has_view(epoch.first_view - 1)
    assert not epoch.has_view(epoch.first_view + VIEWS_PER_EPOCH)


def test_a_membership_comes_back_from_its_row() -> None:
    assert read_membership(FOUR.row) == FOUR
    with pytest.raises(MalformedMessage, match=r"membership has 5 fields"):
        read_membership([1])


def test_who_is_admitted_under_the_administrators_name_does_not_become_it() -> None:
    administrator, thief = (Ed25519Keyring(b"", bytes([one]) * 32, {}) for one in (1, 2))
    keyring = Ed25519Keyring(b"", bytes(32), {"boss": administrator.public_key})
    after = replace(FOUR, epoch=1, start=9, clients=(Admission("boss", thief.public_key),))
    config = Config(replicas=4, administrators=frozenset({"boss"}), membership=after)
    proofs = Proofs(config, keyring)
    for signer, right in ((administrator, True), (thief, False)):
        request = Request("boss", 1, b"pass", False, 0)
        signed = replace(request, signature=signer.sign(request.body))
        assert proofs.request(signed) is right
