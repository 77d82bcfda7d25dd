"""The bounds of the input, output and console classes, each with its unit and its reason.

A class that takes a bound as an argument uses the value here when the argument is left out.
"""

from __future__ import annotations

import os

READ_BYTES_DEFAULT = 64 * 1024
"""Bytes ``read_bytes`` returns at most when no length is given: a pipe's capacity on Linux. It is
the system attribute ``IOmaxReadBuffer`` of the original."""

READ_BYTES_MAX = 1024 * 1024
"""Bytes one ``read_bytes`` returns at most whatever is asked for: the buffer is allocated before
the bytes arrive, so a caller that asks for a gigabyte must not get one."""

VECTORS_MAX = max(16, os.sysconf("SC_IOV_MAX"))
"""Vectors one ``writev`` takes; 16 is what POSIX promises. The attribute ``IOmaxVectors``."""

WRITE_WAITING_BYTES_MAX = 16 * 1024 * 1024
"""Bytes that may wait in one IOobject for a slow reader, over all threads that write; a write past
it raises `Overloaded`. Enough for one large buffer of each of a few writers."""

WRITE_STALL_SECONDS = 60.0
"""A write whose reader takes not one byte for so long fails: nginx's ``send_timeout``."""

CONNECT_SECONDS = 30.0
"""How long opening a connection may take: a few retries of a lost first packet (1, 3, 7, 15 s)."""

LISTEN_BACKLOG = 128
"""Connections the operating system holds until they are accepted: Linux's customary bound."""

CONNECTIONS_MAX = 1_000
"""Accepted connections open at once for one AcceptConnection. It fits the usual bound of 1,024
descriptors of a process; the next connection waits in the backlog."""

ACCEPT_PAUSE_SECONDS = 1.0
"""How long accepting rests after it failed for want of descriptors, so as not to spin."""

RECORD_BYTES_MAX = 64 * 1024
"""Bytes a ReadBuffer holds by default; a longer record is an error."""

COPY_BLOCK_BYTES_MAX = READ_BYTES_MAX
"""Bytes SendFile moves at a time at most."""

PAGES_MAX = 100
"""Pages a VirtualConsole keeps; the oldest goes first. Full, they hold 6.4 million characters."""

PAGE_CHARACTERS_MAX = 64 * 1024
"""Characters on one page; the next text begins a page of its own. About 800 full lines."""

SUBSCRIBERS_MAX = 1_000
"""Subscribers of one console, ShutdownService or PeerRegistry: each costs a message for each
event."""

DISPLAY_CHARACTERS_MAX = 1024 * 1024
"""Characters that wait for a slow terminal; what comes after them is counted and not shown."""

DISPLAY_CLOSE_SECONDS = 1.0
"""How long a display that is deleted waits for its terminal to take the last lines."""

PROCESS_END_SECONDS = 5.0
"""How long the deletion of an ExecProcess waits for a killed process to be gone. A process that
was killed ends in milliseconds unless it hangs in the operating system."""
