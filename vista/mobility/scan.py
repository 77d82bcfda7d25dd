"""What a class file defines, read from its syntax without running it.

`scan_source` answers which object classes a source defines, with name space, version and the
arguments of ``create`` as far as they can be seen. What depends on running the file (a computed
name space, a base class from elsewhere) is reported as unknown and never guessed.
"""

from __future__ import annotations

import ast
import inspect
import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vista.errors import ClassDefinitionError
from vista.ids import Id
from vista.parsing import parse_expression, parse_module
from vista.values import Reference

_PLAIN: Mapping[str, object] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "bytes": bytes,
    "None": None,
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "object": object,
    "Path": Path,
    "Id": Id,
    "Ref": Reference,
    "Object": Reference,
    "Optional": typing.Optional,
    "Union": typing.Union,
    "Literal": typing.Literal,
}

_NOTHING = inspect.Signature()
"""The arguments of the empty ``create`` that `Object` has."""


@dataclass(frozen=True, slots=True)
class ScannedClass:
    """One object class of a class file.

    ``create`` is the signature of its ``create`` without ``self``, or None when it is inherited
    from a class outside of the file.
    """

    namespace: str
    name: str
    version: int
    line: int
    create: inspect.Signature | None


@contextmanager
def python_mistakes(file_name: str) -> Iterator[None]:
    """Raise `ClassDefinitionError` with file, line and column for source that is not Python."""
    try:
        yield
    except SyntaxError as error:
        place = f"{file_name}:{error.lineno or 1}:{error.offset or 1}"
        raise ClassDefinitionError(f"{place}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ClassDefinitionError(f"{file_name}:1:1: no Python source: {error}") from error


def scan_source(source: str, file_name: str) -> list[ScannedClass]:
    """List the object classes that a source defines at its top level.

    Raises `ClassDefinitionError` with file, line and column when it is not Python.
    """
    with python_mistakes(file_name):
        tree = parse_module(source, file_name)
    return _Scan(tree).classes()


class _Scan:
    """The class statements of one file and where the names they use come from."""

    def __init__(self, tree: ast.Module) -> None:
        self.nodes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        self.imports = dict(_imports(tree))

    def classes(self) -> list[ScannedClass]:
        return [self._scanned(node) for node in self.nodes if self._is_object_class(node)]

    def _scanned(self, node: ast.ClassDef) -> ScannedClass:
        namespace = _keyword(node, "namespace", "Local")
        version = _keyword(node, "version", 0)
        return ScannedClass(
            namespace if isinstance(namespace, str) else "Local",
            node.name,
            version if isinstance(version, int) else 0,
            node.lineno,
            self._create(node),
        )

    def _here(self, base: ast.expr, node: ast.ClassDef) -> ast.ClassDef | None:
        """The class statement above ``node`` that its base names; the last one if there are
        several."""
        name = ast.unparse(base)
        above = [other for other in self.nodes if other.name == name and other.lineno < node.lineno]
        return above[-1] if above else None

    def _full_name(self, base: ast.expr) -> str:
        """Where a base comes from: ``vista.Object`` however it was imported."""
        first, dot, rest = ast.unparse(base).partition(".")
        return self.imports.get(first, f"builtins.{first}") + dot + rest

    def _is_object_class(self, node: ast.ClassDef) -> bool:
        return any(self._leads_to_object(base, node) for base in node.bases)

    def _leads_to_object(self, base: ast.expr, node: ast.ClassDef) -> bool:
        here = self._here(base, node)
        if here is not None:
            return self._is_object_class(here)
        return self._full_name(base).partition(".")[0] not in sys.stdlib_module_names

    def _create(self, node: ast.ClassDef) -> inspect.Signature | None:
        own = [
            statement
            for statement in node.body
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
            and statement.name == "create"
        ]
        if own:
            return _signature(own[-1].args)
        for base in node.bases:
            here = self._here(base, node)
            if here is None and self._full_name(base) != "vista.Object":
                return None
            inherited = self._create(here) if here else _NOTHING
            if inherited is not _NOTHING:
                return inherited
        return _NOTHING


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each imported name with the full name it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}"


def _keyword(node: ast.ClassDef, name: str, default: object) -> object:
    for keyword in node.keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            return keyword.value.value
    return default


def _signature(arguments: ast.arguments) -> inspect.Signature:
    """The signature of a method as seen in its syntax, without ``self``."""
    kind = inspect.Parameter
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    parameters = [
        _parameter(argument, kind.POSITIONAL_OR_KEYWORD, default)
        for argument, default in list(zip(positional, defaults, strict=True))[1:]
    ]
    if arguments.vararg:
        parameters.append(_parameter(arguments.vararg, kind.VAR_POSITIONAL, None))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(_parameter(argument, kind.KEYWORD_ONLY, default))
    return inspect.Signature(parameters)


def _parameter(
    argument: ast.arg, kind: inspect._ParameterKind, default: ast.expr | None
) -> inspect.Parameter:
    annotation = argument.annotation
    return inspect.Parameter(
        argument.arg,
        kind,
        default=inspect.Parameter.empty if default is None else _Shown(ast.unparse(default)),
        annotation=inspect.Parameter.empty if annotation is None else annotation_of(annotation),
    )


class _Shown:
    """A default value that is known by its source only."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __repr__(self) -> str:
        return self.source


def annotation_of(node: ast.expr) -> object:
    """The type that an annotation names, as far as it is built in; ``Any`` for everything else."""
    try:
        return _annotation(node)
    except (KeyError, TypeError, SyntaxError):
        return typing.Any


def _annotation(node: ast.expr) -> typing.Any:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return _annotation(parse_expression(node.value))
        if node.value is None or node.value is Ellipsis:
            return node.value
        raise TypeError(f"{node.value!r} is no type")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return typing.Union[_annotation(node.left), _annotation(node.right)]  # noqa: UP007
    if isinstance(node, ast.Subscript):
        origin = _annotation(node.value)
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if origin is typing.Literal:
            return origin[tuple(map(ast.literal_eval, inside))]
        parts = tuple(map(_annotation, inside))
        return origin[parts[0] if len(parts) == 1 else parts]
    return _PLAIN[ast.unparse(node).rpartition(".")[2]]
