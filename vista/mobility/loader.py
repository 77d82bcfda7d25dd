"""Class files: finding them, and making a module of their source.

A class file is Python source that defines object classes. Its module is named after a digest of the
source, so loading one content twice gives one module, and two versions of a file live side by
side. The source is kept for tracebacks as it was loaded, also when the file changes later.
"""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, ModuleType

from vista.errors import BadValueError, ClassDefinitionError
from vista.kernel.objects import Object
from vista.mobility.scan import python_mistakes
from vista.records import CLASS_FILE

SCHEME = "file:"
_DIGEST_BYTES = 8
_READ_ONLY = ",r"


def is_source(text: str) -> bool:
    """Whether ``text`` is source and not the name of a file: it has more than one line."""
    return "\n" in text or "\r" in text


def search_path(first: Iterable[str], environment: str) -> list[str]:
    """The directories where class files are looked for: ``first``, the current one,
    ``environment``.

    ``environment`` is the value of ``$VISTA_PATH``, directories joined by colons.
    """
    return [*first, os.curdir, *filter(None, environment.split(os.pathsep))]


def find_file(name: str, directories: Iterable[str]) -> Path:
    """Find a class file by path or ``file:`` address, relative to the first directory that has it.

    The original's ``,r`` (read only) after the name is accepted. Raises `BadValueError` when there
    is no such file or the address has another scheme.
    """
    path = name.removeprefix(SCHEME).removesuffix(_READ_ONLY)
    scheme, colon, _ = path.partition(":")
    if colon and scheme in ("tcp", "unix", "http", "https", "pipe"):
        raise BadValueError(f'a class file is a path or a file: address, not "{name}"')
    looked: list[str] = []
    for directory in directories:
        candidate = Path(directory, path)
        if candidate.is_file():
            return candidate
        looked.append(str(candidate))
    raise BadValueError(f'no class file "{name}"; looked for {", ".join(dict.fromkeys(looked))}')


def read_source(path: Path) -> str:
    """The text of a class file, in the encoding it declares.

    Raises `OSError` when it cannot be read and `ClassDefinitionError` when its bytes are no text.
    """
    try:
        return importlib.util.decode_source(path.read_bytes())
    except (UnicodeDecodeError, SyntaxError) as error:
        raise ClassDefinitionError(f"{path}:1:1: no Python source: {error}") from error


def module_name(source: str) -> str:
    """The name of the module that a source becomes, the same on every node."""
    digest = hashlib.blake2b(source.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{CLASS_FILE}{digest}"


def load_source(source: str, file_name: str | None = None) -> ModuleType:
    """Run the source of a class file as a module and return it.

    ``file_name`` is what tracebacks show; a name is made up for a source without a file. The same
    source is run once only. Raises `ClassDefinitionError` with file, line and column for source
    that is not Python, and whatever the source itself raises.
    """
    name = module_name(source)
    known = sys.modules.get(name)
    if known is not None:
        return known
    shown = file_name or f"<{name}>"
    code = _compile(source, shown)
    module = ModuleType(name)
    module.__file__ = shown
    # Without a time of modification linecache never asks the disk again.
    linecache.cache[shown] = (len(source), None, source.splitlines(keepends=True), shown)
    sys.modules[name] = module
    try:
        exec(code, vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _compile(source: str, file_name: str) -> CodeType:
    with python_mistakes(file_name):
        return compile(source, file_name, "exec", dont_inherit=True)


def classes_of(module: ModuleType) -> Iterator[type[Object]]:
    """The object classes that a module defines itself, in the order of their definition."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, Object):
            if value.__module__ == module.__name__:
                yield value
