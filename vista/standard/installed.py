"""Finding classes and commands that are installed but not imported.

The name space Standard and every application of the entry-point group ``vista.apps`` list their
class names and modules as data, ``CLASSES``; applications list subcommands of ``vista`` likewise,
``COMMANDS``. Reading those lists imports the application's package, which does no work, and none of
its modules.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from vista.standard import CLASSES

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

ClassWord = str | list[Any]
"""How messages name a class: a name, ``Space.Name``, or ``[name space, name, version]``."""

GROUP = "vista.apps"
"""The entry-point group in which an application names its package."""


def installed_classes() -> dict[str, str]:
    """Every installed class name and the module that defines it.

    A name of Standard wins over an application's; between applications the first in order of their
    entry-point names does.
    """
    return _listed("CLASSES") | CLASSES


def _listed(what: str) -> dict[str, str]:
    """What the applications list under a name; the first in order of their names wins."""
    # Imported late: it takes 25 ms, and a file of standard classes needs it not.
    from importlib.metadata import entry_points

    found: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name, reverse=True):
        found |= getattr(importlib.import_module(entry.value), what, {})
    return found


def find_installed(name: str) -> type | None:
    """Import the module of the installed class ``name`` and return the class; None if none has it.

    Standard is looked through first, because reading the entry points takes tens of milliseconds.
    """
    module = CLASSES.get(name) or installed_classes().get(name)
    if module is None:
        return None
    found: type = getattr(importlib.import_module(module), name)
    return found


def find_command(name: str) -> Callable[[Sequence[str]], int] | None:
    """Import the module that an application lists for the subcommand ``name`` of ``vista``.

    Returns its ``main``, which takes the words behind the subcommand and returns the exit code;
    None if no installed application has it.
    """
    module = _listed("COMMANDS").get(name)
    if module is None:
        return None
    found: Callable[[Sequence[str]], int] = importlib.import_module(module).main
    return found


def class_specifier(text: str) -> ClassWord:
    """A class as the words of an rc line name it, as ``create`` takes it.

    ``Counter``, ``Local.Counter``, or ``Local.Counter.2`` for exactly that version.
    """
    parts = text.split(".")
    if len(parts) == 3 and parts[2].isdecimal():
        return [parts[0], parts[1], int(parts[2])]
    return text


def bare_name(specifier: ClassWord) -> str:
    """The class name alone in either way of naming a class."""
    return specifier.rpartition(".")[2] if isinstance(specifier, str) else str(specifier[1])


def known_names(kernel: Kernel) -> set[str]:
    """Every class name that can be found on a node: loaded classes and installed ones."""
    return {entry.name for entry in kernel.classes.entries()} | set(installed_classes())
