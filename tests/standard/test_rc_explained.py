"""What an rc line says of an error of the system."""

from __future__ import annotations

from vista.kernel.classes import ClassEntry
from vista.standard.console import VirtualConsole
from vista.standard.rc_run import explain


def test_an_error_of_the_system_is_told_without_its_number() -> None:
    entry = ClassEntry(VirtualConsole)
    taken = OSError(98, "cannot listen at 127.0.0.1:4321: Address already in use")
    assert explain(taken, entry) == "cannot listen at 127.0.0.1:4321: Address already in use"
    gone = FileNotFoundError(2, "No such file or directory", "a.txt")
    assert explain(gone, entry) == "No such file or directory: 'a.txt'"
