"""How the words of an rc line become the arguments of ``create``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Union
from uuid import UUID

import pytest

from vista.errors import NoSuchService
from vista.ids import Id
from vista.standard.rc_arguments import FileName, bind, describe_signature, signature_of
from vista.standard.rc_grammar import Argument, Unknown, Variables, expand, parse
from vista.values import Referable, Reference

Metres = NewType("Metres", float)
ID = Id.make(b"0123456789", 7)


class Colour(Enum):
    """Colours of a lamp."""

    RED = "r"
    GREEN = "g"


class Made(Reference):
    """The reference of an object that a line made."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class Lamp(Referable):
    """A class of objects."""


class Directory:
    """Finds two things: the service ``lamps`` and the Id `ID`; files stand in ``/boot``."""

    def object(self, text: str) -> Made:
        """The object."""
        if text not in ("lamps", str(ID)):
            raise NoSuchService(f'no service "{text}"')
        return Made(f"found {text}")

    def file(self, text: str) -> str:
        """The file."""
        return f"/boot/{text}"


def bound(function: Callable[..., object], line: str) -> tuple[list[object], list[str]]:
    """The values and mistakes of a line for a class whose ``create`` is ``function``."""
    variables = Variables({}, "boot.rc", ())
    variables.define("lamp", Made("made lamp"), str(ID))
    (statement,) = parse(f"Lamp {line}")
    arguments, mistakes = expand(statement.words, variables)
    assert mistakes == []
    values, mistakes = bind(arguments[0], signature_of(function), arguments[1:], Directory())
    return values, [mistake.in_file("boot.rc") for mistake in mistakes]


def takes(annotation: Any) -> Callable[..., object]:
    """A ``create`` with one parameter ``it`` of the annotated type."""

    def create(self: object, it: object) -> None: ...

    create.__annotations__ = {"it": annotation}
    return create


@pytest.mark.parametrize(
    ("annotation", "word", "expected"),
    [
        (int, "5", 5),
        (int, "-12", -12),
        (int, "007", 7),
        (int, "0x1f", 31),
        (int, "1_000", 1000),
        (float, "2.5", 2.5),
        (float, "1e3", 1000.0),
        (bool, "yes", True),
        (bool, "On", True),
        (bool, "1", True),
        (bool, "true", True),
        (bool, "no", False),
        (bool, "OFF", False),
        (bool, "0", False),
        (bool, "false", False),
        (str, "5", "5"),
        (str, "nil", "nil"),
        (str, "$lamp", "made lamp"),
        (bytes, "größe", "größe".encode()),
        (Decimal, "1.10", Decimal("1.10")),
        (date, "2003-07-21", date(2003, 7, 21)),
        (datetime, "2003-07-21T18:30", datetime(2003, 7, 21, 18, 30)),
        (time, "18:30", time(18, 30)),
        (
            UUID,
            "12345678-1234-5678-1234-567812345678",
            UUID("12345678" + "123456781234567812345678"),
        ),
        (Id, str(ID), ID),
        (Any, "5", "5"),
        (object, "5", "5"),
        (int | None, "5", 5),
        (int | None, "nil", None),
        (Union[str, None], "nil", None),  # noqa: UP007
        (str | None, '"nil"', "nil"),
        (int | str, "5", 5),
        (str | int, "5", 5),
        (str | int, "five", "five"),
        (int | float, "2.5", 2.5),
        (Literal["north", "south"], "north", "north"),
        (Literal[1, 2], "2", 2),
        (Literal["a", None], "nil", None),
        (Colour, "red", Colour.RED),
        (Colour, "g", Colour.GREEN),
        (list[int], "1,2,3", [1, 2, 3]),
        (list[int], '""', []),
        (list, "a,b", ["a", "b"]),
        (tuple[int, ...], "1,2", (1, 2)),
        (tuple[int, str], "1,x", (1, "x")),
        (set[int], "1,1,2", {1, 2}),
        (frozenset[str], "a", frozenset({"a"})),
        (Sequence[int], "1,2", [1, 2]),
        (Iterable[str], "a", ["a"]),
        (dict[str, int], "a=1,b=2", {"a": 1, "b": 2}),
        (dict[str, str], '""', {}),
        (Metres, "2", 2.0),
        (Annotated[int, "pieces"], "2", 2),
        (FileName, "x.py", "/boot/x.py"),
        (FileName | None, "nil", None),
        (FileName | Reference, "x.py", "/boot/x.py"),
    ],
)
def test_a_word_becomes_what_its_annotation_says(
    annotation: Any, word: str, expected: object
) -> None:
    values, mistakes = bound(takes(annotation), word)
    assert mistakes == []
    assert values == [expected]
    assert type(values[0]) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "word", "expected"),
    [
        (Reference, "$lamp", "made lamp"),
        (Lamp, "$lamp", "made lamp"),
        (Any, "$lamp", "made lamp"),
        (inspect.Parameter.empty, "$lamp", "made lamp"),
        (Reference, "lamps", "found lamps"),
        (Lamp, str(ID), f"found {ID}"),
        (Reference | None, "lamps", "found lamps"),
        (Reference | str, "$lamp", "made lamp"),
        (Reference | str, str(ID), f"found {ID}"),
        (list[Reference], "lamps", "found lamps"),
        (list[Reference], "$lamp", "made lamp"),
    ],
)
def test_objects_are_given_by_name_id_or_service(annotation: Any, word: str, expected: str) -> None:
    (value,), mistakes = bound(takes(annotation), word)
    value = value[0] if isinstance(value, list) else value
    assert mistakes == []
    assert isinstance(value, Made)
    assert str(value) == expected


