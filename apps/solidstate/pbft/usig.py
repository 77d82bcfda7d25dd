"""The trusted counter: the interface of a USIG, and the UIs it makes.

USIG is the unique sequential identifier generator of Veronese and others, "Efficient Byzantine
Fault-Tolerance" (IEEE Transactions on Computers, 2013), section 4.1. Three promises make it worth
its trust, whoever runs it: it numbers no two messages alike, the numbers of successive messages
follow each other, and nobody else makes its certificates. An epoch is the time in which its count
is whole: a device that lost it draws another epoch and speaks for another replica than before.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack

COUNTER_MAX = 2**63 - 1
"""The greatest number of a statement; at a million in a second it takes 290,000 years."""


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

    def create_ui(self, message: bytes) -> bytes:
        """Return a UI with the next number for a message, as `ui_bytes`; the first number is 1."""

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
    return usig.kept(counter) or usig.create_ui(message)
