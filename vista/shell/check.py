"""``vista check``: every mistake of an rc file in one go, starting nothing.

Class files named by LoadClassFile lines and directories of AutomaticClassLoader lines are read
without running them. Installed classes are imported, because only so their arguments are known for
certain. What depends on the run (a service that an object registers, ``$1`` when no arguments are
given) is taken to be right.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path

from vista.errors import RcError, VistaError
from vista.kernel.classes import ClassEntry
from vista.mobility.loader import find_file, is_source, read_source, search_path
from vista.mobility.scan import ScannedClass, scan_source
from vista.standard.installed import (
    ClassWord,
    bare_name,
    class_specifier,
    find_installed,
    installed_classes,
)
from vista.standard.loading import PEERS, fits, scan_directories
from vista.standard.rc_arguments import bind, class_words
from vista.standard.rc_grammar import (
    Argument,
    Mistake,
    Statement,
    Unknown,
    Variables,
    did_you_mean,
    expand,
    parse,
)
from vista.standard.rc_run import beside, create_signature, read_text
from vista.values import Reference


class _Made(Reference):
    """Stands for an object that an earlier line would have made."""

    __slots__ = ()


def check_file(
    file_name: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> list[str]:
    """Find every mistake in an rc file.

    ``arguments`` are ``$1``, ``$2`` and so on; none given means that they are not known and may be
    anything. ``environment`` holds the other variables. Returns the mistakes in the order of their
    places, each as ``file:line:column: text``; an empty list means that the file is in order.
    """
    try:
        text = read_text(file_name)
    except RcError as error:
        return [str(error)]
    check = _Check(file_name, Variables(environment, file_name, arguments or None), environment)
    for statement in parse(text):
        check.statement(statement)
    check.named_classes()
    check.mistakes.sort(key=lambda mistake: (mistake.line, mistake.column))
    return [mistake.in_file(file_name) for mistake in check.mistakes]


class _Check:
    """Goes through the statements of a file and notes what would go wrong."""

    def __init__(
        self, file_name: str, variables: Variables, environment: Mapping[str, str]
    ) -> None:
        self.directory = Path(file_name).parent
        self.search_path = search_path((), environment.get("VISTA_PATH", ""))
        self.variables = variables
        self.mistakes: list[Mistake] = []
        self.scanned: list[ScannedClass] = []
        self.asks_peers = False
        self._named: list[Argument] = []

    def statement(self, statement: Statement) -> None:
        """Check one line; its name counts as set whatever is wrong with the line."""
        self.mistakes += statement.mistakes
        arguments, mistakes = expand(statement.words, self.variables)
        self.mistakes += mistakes
        if statement.name is not None:
            self.variables.define(statement.name, _Made(), Unknown())
        if not statement.mistakes and not isinstance(arguments[0].value, Unknown):
            self._line(arguments[0], arguments[1:])

    def _line(self, word: Argument, arguments: list[Argument]) -> None:
        if not isinstance(word.value, str):
            self._mistake(word, "a class name must stand here, not an object")
            return
        signature = self._signature(word, word.value, class_specifier(word.value))
        if signature is None:
            return
        _, mistakes = bind(word, signature, arguments, self)
        self.mistakes += mistakes
        if not mistakes:
            self._take_in(word.value, arguments)
            self._named += class_words(signature, arguments)

    def named_classes(self) -> None:
        """Check the classes that objects make objects of later: any line may have loaded them."""
        for word in self._named:
            self._signature(word, str(word.value), str(word.value))

    def _mistake(self, argument: Argument, text: str) -> None:
        self.mistakes.append(Mistake(argument.line, argument.column, text))

    # --- classes ---------------------------------------------------------------------------

    def _signature(self, word: Argument, text: str, name: ClassWord) -> inspect.Signature | None:
        """What the class takes; None when that cannot be known or there is no such class.

        ``text`` is what the line says, ``name`` what is meant by it.
        """
        scanned = [candidate for candidate in self.scanned if fits(candidate, name)]
        if scanned:
            return max(scanned, key=lambda candidate: candidate.version).create
        try:
            cls = find_installed(bare_name(name))
        except ImportError as error:
            self._mistake(word, f"{text} cannot be loaded: {error}")
            return None
        if cls is not None:
            return create_signature(ClassEntry(cls))
        if self.asks_peers:
            # A peer may have it, and nobody is asked before the file is run.
            return None
        known = {*installed_classes(), *(candidate.name for candidate in self.scanned)}
        self._mistake(word, f'no class "{text}"{did_you_mean(bare_name(name), known)}')
        return None

    def _take_in(self, class_name: str, arguments: list[Argument]) -> None:
        """Note which classes a line makes known to those after it."""
        bare = bare_name(class_specifier(class_name))
        known = [argument for argument in arguments if isinstance(argument.value, str)]
        if bare == "LoadClassFile" and known:
            self._scan_file(known[0], str(known[0].value))
        elif bare == "AutomaticClassLoader":
            for argument in known:
                if argument.value == PEERS:
                    self.asks_peers = True
                else:
                    self._scan_directory(argument, self.file(str(argument.value)))

    def _scan_file(self, argument: Argument, name: str) -> None:
        try:
            if is_source(name):
                found = scan_source(name, "source")
            else:
                path = find_file(self.file(name), self.search_path)
                found = scan_source(read_source(path), str(path))
        except VistaError as error:
            self._mistake(argument, str(error))
            return
        if not found:
            self._mistake(argument, f"no object class in {name}; write class Name(vista.Object)")
        self.scanned += found

    def _scan_directory(self, argument: Argument, directory: str) -> None:
        if not Path(directory).is_dir():
            self._mistake(argument, f'no directory "{directory}" to look for class files in')
        self.scanned += [scanned for _, scanned in scan_directories([directory])]

    # --- what words stand for (the Finder of rc_arguments) ----------------------------------

    def object(self, text: str) -> Reference:
        """Any text may be an Id or a service name by the time the line runs."""
        return _Made()

    def file(self, text: str) -> str:
        """A file or directory beside the rc file, else the name as it is."""
        return beside(self.directory, text)
