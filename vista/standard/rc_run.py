"""Running an rc file: from its text to objects on a node, one statement after another.

Nothing is created when a line breaks the grammar. A statement that fails ends the run, and what it
made is deleted, last first.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import inspect
import logging
import sys
import traceback
from functools import partial
from pathlib import Path

from vista.api import future, here, id_of, ref_of, wait
from vista.errors import NoSuchClass, NoSuchObject, RcError, VistaError
from vista.kernel.access import AccessControlList
from vista.kernel.classes import ClassEntry
from vista.kernel.hub import AsyncioHub
from vista.kernel.kernel import Kernel
from vista.kernel.objects import DEFINITIONS
from vista.kernel.refs import Ref
from vista.mobility.loader import SCHEME, is_source
from vista.peering.bringing import bring_class
from vista.peering.peering import Peering
from vista.peering.placement import next_creator
from vista.standard import CLASSES
from vista.standard.installed import bare_name, class_specifier
from vista.standard.loading import find_class
from vista.standard.rc_arguments import bind, class_words, signature_of
from vista.standard.rc_grammar import (
    Argument,
    Mistake,
    Statement,
    Variables,
    count_lines,
    expand,
    parse,
)

_log = logging.getLogger("vista.rc")

READ_BYTES = 65536
"""Bytes asked for at a time when an rc file comes from an object."""

RC_BYTES_MAX = 1024 * 1024
"""Bytes an rc file may have. The longest are a few hundred lines; a device that never ends must not
take the machine's memory."""

_SOCKETS = "vista.peering.sockets"

_USE_SOCKETS = frozenset({"vista.standard.mesh", "vista.standard.peers", "vista.standard.placing"})
"""Modules of classes that open sockets to peers."""


class RcSource:
    """Where the text of an rc file comes from."""

    def __init__(self, origin: str | Ref) -> None:
        self.origin = origin
        self.name = origin.removeprefix(SCHEME) if isinstance(origin, str) else str(origin)
        self.directory = Path(self.name).parent if isinstance(origin, str) else Path()

    def read(self) -> str:
        """The whole text. Raises `RcError` when it cannot be had or is no UTF-8."""
        if isinstance(self.origin, str):
            return read_text(self.name)
        data = b""
        while len(data) <= RC_BYTES_MAX and (block := self.origin.read_bytes(READ_BYTES)):
            data += block
        return decode(data, self.name)

    # --- what words of its lines stand for (the Finder of rc_arguments) ---------------------

    def object(self, text: str) -> Ref:
        """The object behind an Id or a service name."""
        return ref_of(text)

    def file(self, text: str) -> str:
        """A file or directory beside the rc file, else the name as it is."""
        return beside(self.directory, text)


def read_text(file_name: str) -> str:
    """The text of an rc file. Raises `RcError` when it cannot be read or is no UTF-8."""
    try:
        with Path(file_name).open("rb") as file:
            return decode(file.read(RC_BYTES_MAX + 1), file_name)
    except OSError as error:
        raise RcError(f"{file_name}: {error.strerror}") from error


def decode(data: bytes, file_name: str) -> str:
    """The bytes of an rc file as text. Raises `RcError` with the place of the first wrong byte."""
    if len(data) > RC_BYTES_MAX:
        raise RcError(f"{file_name}: longer than the {RC_BYTES_MAX} bytes an rc file may have")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        column = len(before) - max(before.rfind("\n"), before.rfind("\r"))
        place = f"{file_name}:{count_lines(before + 'x')}:{column}"
        raise RcError(f"{place}: from here on this is not UTF-8 text") from None


def beside(directory: Path, name: str) -> str:
    """A file or directory name relative to ``directory`` if there is such a one, else unchanged.

    A ``file:`` address becomes a path; source text, which is no name, stays as it is.
    """
    if is_source(name):
        return name
    path = directory / name.removeprefix(SCHEME).removesuffix(",r")
    return str(path) if path.exists() else name


