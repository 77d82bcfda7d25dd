"""What a simulation raises when a world does not behave."""

from __future__ import annotations


class Failure(AssertionError):
    """Something that must hold in a simulated world does not; the text says what."""
