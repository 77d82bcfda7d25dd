"""The program ``vista``: Ctrl-C ends it quietly also while Python is loading the command.

Loading takes some tenths of a second, and an interrupt in the midst of an import would end in a
traceback, or get lost in it. So this module is beside the package, whose own modules are loaded by
the first import from it, and loads nothing else before it is ready for the signal.
"""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended; that of `vista.shell.options`."""


def main() -> int:
    """Load the command and run it with the words of the command line; return its exit code."""
    # Who ignores the signal, as a shell's background jobs do, is to go on ignoring it.
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeds:
        # Nothing has begun that is to be ended in order.
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(INTERRUPTED))
    from vista.shell.command import main as run_command

    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run_command()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