class RcRun:
    """One run through the lines of a file."""

    def __init__(
        self,
        node_kernel: Kernel,
        source: RcSource,
        variables: Variables,
        acl: AccessControlList | None,
        keep_going: bool,
    ) -> None:
        self.kernel = node_kernel
        self.source = source
        self.variables = variables
        self.acl = acl
        self.keep_going = keep_going
        self.made: list[Ref] = []
        self._named: list[Argument] = []

    def run(self, names: dict[str, Ref]) -> int:
        """Run every line; ``names`` is filled with the named objects. Returns the number of
        lines."""
        text = self.source.read()
        statements = parse(text)
        self._check([mistake for statement in statements for mistake in statement.mistakes])
        for statement in statements:
            if statement.mistakes:
                continue
            try:
                self._create(statement, names)
            except RcError as error:
                self._failed(error)
        self._check(self._unknown_classes())
        return count_lines(text)

    def _check(self, mistakes: list[Mistake]) -> None:
        if mistakes:
            self._failed(self._error(mistakes))

    def _failed(self, error: RcError) -> None:
        if not self.keep_going:
            self._undo()
            raise error
        for line in str(error).splitlines():
            _log.error("%s", line)

    def _error(self, mistakes: list[Mistake]) -> RcError:
        lines = [mistake.in_file(self.source.name) for mistake in sorted(mistakes, key=_place)]
        return RcError("\n".join(lines))

    def _create(self, statement: Statement, names: dict[str, Ref]) -> None:
        arguments, mistakes = expand(statement.words, self.variables)
        if mistakes:
            raise self._error(mistakes)
        entry = self._class(arguments[0])
        values, mistakes = bind(arguments[0], create_signature(entry), arguments[1:], self.source)
        if mistakes:
            raise self._error(mistakes)
        self._named += class_words(create_signature(entry), arguments[1:])
        ref = self._ask_creator(arguments[0], entry, values)
        self.made.append(ref)
        _log.debug("%s:%d: made %s", self.source.name, statement.line, ref)
        if statement.name is not None:
            names[statement.name] = ref
            self.variables.define(statement.name, ref, str(id_of(ref)))

    def _class(self, word: Argument) -> ClassEntry:
        if not isinstance(word.value, str):
            text = "a class name must stand here, not an object"
            raise self._error([Mistake(word.line, word.column, text)])
        error = self._load_module(word.value)
        if error is not None:
            text = f"{word.value} could not be loaded: {_with_place(error)}"
            raise self._error([Mistake(word.line, word.column, text)]) from error
        try:
            return find_class(self.kernel, class_specifier(word.value))
        except NoSuchClass as error:
            raise self._error([Mistake(word.line, word.column, str(error))]) from error

    def _unknown_classes(self) -> list[Mistake]:
        """Look for the classes that objects of this file make objects of later."""
        mistakes = []
        for word in self._named:
            name = str(word.value)
            error = self._load_module(name)
            try:
                if error is None:
                    find_class(self.kernel, name)
                    continue
                text = f"{name} could not be loaded: {_with_place(error)}"
            except NoSuchClass as unknown:
                text = str(unknown)
            mistakes.append(Mistake(word.line, word.column, text))
        return mistakes

    def _load_module(self, name: str) -> BaseException | None:
        """Load in a kernel thread the module of an installed class, and what it opens sockets with.

        Returns what the module raised. It takes up to some tenths of a second, for which the loop
        would do nothing else. A simulation waits: how its threads take turns must not depend on
        what is loaded already.
        """
        if not isinstance(self.kernel.hub, AsyncioHub):
            return None
        bare = bare_name(class_specifier(name))
        uses_sockets = "network" not in self.kernel.settings and CLASSES.get(bare) in _USE_SOCKETS
        if self.kernel.classes.knows(bare) and not (uses_sockets and _SOCKETS not in sys.modules):
            return None
        load = partial(self._load_now, bare, uses_sockets)
        loading = self.kernel.hub.run_native(contextvars.Context(), load)
        wait(asyncio.wait([loading]))
        return loading.exception()

    def _load_now(self, name: str, uses_sockets: bool) -> None:
        mark = object()
        DEFINITIONS.imports.add(mark)
        try:
            module = self.kernel.classes.module_of(name)
            if module is not None:
                importlib.import_module(module)
            if uses_sockets:
                importlib.import_module(_SOCKETS)
        except StopIteration as error:
            # No future takes one.
            raise ImportError("its module raised StopIteration") from error
        finally:
            DEFINITIONS.imports.discard(mark)

    def _ask_creator(self, word: Argument, entry: ClassEntry, values: list[object]) -> Ref:
        specifier = [entry.namespace, entry.name, entry.version]
        asked = future(self._creator_for(entry), "create_object", specifier, self.acl, *values)
        error = asked.exception()
        if error is not None:
            text = f"{word.value} could not be created: {explain(error, entry)}"
            raise self._error([Mistake(word.line, word.column, text)]) from error
        made: Ref = asked.result()
        return made

    def _creator_for(self, entry: ClassEntry) -> Ref:
        """The ObjectCreator that makes an object: of a spread class that whose turn it is."""
        peering = self.kernel.elsewhere
        if not entry.is_spread or not isinstance(peering, Peering):
            return here()
        creator = next_creator(peering)
        bring_class(self.kernel, creator, entry.cls)
        return creator

    def _undo(self) -> None:
        """Delete what was made, last first; what deleted itself is gone already."""
        while self.made:
            ref = self.made.pop()
            error = future(ref, "delete_yourself").exception()
            if error is not None and not isinstance(error, NoSuchObject):
                _log.error("%s: deleting %s failed: %s", self.source.name, ref, error)


def _place(mistake: Mistake) -> tuple[int, int]:
    return mistake.line, mistake.column


def create_signature(entry: ClassEntry) -> inspect.Signature:
    """What an rc line may give to ``create`` of a class, annotations as types."""
    return signature_of(entry.create.function) if entry.create else inspect.Signature()


def explain(error: BaseException, entry: ClassEntry) -> str:
    """An exception of a class's ``create`` in one line, with its place in the class's own file."""
    if isinstance(error, VistaError):
        return str(error)
    if isinstance(error, OSError):
        return str(error).removeprefix(f"[Errno {error.errno}] ")
    text = _with_name(error)
    own_file = getattr(sys.modules.get(entry.cls.__module__), "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    place = next((frame for frame in reversed(frames) if frame.filename == own_file), None)
    return f"{text} ({place.filename}:{place.lineno})" if place else text


def _with_name(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _with_place(error: BaseException) -> str:
    """What a module raised in one line, with the place where."""
    cause = error.__cause__ or error
    frame = traceback.extract_tb(cause.__traceback__ or error.__traceback__)[-1]
    return f"{_with_name(error)} ({frame.filename}:{frame.lineno})"
