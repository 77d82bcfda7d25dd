"""What stands for a transport when its connection is lost.

A client may go while an object makes its page. uvloop's transports then raise for whatever is asked
of them, asyncio's own say a warning; this one takes everything and does nothing.
"""

from __future__ import annotations

from typing import Final


class GoneTransport:
    """A transport that leads nowhere."""

    def get_extra_info(self, name: str) -> None:
        """Know nothing."""

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def is_closing(self) -> bool:
        """It is closed."""
        return True

    def can_write_eof(self) -> bool:
        """There is nothing to end."""
        return False

    def write(self, data: bytes) -> None:
        """Forget what would have been sent."""

    def writelines(self, pieces: tuple[bytes, ...]) -> None:
        """Forget what would have been sent."""

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def close(self) -> None:
        """It is closed."""

    def abort(self) -> None:
        """It is closed."""


GONE: Final = GoneTransport()
"""The one there is; it has no state."""
