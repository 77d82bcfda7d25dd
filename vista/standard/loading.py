"""Loading classes: from a file that is named, and by themselves when a name is not known."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from vista.api import current_user, post, register_service, self_ref, send
from vista.errors import ClassDefinitionError, NoSuchClass, NoSuchService
from vista.kernel.classes import ClassEntry, parts_of
from vista.kernel.current import kernel
from vista.kernel.kernel import Kernel
from vista.kernel.objects import Object
from vista.mobility.code import take_class
from vista.mobility.kept import find_kept
from vista.mobility.loader import (
    classes_of,
    find_file,
    is_source,
    load_source,
    read_source,
    search_path,
)
from vista.mobility.scan import ScannedClass, scan_source
from vista.peering.bringing import check_user, fetch_from_peers, names_at_peers
from vista.standard.installed import (
    ClassWord,
    bare_name,
    installed_classes,
    known_names,
)
from vista.standard.rc_arguments import FileName
from vista.standard.rc_grammar import did_you_mean

SERVICE = "AutomaticClassLoader"
"""The service that is asked for classes nobody knows."""

PEERS = "peers:"
"""In place of a directory: the nodes that can be reached."""

LOADED = 0
LOADED_BEFORE = 1


class LoadClassFile(Object, namespace="Standard"):
    """Loads a class file: Python source that defines object classes.

    ::

        LoadClassFile greenhouse_classes.py
        LoadClassFile "file:$HOME/classes/counter.py"

    ``file_name_or_source`` is a path or a ``file:`` address, or the source itself if it has more
    than one line (which is how a program gives its classes to another node). A relative path
    starts at the rc file's directory, else at the current one, else at those of ``$VISTA_PATH``.
    Loading the same content again is harmless; two versions of a class from two files live side by
    side.

    The object deletes itself once the file is loaded, unless ``stay_around`` is true: then
    `get_result_code` can be asked. Source that is not Python raises `ClassDefinitionError` with
    file, line and column; what the source itself raises arrives as it is.

    Who acts here for a peer needs the right ``code`` for it; else `AccessDenied` is raised.

    The original's LoadOIL2File.
    """

    def create(self, file_name_or_source: FileName, stay_around: bool = False) -> None:
        """Load the file."""
        check_user(kernel(), current_user())
        self.result_code = load_class_file(kernel(), file_name_or_source)
        if not stay_around:
            post(self_ref(self), "delete_yourself")

    def get_result_code(self) -> int:
        """0 when the classes were loaded, 1 when the same content had been loaded before."""
        return self.result_code


def load_class_file(node_kernel: Kernel, file_name_or_source: str) -> int:
    """Load a class file on a node; see `LoadClassFile` for the arguments and errors.

    Returns 0, or 1 when the same content had been loaded before.
    """
    if is_source(file_name_or_source):
        return _load(node_kernel, file_name_or_source, None)
    directories = search_path((), os.environ.get("VISTA_PATH", ""))
    path = find_file(file_name_or_source, directories)
    return _load(node_kernel, read_source(path), str(path))


def _load(node_kernel: Kernel, source: str, file_name: str | None) -> int:
    known = {entry.cls for entry in node_kernel.classes.entries()}
    module = load_source(source, file_name)
    classes = list(classes_of(module))
    if not classes:
        raise ClassDefinitionError(
            f"{module.__file__}:1:1: no object class here; write class Name(vista.Object)"
        )
    for cls in classes:
        node_kernel.classes.add(cls)
    return LOADED_BEFORE if known.issuperset(classes) else LOADED


class AutomaticClassLoader(Object, namespace="Standard"):
    """Finds and loads classes by name when something creates an object of a class nobody knows.

    ::

        AutomaticClassLoader
        AutomaticClassLoader classes $HOME/more-classes
        AutomaticClassLoader classes peers:

    It looks through the installed applications (entry-point group ``vista.apps``) and through the
    ``directories``, whose class files it reads without running them; only the file that has the
    class is run. Of several versions in the directories the newest is loaded. A relative directory
    starts at the rc file's directory. On a node with a state directory it finds the classes too
    that peers brought in earlier runs. ``peers:`` among the directories means the nodes that can be
    reached: those with the right ``code`` here are asked for what is found nowhere else. Who acts
    here for a peer needs that right to name directories.

    It registers itself as the service ``AutomaticClassLoader``; creating a second one raises
    `ServiceTaken`. The original's AutomaticClassLoader with its ClassLocator.
    """

    def create(self, *directories: FileName) -> None:
        """Take up the service."""
        self.asks_peers = PEERS in directories
        directories = tuple(one for one in directories if one != PEERS)
        if directories:
            check_user(kernel(), current_user())
        for directory in directories:
            if not Path(directory).is_dir():
                raise NotADirectoryError(f'no directory "{directory}" to look for class files in')
        self.directories = [str(Path(directory).absolute()) for directory in directories]
        register_service(SERVICE, self)

    def find_and_load_class(self, name: ClassWord) -> bool:
        """Find a class and load it.

        ``name`` is what ``create`` was given: a name, ``Space.Name`` or ``[name space, name,
        version]``. Returns true. Raises `NoSuchClass` with the near miss when it is nowhere, and
        what loading the file raises.
        """
        node_kernel = kernel()
        if _take_installed(node_kernel, bare_name(name)):
            return True
        found = [
            (scanned.version, path) for path, scanned in self._scanned() if fits(scanned, name)
        ]
        if found:
            load_class_file(node_kernel, max(found)[1])
        elif not self._take_kept(name):
            if not (self.asks_peers and fetch_from_peers(node_kernel, name)):
                raise NoSuchClass(self._explain(name))
        return True

    def _take_kept(self, name: ClassWord) -> bool:
        """Load a class that a peer brought in an earlier run, if it is kept."""
        space, _, bare = name.rpartition(".") if isinstance(name, str) else ("", "", "")
        parts = (space or None, bare, None) if isinstance(name, str) else parts_of(name)
        code = find_kept(kernel(), parts)
        if code is not None:
            take_class(kernel(), code)
        return code is not None

    def class_names(self) -> list[str]:
        """Every class name it can find, in alphabetical order."""
        return sorted(set(installed_classes()) | {scanned.name for _, scanned in self._scanned()})

    def _scanned(self) -> list[tuple[str, ScannedClass]]:
        """Each class in the directories, with its file. A file that is no Python has none."""
        return scan_directories(self.directories)

    def _explain(self, name: ClassWord) -> str:
        names = {*known_names(kernel()), *self.class_names()}
        if self.asks_peers:
            names |= names_at_peers(kernel())
        near = did_you_mean(bare_name(name), names)
        return f'no class "{said(name)}"{near}'


def scan_directories(directories: list[str]) -> list[tuple[str, ScannedClass]]:
    """Each class defined in the ``*.py`` files of some directories, with the path of its file.

    No file is run; one that is not Python has no classes.
    """
    found: list[tuple[str, ScannedClass]] = []
    for directory in directories:
        for path in sorted(Path(directory).glob("*.py")):
            try:
                found += [
                    (str(path), scanned) for scanned in scan_source(read_source(path), str(path))
                ]
            except ClassDefinitionError:
                continue
    return found


def fits(scanned: ScannedClass, name: ClassWord) -> bool:
    """Whether a class is what ``name`` asks for, as ``create`` understands names."""
    if isinstance(name, str):
        space, _, bare = name.rpartition(".")
        return scanned.name == bare and space in ("", scanned.namespace)
    wanted = (scanned.namespace, scanned.name, scanned.version)
    return all(part in (None, own) for part, own in zip(name, wanted, strict=True))


def said(name: ClassWord) -> str:
    """A way of naming a class as text: ``Counter``, or ``Local.Counter.2`` for exactly one."""
    return name if isinstance(name, str) else ".".join(map(str, name))


def find_class(node_kernel: Kernel, name: ClassWord) -> ClassEntry:
    """Find a class by name: known already, installed, or by the AutomaticClassLoader if there is
    one.

    Waits for that. Raises `NoSuchClass` with the near miss.
    """
    try:
        return node_kernel.classes.resolve(name)
    except NoSuchClass as error:
        unknown = error
    if not _take_installed(node_kernel, bare_name(name)):
        _ask_loader(node_kernel, name, unknown)
    return node_kernel.classes.resolve(name)


def _take_installed(node_kernel: Kernel, name: str) -> bool:
    """Take in the installed class of a bare name; return whether there is one."""
    # The node remembers what is installed: to read the entry points takes tens of milliseconds.
    module = node_kernel.classes.module_of(name)
    if module is None:
        return False
    node_kernel.classes.add(getattr(importlib.import_module(module), name))
    return True


def _ask_loader(node_kernel: Kernel, name: ClassWord, unknown: NoSuchClass) -> None:
    try:
        send(SERVICE, "find_and_load_class", name)
    except NoSuchService:
        known = known_names(node_kernel)
        if bare_name(name) in known:
            raise unknown from None
        near = did_you_mean(bare_name(name), known)
        raise NoSuchClass(f'no class "{said(name)}"{near}') from None