def test_a_service_name_stays_a_name_where_text_may_stand() -> None:
    # So each message finds the object that has the service then.
    assert bound(takes(Reference | Id | str), "lamps") == (["lamps"], [])


@pytest.mark.parametrize(
    ("annotation", "word", "text"),
    [
        (int, "five", 'it must be an int, not "five"; expected Lamp(it: int)'),
        (int, "1.5", 'it must be an int, not "1.5"; expected Lamp(it: int)'),
        (int, "$lamp", "it must be an int, not an object; expected Lamp(it: int)"),
        (float, "fast", 'it must be a number, not "fast"; expected Lamp(it: float)'),
        (
            bool,
            "maybe",
            "it must be yes or no (or true/false, on/off, 1/0), "
            'not "maybe"; expected Lamp(it: bool)',
        ),
        (
            Literal["north", "south"],
            "nort",
            'it must be one of north, south, not "nort"; '
            "expected Lamp(it: Literal['north', 'south']); did you mean north?",
        ),
        (
            Colour,
            "gren",
            'it must be one of RED, GREEN, not "gren"; '
            "expected Lamp(it: Colour); did you mean GREEN?",
        ),
        (
            Reference,
            "lamp",
            "it must be an object ($name, an Id or a service name): "
            'no service "lamp"; expected Lamp(it: Ref)',
        ),
        (int | None, "x", 'it must be an int, not "x"; expected Lamp(it: int | None)'),
        (
            int | bool,
            "x",
            "it must be an int or yes or no (or true/false, on/off, 1/0), "
            'not "x"; expected Lamp(it: int | bool)',
        ),
        (list[int], "1,b", 'it must be an int, not "b"; expected Lamp(it: list[int])'),
        (
            tuple[int, int],
            "1",
            'it must be 2 values with commas between, not "1"; expected Lamp(it: tuple[int, int])',
        ),
        (
            dict[str, int],
            "a",
            'it must be name=value with commas between, not "a"; expected Lamp(it: dict[str, int])',
        ),
        (
            date,
            "21.7.2003",
            'it must be a date such as 2003-07-21, not "21.7.2003"; expected Lamp(it: date)',
        ),
        (Id, "x", 'it must be an Id, not "x"; expected Lamp(it: Id)'),
        (
            complex,
            "1",
            "it must be a complex, which an rc line cannot give; expected Lamp(it: complex)",
        ),
        (
            Path,
            "x",
            "it must be a Path, which an rc line cannot give; let create take a str; "
            "expected Lamp(it: Path)",
        ),
        (None, "x", 'it must be nil, not "x"; expected Lamp(it: None)'),
    ],
)
def test_a_word_that_does_not_fit_is_a_mistake(annotation: Any, word: str, text: str) -> None:
    assert bound(takes(annotation), word)[1] == [f"boot.rc:1:6: {text}"]


