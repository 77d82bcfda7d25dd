"""What a replica or client is told: a message came, or a deadline has passed."""

from __future__ import annotations

from dataclasses import dataclass

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.messages import Message


@dataclass(frozen=True, slots=True)
class Received:
    """``message`` came from ``sender``; the channel has proven who that is."""

    sender: Principal
    message: Message


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: ``next_deadline()`` is reached, or may be."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The application of a client wants ``operation`` done."""

    operation: bytes
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Certified:
    """The trusted counter made ``ui`` for what a `Certify` effect with this ``counter`` asked."""

    counter: int
    ui: bytes


Event = Received | Tick | Ask | Certified
"""What ``handle`` takes."""
