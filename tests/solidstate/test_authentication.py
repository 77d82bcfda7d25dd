"""Signatures and MACs: who holds a key can speak as its owner, and nobody else can."""

from __future__ import annotations

from random import Random

import pytest

from apps.solidstate.pbft.authentication import MAC_BYTES, Keyring, Sealer
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.simulator.keys import Authority
from vista import BadValueError


def real(group: bytes = b"group") -> list[Keyring]:
    seeds = [bytes([number]) * 32 for number in range(3)]
    public = {n: Ed25519Keyring(b"", seed, {}).public_key for n, seed in enumerate(seeds)}
    return [Ed25519Keyring(group, seed, public) for seed in seeds]


def simulated() -> list[Keyring]:
    authority = Authority(Random(1))
    return [authority.keyring(number) for number in range(3)]


@pytest.fixture(params=[real, simulated], ids=["ed25519", "simulated"])
def keyrings(request: pytest.FixtureRequest) -> list[Keyring]:
    return request.param()  # type: ignore[no-any-return]


def test_everybody_can_verify_a_signature(keyrings: list[Keyring]) -> None:
    signature = keyrings[0].sign(b"body")
    assert all(keyring.verify(0, b"body", signature) for keyring in keyrings)


def test_a_signature_is_of_one_principal_and_one_text(keyrings: list[Keyring]) -> None:
    signature = keyrings[0].sign(b"body")
    assert not keyrings[2].verify(1, b"body", signature)
    assert not keyrings[2].verify(0, b"other", signature)
    assert not keyrings[2].verify("stranger", b"body", signature)


@pytest.mark.parametrize("signature", [b"", b"x", b"x" * 16, b"x" * 64, b"x" * 100])
def test_what_is_no_signature_is_refused(keyrings: list[Keyring], signature: bytes) -> None:
    assert not keyrings[1].verify(0, b"body", signature)


def test_a_signature_is_worth_nothing_in_another_group() -> None:
    signature = real(b"group")[0].sign(b"body")
    assert not real(b"other")[1].verify(0, b"body", signature)


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(BadValueError, match=r"a key of 32 bytes is expected"):
        Ed25519Keyring(b"", b"short", {})


@pytest.fixture
def sealers() -> list[Sealer]:
    keys = {frozenset((a, b)): bytes([a * 3 + b]) * 32 for a in range(3) for b in range(a)}
    return [
        Sealer(me, {other: keys[frozenset((me, other))] for other in range(3) if other != me})
        for me in range(3)
    ]


def test_a_sealed_message_is_opened_by_its_receiver(sealers: list[Sealer]) -> None:
    assert sealers[1].open(sealers[0].seal(b"data", 1), 0) == b"data"


def test_a_sealed_message_is_for_nobody_else(sealers: list[Sealer]) -> None:
    assert sealers[2].open(sealers[0].seal(b"data", 1), 0) is None


def test_a_sealed_message_is_of_nobody_else(sealers: list[Sealer]) -> None:
    assert sealers[1].open(sealers[0].seal(b"data", 1), 2) is None
    assert sealers[1].open(sealers[0].seal(b"data", 1), "stranger") is None


def test_a_sealed_message_cannot_be_sent_back(sealers: list[Sealer]) -> None:
    assert sealers[0].open(sealers[0].seal(b"data", 1), 1) is None


def test_a_changed_bit_anywhere_is_found(sealers: list[Sealer]) -> None:
    sealed = sealers[0].seal(b"data", 1)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert sealers[1].open(bytes(changed), 0) is None


def test_less_than_a_mac_is_refused(sealers: list[Sealer]) -> None:
    assert sealers[1].open(b"x" * (MAC_BYTES - 1), 0) is None