def create_two(self: object, start: int, step: int = 1) -> None:
    """One argument needed, one that may be left out."""


def create_many(self: object, first, *rest: int) -> None:  # type: ignore[no-untyped-def]
    """One text and any number of ints."""


def create_named(self: object, *, key: str) -> None:
    """An argument that only a program can pass."""


def create_keywords(self: object, start: int = 0, *, quiet: bool = False, **others: str) -> None:
    """Arguments by name that may be left out."""


@pytest.mark.parametrize(
    ("function", "line", "values"),
    [
        (create_two, "1", [1]),
        (create_two, "1 2", [1, 2]),
        (create_many, "a", ["a"]),
        (create_many, "a 1 2 3", ["a", 1, 2, 3]),
        (create_keywords, "", []),
        (create_keywords, "4", [4]),
    ],
)
def test_words_fill_parameters_in_order(
    function: Callable[..., object], line: str, values: list[object]
) -> None:
    assert bound(function, line) == (values, [])


TWO = "expected Lamp(start: int, step: int = 1)"


@pytest.mark.parametrize(
    ("function", "line", "mistakes"),
    [
        (create_two, "", [f"boot.rc:1:1: Lamp needs start; {TWO}"]),
        (
            create_two,
            "1 2 3 4",
            [f"boot.rc:1:10: Lamp takes at most 2 arguments and this line has 4; {TWO}"],
        ),
        (
            create_two,
            "a b",
            [
                f'boot.rc:1:6: start must be an int, not "a"; {TWO}',
                f'boot.rc:1:8: step must be an int, not "b"; {TWO}',
            ],
        ),
        (create_many, "", ["boot.rc:1:1: Lamp needs first; expected Lamp(first, *rest: int)"]),
        (
            create_many,
            "a b",
            ['boot.rc:1:8: rest must be an int, not "b"; expected Lamp(first, *rest: int)'],
        ),
        (
            create_named,
            "",
            ["boot.rc:1:1: Lamp cannot be made by an rc line: key is passed by name only"],
        ),
        (
            create_keywords,
            "1 2",
            [
                "boot.rc:1:8: Lamp takes at most 1 argument and this line has 2; "
                "expected Lamp(start: int = 0)"
            ],
        ),
        (
            lambda self: None,
            "1",
            ["boot.rc:1:6: Lamp takes no arguments and this line has 1; expected Lamp()"],
        ),
    ],
)
def test_too_few_and_too_many_words_are_mistakes(
    function: Callable[..., object], line: str, mistakes: list[str]
) -> None:
    assert bound(function, line)[1] == mistakes


def test_what_is_not_known_yet_is_passed_on_unconverted() -> None:
    word = Argument("Lamp", 1, 1)
    arguments = [Argument(Unknown(), 1, 6), Argument("2", 1, 9)]
    values, mistakes = bind(word, signature_of(create_two), arguments, Directory())
    assert isinstance(values[0], Unknown)
    assert values[1:] == [2]
    assert mistakes == []


def test_any_number_of_arguments_fits_anywhere() -> None:
    word = Argument("Lamp", 1, 1)
    arguments = [Argument(Unknown(), 1, 6, many=True)]
    assert bind(word, signature_of(create_two), arguments, Directory())[1] == []


def test_an_annotation_that_cannot_be_resolved_takes_the_text() -> None:
    def create(self: object, it: NotImported, other: int) -> None: ...  # type: ignore[name-defined] # noqa: F821

    assert bound(create, "5 6") == (["5", 6], [])


def test_a_signature_is_shown_as_its_author_wrote_it() -> None:
    def create(
        self: object,
        a,
        b: int,
        c: list[str] | None = None,
        d="x",
        *e: float,  # type: ignore[no-untyped-def]
    ) -> None: ...

    shown = "Lamp(a, b: int, c: list[str] | None = None, d='x', *e: float)"
    assert describe_signature("Lamp", signature_of(create)) == shown
