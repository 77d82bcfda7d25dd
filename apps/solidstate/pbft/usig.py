"""The trusted counter: the interface of a USIG, and the UIs it makes.

USIG is the unique sequential identifier generator of Veronese and others, "Efficient Byzantine
Fault-Tolerance" (IEEE Transactions on Computers, 2013), section 4.1. Three promises make it worth
its trust, whoever runs it: it numbers no two messages alike, the numbers of successive messages
follow each other, and nobody else makes its certificates. An epoch is the time in which its count
is whole: a device that lost it draws another epoch and speaks for another replica than before.

One thing is added for groups that change. The numbers that count in an epoch of the *group* begin
at a place of their own, `base_of`, and the device is told to pass over those before. So every
member's statements of an epoch begin where everybody knows, whatever it counted in former ones.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack

COUNTER_MAX = 2**63 - 1
"""The greatest number of a statement: of eight million epochs of a group."""

COUNTS_PER_EPOCH = 2**40
"""Numbers of one epoch of a group; at a thousand statements in a second they last 34 years."""


class UI(NamedTuple):
    """A unique identifier: the epoch of the device, the number, and the device's certificate."""

    epoch: int
    counter: int
    certificate: bytes


class Usig(Protocol):
    """One replica's trusted counter."""

    @property
    def epoch(self) -> int:
        """The epoch of its UIs, the same after every start as long as its count was kept."""

    def create_ui(self, message: bytes, base: int = 0) -> bytes:
        """Return a UI with the next number for a message, as `ui_bytes`; the first number is 1.

        Numbers up to ``base`` are passed over, and never given from then on.
        """

    def kept(self, counter: int) -> bytes | None:
        """Return again the UI that was made with a number, None if it was not or is forgotten."""

    def forget(self, counter: int) -> None:
        """Forget the UIs up to a number, which nobody will ask for again."""


class UsigVerifier(Protocol):
    """Knows the devices of all members of one group."""

    def verify_ui(self, replica: int, message: bytes, ui: bytes) -> int | None:
        """Return the number under which a replica's device certified a message, None if it did not.

        A UI of another epoch than the one the group knows for the device is none.
        """

    def is_device(self, device: bytes) -> bool:
        """Tell whether bytes name a device; every member's verifier says the same."""

    def learn(self, replica: int, device: bytes) -> None:
        """Take up the device of a replica that came into the group."""


def base_of(epoch: int) -> int:
    """Return the number below the first one that counts in an epoch of a group."""
    return epoch * COUNTS_PER_EPOCH


def epoch_of_count(counter: int) -> int:
    """Return the epoch of a group in which a number counts."""
    return (counter - 1) // COUNTS_PER_EPOCH


def member_key(key: bytes, device: bytes) -> bytes:
    """Return what a membership has in the place of a public key: it and what names the device."""
    return pack([key, device])


def read_member_key(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the public key and the device in a `member_key`, None where it is none."""
    try:
        found = unpack(data)
    except MalformedMessage:
        return None
    match found:
        case [bytes(key), bytes(device)]:
            return key, device
    return None


def ui_bytes(ui: UI) -> bytes:
    """Return the bytes of a UI as they stand in records."""
    return pack([ui.epoch, ui.counter, ui.certificate])


def read_ui(data: bytes) -> UI | None:
    """Return the UI in bytes, None where there is none."""
    try:
        found = unpack(data)
    except MalformedMessage:
        return None
    if type(found) is not list or [type(value) for value in found] != [int, int, bytes]:
        return None
    ui = UI(*found)
    return ui if ui.epoch >= 0 and 0 < ui.counter <= COUNTER_MAX else None


def ui_body(epoch: int, counter: int, digest: bytes) -> bytes:
    """Return what a device certifies: that the message with a digest has this number."""
    return pack(["ui", epoch, counter, digest])


def certify(usig: Usig, counter: int, message: bytes) -> bytes:
    """Return the UI with a number for a message, as a driver that got a `Certify` effect has to.

    It was made before if the answer was lost in a crash: then it is the one that is kept. Were the
    counter asked anew, the number would be gone, and others would wait for it for ever.
    """
    return usig.kept(counter) or usig.create_ui(message, base_of(epoch_of_count(counter)))
