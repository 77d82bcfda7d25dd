"""Tables, figures and documentation of classes as text."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import date

import pytest

from vista import Object, exclusive
from vista.ids import Id
from vista.kernel.classes import ClassEntry
from vista.kernel.rows import ClassRow
from vista.records import record
from vista.shell import show


@record
@dataclass
class Harbour:
    """A row with a column of each sort."""

    name: str
    id: Id
    ships: int
    tide_seconds: float
    services: tuple[str, ...] = ()
    pilot: str | None = None
    log: str = ""


def harbour_id(serial: int) -> Id:
    return Id.make(b"0123456789", serial)


COLOUR = re.compile(r"\x1b\[[0-9;]*m")

ROWS = [
    Harbour("Kiel", harbour_id(1), 3, 0.25, ("Harbour/Kiel", "Kiel")),
    Harbour("Rotterdam", harbour_id(2), 12345, 12.0, pilot="Anna"),
]


def test_a_table_for_a_pipe_has_plain_columns_with_nothing_cut_off() -> None:
    assert show.table(ROWS).splitlines() == [
        "name       id                   ships  tide seconds  services            pilot  log",
        f"Kiel       {ROWS[0].id}       3         0.250  Harbour/Kiel, Kiel",
        f"Rotterdam  {ROWS[1].id}  12,345        12.000                      Anna",
    ]


def test_a_table_on_a_terminal_fits_its_width() -> None:
    lines = show.table(ROWS, width=70).splitlines()
    assert max(len(COLOUR.sub("", line)) for line in lines) <= 70
    assert lines[3].startswith("Rotterdam")
    assert "12,345" in lines[3]
    assert "…" in lines[3]


def test_a_table_on_a_wide_terminal_cuts_nothing_off() -> None:
    text = show.table(ROWS, width=200)
    assert "…" not in text
    assert str(ROWS[1].id) in text


def test_a_field_of_several_lines_is_left_out_and_named() -> None:
    rows = [Harbour("Kiel", harbour_id(1), 3, 0.25, log="in\nout")]
    text = show.table(rows)
    assert "out" not in text.splitlines()[1]
    assert text.splitlines()[-1] == "not shown: log (several lines; see one row)"


def test_no_rows_are_said_to_be_nothing() -> None:
    assert show.table([]) == "nothing"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (1.5, "1.500"),
        ("a b", "a b"),
        (("a", 1), "a, 1"),
        (harbour_id(1), str(harbour_id(1))),
        (date(2001, 2, 3), "datetime.date(2001, 2, 3)"),
    ],
)
def test_a_cell_shows_a_value_as_people_write_it(value: object, text: str) -> None:
    assert show.cell(value) == text


def test_markup_in_a_value_is_text() -> None:
    rows = [Harbour("[bold]Kiel[/bold]", harbour_id(1), 3, 0.25)]
    assert "[bold]Kiel[/bold]" in show.table(rows, width=200)


def test_figures_show_nested_figures_in_lines_of_their_own() -> None:
    values = {"threads": 7, "loop": {"lag seconds": 0.5, "turns": 1000}}
    assert show.figures(values).splitlines() == [
        "figure            value",
        "threads               7",
        "loop lag seconds  0.500",
        "loop turns        1,000",
    ]


def test_the_prompt_shows_lists_tuples_and_dicts_of_rows_as_tables() -> None:
    table = show.table(ROWS)
    assert show.display(ROWS) == table
    assert show.display(tuple(ROWS)) == table
    assert show.display({row.name: row for row in ROWS}) == table


def test_the_prompt_shows_figures_as_a_table() -> None:
    assert show.display(show.Figures(threads=7)) == "figure   value\nthreads      7"


@pytest.mark.parametrize("value", [[], [1, 2], {"a": 1}, [ROWS[0], 1], "text", None, ROWS[0]])
def test_what_is_no_list_of_rows_is_left_to_python(value: object) -> None:
    assert show.display(value) is None


def test_a_file_that_is_no_terminal_has_no_width() -> None:
    assert show.width_of(io.StringIO()) is None


def test_print_table_writes_to_the_file_given() -> None:
    page = io.StringIO()
    show.print_table(ROWS, page)
    assert page.getvalue() == show.table(ROWS) + "\n"


class Lighthouse(Object, namespace="Coast", version=3):
    """A lighthouse.

    rc line: ``Lighthouse 12.5``
    """

    def create(self, height: float = 10.0) -> None:
        """Build it, ``height`` in metres."""

    @exclusive
    def flash(self, times: int = 1) -> bool:
        """Flash ``times`` times."""
        return times > 0


def test_the_documentation_of_a_class_is_its_docstrings() -> None:
    page = io.StringIO()
    show.print_doc(ClassEntry(Lighthouse), page)
    text = page.getvalue()
    assert text.startswith("Lighthouse(height: ")
    assert "\nCoast.Lighthouse, version 3\n" in text
    assert "rc line: ``Lighthouse 12.5``" in text
    assert "\n    Build it, ``height`` in metres." in text
    assert "  [exclusive]\n    Flash ``times`` times." in text


def test_the_documentation_of_a_class_leaves_out_what_every_object_answers() -> None:
    assert "add_notify_when_modified" not in show.documentation(ClassEntry(Lighthouse))


def test_print_classes_prints_a_row_for_each_class() -> None:
    page = io.StringIO()
    row = ClassRow(
        namespace="Coast", name="Lighthouse", version=3, objects=2, module="m", summary="A light."
    )
    show.print_classes([row], page)
    assert page.getvalue().splitlines()[1].split() == [
        *("Coast", "Lighthouse", "3", "2", "m", "A", "light."),
    ]
