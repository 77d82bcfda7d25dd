"""Rules about the shape of a module: sizes, names, docstrings, state, errors and leftovers.

Each rule takes a source and returns the violations as text; no violation is an empty list.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.source import Source, within

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 50
VAGUE_NAMES = frozenset("base common helper helpers manager managers misc util utils".split())
# Where a method of somebody's class is invoked (coroutines drives the ``async def`` ones), and the
# driver of the loop.
BROAD_EXCEPT_HOMES = (
    "apps.http.objects.answering",
    "apps.http.objects.outgoing",
    "apps.http.objects.streaming",
    "apps.http.objects.streams",
    "apps.http.objects.websocket",
    "apps.solidstate.objects.reading",
    "apps.solidstate.objects.service",
    "vista.kernel.coroutines",
    "vista.kernel.creation",
    "vista.kernel.hot",
    "vista.kernel.hub",
    "vista.kernel.invoke",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef

_LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
_MACHINE_PATHS = re.compile(r"(?<![\w.\-/])/(work|root)/\w")
_MUTABLE_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MUTABLE_MAKERS = frozenset(
    "list dict set deque defaultdict Counter OrderedDict ChainMap bytearray count cycle "
    "WeakValueDictionary WeakKeyDictionary WeakSet".split()
)
_MUTATORS = frozenset(
    "append appendleft add clear discard extend extendleft insert move_to_end pop popitem "
    "popleft remove reverse rotate setdefault sort update subtract difference_update "
    "intersection_update symmetric_difference_update __setitem__ __delitem__".split()
)


def module_length(source: Source) -> list[str]:
    """A module has at most 500 lines."""
    lines = len(source.text.splitlines())
    if lines <= MODULE_LINES_MAX:
        return []
    return [source.at(lines, f"{lines} lines; a module has at most {MODULE_LINES_MAX}")]


def function_length(source: Source) -> list[str]:
    """A function has at most 50 lines, its docstring not counted."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            lines = _end(node) - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                lines -= _end(node.body[0]) - node.body[0].lineno + 1
            if lines > FUNCTION_LINES_MAX:
                what = f"{node.name} has {lines} lines; a function has at most {FUNCTION_LINES_MAX}"
                found.append(source.at(node.lineno, what))
    return found


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def vague_names(source: Source) -> list[str]:
    """No module is named after what it does not know."""
    vague = VAGUE_NAMES.intersection(source.module.split("."))
    return [source.at(1, f"a module named {name}") for name in sorted(vague)]


def leftovers(source: Source) -> list[str]:
    """Nothing is left for later in the text."""
    return _lines_matching(source, _LEFTOVERS)


def machine_paths(source: Source) -> list[str]:
    """No text names a folder of somebody's machine."""
    return _lines_matching(source, _MACHINE_PATHS)


def _lines_matching(source: Source, pattern: re.Pattern[str]) -> list[str]:
    return [
        source.at(number, match.group())
        for number, line in enumerate(source.text.splitlines(), 1)
        if (match := pattern.search(line))
    ]


def missing_docstrings(source: Source) -> list[str]:
    """Every public module, class, function and method says what it is."""
    if any(part.startswith("_") and part != "__main__" for part in source.module.split(".")):
        return []
    found = []
    if not ast.get_docstring(source.tree):
        found.append(source.at(1, "the module has no docstring"))
    for name, node in _public_definitions(source.tree, ""):
        if not ast.get_docstring(node):
            found.append(source.at(node.lineno, f"{name} has no docstring"))
    return found


def _public_definitions(
    parent: ast.Module | ast.ClassDef, prefix: str
) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for node in _statements(parent.body):
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if _documented_elsewhere(node):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _public_definitions(node, f"{prefix}{node.name}.")


def _documented_elsewhere(node: Function | ast.ClassDef) -> bool:
    """Whether it is an overload, or the setter or deleter of a property with a docstring."""
    last = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    return bool(last & {"overload", "setter", "deleter"})


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module or class, those under ``if``, ``try`` and ``with`` included."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def changing_state(source: Source) -> list[str]:
    """Nothing at module level changes: two nodes in one process is the normal case.

    A table in capitals is a constant; then nothing in the module may change it.
    """
    found = []
    tables = set()
    for node in _statements(source.tree.body):
        for name in _mutable_names(node):
            if name == name.upper():
                tables.add(name)
            elif not (name.startswith("__") and name.endswith("__")):
                found.append(source.at(node.lineno, f"{name} is state of the module"))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            found.append(source.at(node.lineno, f"global {', '.join(node.names)}"))
        for name in tables.intersection(_changed_names(node)):
            found.append(source.at(getattr(node, "lineno", 1), f"the table {name} is changed"))
    return found


def _mutable_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return []
    return [target.id for target in targets if isinstance(target, ast.Name) and _mutable(value)]


def _mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        function = value.func.value if isinstance(value.func, ast.Subscript) else value.func
        return ast.unparse(function).split(".")[-1] in _MUTABLE_MAKERS
    return isinstance(value, _MUTABLE_DISPLAYS)


def _changed_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        if isinstance(node.value, ast.Name):
            yield node.value.id
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _MUTATORS and isinstance(node.func.value, ast.Name):
            yield node.func.value.id


def swallowed_errors(source: Source) -> list[str]:
    """Only where a method is invoked and in the loop driver may any error be caught.

    Elsewhere a broad handler must end by raising, to clean up and pass the error on.
    """
    if within(source.module, BROAD_EXCEPT_HOMES):
        return _bare_or_silent(source)
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            if not isinstance(node.body[-1], ast.Raise):
                what = "except" if node.type is None else f"except {ast.unparse(node.type)}"
                found.append(source.at(node.lineno, f"{what} that does not raise"))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            if any(_is_broad(argument) for argument in node.args):
                found.append(source.at(node.lineno, "suppress of every error"))
    return found


def _bare_or_silent(source: Source) -> list[str]:
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            if node.type is None:
                found.append(source.at(node.lineno, "bare except"))
            elif isinstance(node.body[0], ast.Pass):
                found.append(source.at(node.lineno, f"except {ast.unparse(node.type)}: pass"))
    return found


def _is_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_is_broad(element) for element in kind.elts)
    return kind is None or ast.unparse(kind).split(".")[-1] in {"Exception", "BaseException"}


def sleeping_tests(source: Source) -> list[str]:
    """A test outside tests/live sleeps in virtual time only; ``asyncio.sleep(0)`` just yields."""
    names = {item.target for item in source.imports}
    found = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name == "sleep":
            name = next(iter(names & {"time.sleep", "asyncio.sleep"}), name)
        yields = name == "asyncio.sleep" and [ast.unparse(item) for item in node.args] == ["0"]
        if name in {"time.sleep", "asyncio.sleep"} and not yields:
            found.append(source.at(node.lineno, f"{name} in a test"))
    return found


def mocking_tests(source: Source) -> list[str]:
    """Tests use the simulated world or two real ends, never a mock."""
    return [
        source.at(item.line, f"{item.origin} in a test")
        for item in source.imports
        if "mock" in item.target.split(".")
    ]
