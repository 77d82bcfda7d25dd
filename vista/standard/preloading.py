"""Importing what an rc file names before its node's loop runs, which would stand still so long.

The modules of an application, with the libraries behind them, take a tenth of a second and more.
Imported by the line that needs them first, they would keep the node from its peers meanwhile, and
all processes of ``vista --processes`` at the same time.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

_FILE_CHARACTERS_MAX: Final = 1_000_000
_COMMENT = re.compile(r"(?m)(?:^|\s)#.*$")
_NAME = re.compile(r"[^\W\d]\w*")
_CLASS_FILE = re.compile(r"[^\s\"']+\.py(?![^\s\"'])")


def load_named_classes(node_kernel: Kernel, file_name: str) -> None:
    """Import the modules of the installed classes whose names stand in an rc file.

    Names in the class files that it loads count too, such as those of bases. Call it
    before the loop of the node runs. Every word may be such a name, since lines such as
    ``CreateOnEveryNode`` take classes as arguments. What cannot be read or imported is left to the
    line that needs it, which says what is wrong.
    """
    text = _text_of(Path(file_name))
    beside = [Path(file_name).parent / name for name in _CLASS_FILE.findall(text)]
    names = {name for one in (text, *map(_text_of, beside)) for name in _NAME.findall(one)}
    for name in sorted(names):
        module = node_kernel.classes.module_of(name)
        if module is not None:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)


def _text_of(path: Path) -> str:
    """The beginning of a file without comments; empty when it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _COMMENT.sub("", file.read(_FILE_CHARACTERS_MAX))
    except (OSError, ValueError):
        return ""
