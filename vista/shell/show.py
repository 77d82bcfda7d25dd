"""How lists of rows, figures and documentation of classes look on a terminal and in a pipe.

One voice for the command and the prompt: a terminal gets tables fitted to its width, a pipe gets
plain columns with nothing cut off, so that they can be searched. Only this module knows rich, and
loads it only for a terminal.
"""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, TextIO, TypeGuard

from vista.ids import Id
from vista.kernel.objects import Object
from vista.records import form_of

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry
    from vista.kernel.methods import MethodEntry
    from vista.kernel.rows import MethodRow

_WIDTH_MIN = 40
_COLUMN_WIDTH_MIN = 5
_GAP = "  "


class Figures(dict[str, object]):
    """A dict that the prompt shows as a table of names and figures, as of ``statistics()``."""


def cell(value: object) -> str:
    """Return the text of one value in a table: short, without quotes, units left to the head."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Id | str):
        return str(value)
    if isinstance(value, tuple | list | set | frozenset):
        return ", ".join(cell(part) for part in value)
    return repr(value)


def are_rows(values: object) -> TypeGuard[Sequence[object]]:
    """Say whether a value is a list of rows: one or more of one and the same record."""
    if not isinstance(values, list | tuple) or not values:
        return False
    kind = type(values[0])
    return bool(_fields(kind)) and all(type(value) is kind for value in values)


def _fields(kind: type) -> tuple[str, ...]:
    form = form_of(kind)
    return () if form is None else form.fields


def table(rows: Sequence[object], *, width: int | None = None) -> str:
    """Return rows of one record as a table, a column for each field.

    ``width`` is that of the terminal in characters; None gives plain columns, nothing cut off.
    Fields with several lines, such as stacks, are left out and named below the table.
    """
    if not rows:
        return "nothing"
    names = _fields(type(rows[0]))
    columns = {name: [cell(getattr(row, name)) for row in rows] for name in names}
    long = [name for name, cells in columns.items() if any("\n" in text for text in cells)]
    right = {
        name
        for name in names
        if all(type(getattr(row, name)) in (int, float, type(None)) for row in rows)
    }
    for name in long:
        del columns[name]
    lines = _columns(columns, right, width)
    lines += [f"not shown: {', '.join(long)} (several lines; see one row)"] if long else []
    return "\n".join(lines)


def figures(values: Mapping[str, object], *, width: int | None = None) -> str:
    """Return a mapping as a table of two columns; mappings inside it get lines of their own."""
    flat = dict(_flat("", values))
    columns = {"figure": list(flat), "value": [cell(value) for value in flat.values()]}
    return "\n".join(_columns(columns, {"value"}, width))


def _flat(prefix: str, values: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name} ", value)
        else:
            yield f"{prefix}{name}", value


def _columns(columns: Mapping[str, list[str]], right: set[str], width: int | None) -> list[str]:
    titled = {name.replace("_", " "): cells for name, cells in columns.items()}
    titled_right = {name.replace("_", " ") for name in right}
    if width is None:
        return _plain(titled, titled_right)
    return _drawn(titled, titled_right, max(width, _WIDTH_MIN))


def _plain(columns: Mapping[str, list[str]], right: set[str]) -> list[str]:
    padded = []
    for title, cells in columns.items():
        column = [title, *cells]
        widest = max(map(len, column))
        padded.append(
            [text.rjust(widest) if title in right else text.ljust(widest) for text in column]
        )
    return [_GAP.join(line).rstrip() for line in zip(*padded, strict=True)]


def _drawn(columns: Mapping[str, list[str]], right: set[str], width: int) -> list[str]:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title, widest in _fitted(columns, right, width).items():
        drawn.add_column(
            title,
            justify="right" if title in right else "left",
            max_width=widest,
            no_wrap=True,
            overflow="ellipsis",
        )
    for line in zip(*columns.values(), strict=True):
        drawn.add_row(*(Text(text) for text in line))
    page = StringIO()
    Console(file=page, width=width, force_terminal=True, highlight=False).print(drawn)
    return [line.rstrip() for line in page.getvalue().rstrip("\n").split("\n")]


def display(value: object, *, width: int | None = None) -> str | None:
    """Return the table that shows a value at the prompt; None for what is no list of rows.

    Rows in a list, a tuple or as the values of a dict (what ``ref.methods()`` returns) are shown
    as a table, and so are `Figures`.
    """
    if isinstance(value, Figures):
        return figures(value, width=width)
    rows = list(value.values()) if type(value) is dict else value
    return table(rows, width=width) if are_rows(rows) else None


def _fitted(columns: Mapping[str, list[str]], right: set[str], width: int) -> dict[str, int]:
    """Return the widths of columns, the widest texts shortened until the table fits.

    Figures and the first column, which says what a row is about, keep their width: half a number
    is a wrong number, half a word is not.
    """
    widths = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    first = next(iter(columns))
    flexible = [title for title in columns if title not in right and title != first]
    excess = sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0 and flexible:
        widest = max(flexible, key=widths.__getitem__)
        if widths[widest] <= _COLUMN_WIDTH_MIN:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def width_of(file: TextIO) -> int | None:
    """Return the width of the terminal that a file is, in characters; None when it is none."""
    return shutil.get_terminal_size().columns if file.isatty() else None


def lines_of_terminal() -> int:
    """Return how many lines the terminal has."""
    return shutil.get_terminal_size().lines


def print_table(rows: Sequence[object], file: TextIO | None = None) -> None:
    """Print rows as a table (see `table`) to a file, by default the standard output."""
    output = file or sys.stdout
    print(table(rows, width=width_of(output)), file=output)


def print_classes(rows: Sequence[object], file: TextIO | None = None) -> None:
    """Print the table of ``vista classes``: a row for each class (`ClassRow`)."""
    print_table(rows, file)


def print_doc(entry: ClassEntry, file: TextIO | None = None) -> None:
    """Print the documentation of a class; see `documentation`."""
    print(documentation(entry), file=file or sys.stdout)


def documentation(entry: ClassEntry) -> str:
    """Return the documentation of a class: what it is, how it is created, what it answers.

    The text is the class's own docstrings. Messages that every object answers are left out.
    """
    parts = [f"{entry.name}{entry.signature}\n{entry.full_name}, version {entry.version}"]
    parts.append(inspect.getdoc(entry.cls) or "")
    if entry.create is not None and entry.create.doc:
        parts.append(method_text("create", entry.create))
    parts += [
        method_text(name, method)
        for name, method in sorted(entry.methods.items())
        if method.function is not vars(Object).get(name)
    ]
    return "\n\n".join(part for part in parts if part)


def method_text(name: str, method: MethodEntry | MethodRow) -> str:
    """Return the signature of a method, its marks and its docstring, indented."""
    flags = "".join(f"  [{flag}]" for flag in method.flags)
    doc = "\n".join(f"    {line}".rstrip() for line in inspect.cleandoc(method.doc).splitlines())
    return f"{name}{method.signature}{flags}\n{doc}".rstrip()
