"""The source of modules, and which other modules a source needs.

Three rules. Nothing is imported to find a source. What a source imports is read from its syntax,
wherever in it the import stands. Only a project's own modules go along with a class: vista, the
standard library and installed packages are expected to be on the other node, except for the package
which the class itself is part of.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import linecache
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import PurePath
from types import ModuleType
from typing import Final

from vista.errors import BadValueError
from vista.limits import Limits
from vista.mobility.loader import module_name as class_file_name
from vista.mobility.scan import python_mistakes
from vista.parsing import parse_module
from vista.records import record

DIGEST_BYTES: Final = 32
"""BLAKE2b-256, as `digest_of` makes it."""

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_OWN_PACKAGE: Final = "vista"


@record
@dataclass(frozen=True, slots=True)
class ModuleCode:
    """The source of one module: its name, its text, and whether it is a package.

    ``digest`` is that of the source.
    """

    name: str
    source: str
    is_package: bool
    digest: bytes


def digest_of(*parts: bytes) -> bytes:
    """Return the BLAKE2b-256 digest of some bytes; where one part ends counts too."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.digest()


def make_code(name: str, source: str, *, is_package: bool = False) -> ModuleCode:
    """Return the code of a module with its digest."""
    return ModuleCode(name, source, is_package, source_digest(source))


def source_digest(source: str) -> bytes:
    """Return the digest of a source, of which any text may be one."""
    return digest_of(source.encode("utf-8", "surrogatepass"))


# --- what a source imports -----------------------------------------------------------------


@lru_cache(maxsize=512)  # of two large classes: each source is asked for several times
def needed_names(code: ModuleCode) -> frozenset[str]:
    """Return the names of all modules that a source may import, with the packages above them.

    For ``from a import b`` both ``a`` and ``a.b`` are named, as ``b`` may be a module. Raises
    `ClassDefinitionError` with file, line and column when the source is not Python.
    """
    file_name = f"<{code.name}>"
    with python_mistakes(file_name):
        tree = parse_module(code.source, file_name)
    return frozenset(above for name in _imported(tree, code) for above in with_packages(name))


def _imported(tree: ast.Module, code: ModuleCode) -> Iterator[str]:
    yield code.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(code, node.module or "", node.level)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def with_packages(name: str) -> list[str]:
    """Return a module's name after those of the packages above it: ``a``, ``a.b``, ``a.b.c``."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def absolute_name(code: ModuleCode, name: str, level: int) -> str:
    """Return the full name of what a module imports from ``level`` packages above.

    It is empty when there are not so many.
    """
    if level == 0:
        return name
    package = code.name if code.is_package else code.name.rpartition(".")[0]
    parts = package.split(".") if package else []
    if level > len(parts):
        return ""
    base = ".".join(parts[: len(parts) - level + 1])
    return f"{base}.{name}" if name else base


def reachable(name: str, modules: Mapping[str, ModuleCode]) -> list[str]:
    """Return the names, sorted, of a module and all of ``modules`` it imports, also indirectly."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        if at in modules and at not in found:
            found.add(at)
            waiting += needed_names(modules[at])
    return sorted(found)


def closure_digest(name: str, modules: Mapping[str, ModuleCode]) -> bytes:
    """Return the digest of a module together with everything of ``modules`` it imports."""
    parts = [name.encode()]
    for at in reachable(name, modules):
        parts += [at.encode(), b"package" if modules[at].is_package else b"", modules[at].digest]
    return digest_of(*parts)


# --- finding sources -----------------------------------------------------------------------


def find_source(name: str) -> ModuleCode | None:
    """Return the source of a module that can be imported, without importing it.

    Of a package without a file of its own it is empty. None when there is no such module or it has
    no source.
    """
    module = sys.modules.get(name)
    text = None if module is None else _class_file_source(module)
    if text is not None:
        return make_code(name, text)
    spec = _spec_of(name)
    if spec is None:
        return None
    is_package = spec.submodule_search_locations is not None
    text = "" if is_package and spec.origin is None else _read(spec)
    return None if text is None else make_code(name, text, is_package=is_package)


def _class_file_source(module: ModuleType) -> str | None:
    """The source of a class file as it was loaded: the name of its module tells its digest."""
    lines = linecache.getlines(getattr(module, "__file__", None) or "")
    text = "".join(lines)
    for source in (text, text.removesuffix("\n")):
        # The cache ends each last line, though the file may not.
        if lines and class_file_name(source) == module.__name__:
            return source
    return None


def _spec_of(name: str) -> ModuleSpec | None:
    module = sys.modules.get(name)
    if module is not None:
        spec = getattr(module, "__spec__", None)
        return spec if isinstance(spec, ModuleSpec) else None
    path = None
    above = name.rpartition(".")[0]
    if above:
        package = _spec_of(above)
        path = None if package is None else package.submodule_search_locations
        if path is None:
            return None
    for finder in sys.meta_path:
        found = finder.find_spec(name, path)
        if found is not None:
            return found
    return None


def _read(spec: ModuleSpec) -> str | None:
    get_source = getattr(spec.loader, "get_source", None)
    try:
        if get_source is not None:
            text: str | None = get_source(spec.name)
            return text
        if spec.origin is not None and spec.origin.endswith(".py"):
            with open(spec.origin, "rb") as file:
                return importlib.util.decode_source(file.read())
    except (OSError, ImportError, SyntaxError, UnicodeDecodeError):
        return None
    return None


def is_own(name: str, first: str) -> bool:
    """Whether a module is to go along with module ``first``: it is part of the same project."""
    top = name.partition(".")[0]
    if top == _OWN_PACKAGE or top in sys.stdlib_module_names:
        return False
    if top == first.partition(".")[0]:
        return True
    spec = _spec_of(name)
    if spec is None:
        return False
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return not any(_INSTALLED.intersection(PurePath(place).parts) for place in places)


def collect(*first: ModuleCode, limits: Limits) -> dict[str, ModuleCode]:
    """Return modules and all of the project's own that they import, also indirectly, by name.

    Raises `BadValueError` when these are more modules or bytes than ``limits.code_modules_max`` and
    ``code_bytes_max``, and `ClassDefinitionError` for a source that is not Python.
    """
    found: dict[str, ModuleCode] = {}
    waiting = [*reversed(first)]
    size = 0
    while waiting:
        code = waiting.pop()
        if code.name in found:
            continue
        found[code.name] = code
        size += len(code.source)
        if len(found) > limits.code_modules_max or size > limits.code_bytes_max:
            shown = ", ".join(code.name for code in first)
            raise BadValueError(
                f"the code of {shown} with what it imports is more than "
                f"{limits.code_modules_max} modules or {limits.code_bytes_max} bytes "
                "(limits code_modules_max, code_bytes_max)"
            )
        names = sorted(needed_names(code) - found.keys())
        more = [find_source(name) for name in names if is_own(name, code.name)]
        waiting += [one for one in more if one is not None]
    return found
