"""Why settings that have ``validate()`` are refused."""

from __future__ import annotations

from typing import Protocol

from vista import BadValueError


class Validated(Protocol):
    """Limits or a configuration."""

    def validate(self) -> None:
        """Raise `BadValueError` when it cannot work."""


def refusal(settings: Validated) -> str:
    """Return why settings are refused; nothing when they are valid."""
    try:
        settings.validate()
    except BadValueError as error:
        return str(error)
    return ""
