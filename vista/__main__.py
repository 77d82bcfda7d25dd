"""``python -m vista``: the command."""

from __future__ import annotations

import sys

from vista.shell.command import main

if __name__ == "__main__":
    sys.exit(main())
