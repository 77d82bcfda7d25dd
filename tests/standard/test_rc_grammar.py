"""The grammar of rc files, as a table of lines and what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.standard.rc_grammar import (
    ESCAPES,
    Argument,
    Mistake,
    Unknown,
    Variables,
    count_lines,
    did_you_mean,
    expand,
    parse,
)

VARIABLES = {"HOME": "/home/ada", "EMPTY": "", "TWO": "two words", "HASH": "a#b"}


def words(text: str, *arguments: str) -> list[list[str]]:
    """Each statement's words, after their variables were replaced."""
    variables = Variables(VARIABLES, "boot.rc", arguments)
    statements = parse(text)
    assert [mistake for statement in statements for mistake in statement.mistakes] == []
    found = []
    for statement in statements:
        expanded, mistakes = expand(statement.words, variables)
        assert mistakes == []
        found.append([str(argument.value) for argument in expanded])
    return found


def mistakes(text: str, *arguments: str) -> list[str]:
    """Every mistake in a text, of its grammar and of its variables."""
    variables = Variables(VARIABLES, "boot.rc", arguments)
    found: list[Mistake] = []
    for statement in parse(text):
        found += statement.mistakes
        found += expand(statement.words, variables)[1]
    return [mistake.in_file("boot.rc") for mistake in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PeerRegistry", [["PeerRegistry"]]),
        ("Counter 5 up", [["Counter", "5", "up"]]),
        ("  Counter\t5  ", [["Counter", "5"]]),
        (
            "HTTPdaemon http.profile tcp:0.0.0.0:4321",
            [["HTTPdaemon", "http.profile", "tcp:0.0.0.0:4321"]],
        ),
        ("# only words\n\n   \nA\r\nB\rC\n", [["A"], ["B"], ["C"]]),
        ("#!/usr/bin/env vista\nA", [["A"]]),
        ("\ufeffA", [["A"]]),
        ("A b # c", [["A", "b"]]),
        ("A b#c d", [["A", "b"]]),
        ('A "b#c" d', [["A", "b#c", "d"]]),
        ('A "two words" ""', [["A", "two words", ""]]),
        ('A file:"two words".rc', [["A", "file:two words.rc"]]),
        (r'A "\"\\\$HOME\n\t\r"', [["A", '"\\$HOME\n\t\r']]),
        (r"A C:\new\table", [["A", r"C:\new\table"]]),
        ("A $HOME ${HOME}s $HOME/x", [["A", "/home/ada", "/home/adas", "/home/ada/x"]]),
        ('A "in $HOME now"', [["A", "in /home/ada now"]]),
        ("A $TWO $EMPTY", [["A", "two words", ""]]),
        ("A $HASH", [["A", "a#b"]]),
        ("A b=c =", [["A", "b=c", "="]]),
        ('A "="', [["A", "="]]),
        ("A größe 木", [["A", "größe", "木"]]),
    ],
)
def test_a_line_is_split_into_words(text: str, expected: list[list[str]]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A $1 $2", ["A", "one", "two three"]),
        ("A $*", ["A", "one", "two three"]),
        ('A "$*"', ["A", "one two three"]),
        ("A x$*", ["A", "xone two three"]),
        ("A $0 $ARGV0 $ARGV1 $ARGC", ["A", "boot.rc", "boot.rc", "one", "3"]),
        ("A ${1}0", ["A", "one0"]),
    ],
)
def test_arguments_of_the_file_are_variables(text: str, expected: list[str]) -> None:
    assert words(text, "one", "two three") == [expected]


def test_all_arguments_are_no_words_when_none_were_given() -> None:
    assert words('A $* "$*" b') == [["A", "", "b"]]


@pytest.mark.parametrize(
    "text", ["clock = Timer 5", "clock=Timer 5", "clock= Timer 5", " clock =Timer 5"]
)
def test_a_name_before_an_equals_sign_keeps_the_object(text: str) -> None:
    (statement,) = parse(text)
    assert statement.name == "clock"
    assert [word.parts for word in statement.words] == [("Timer",), ("5",)]
    assert statement.mistakes == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('A "b', ['boot.rc:1:3: the quote opened here is not closed on this line with another "']),
        (
            '\n  A b" c # d',
            ['boot.rc:2:6: the quote opened here is not closed on this line with another "'],
        ),
        (
            r'A "\q"',
            [r"boot.rc:1:4: \q means nothing inside quotes; known are \" \\ \$ \n \r \t"],
        ),
        ("A $", [r'boot.rc:1:3: a name is missing after $; the sign itself is written "\$"']),
        (
            "A 5$ $-",
            [
                r'boot.rc:1:4: a name is missing after $; the sign itself is written "\$"',
                r'boot.rc:1:6: a name is missing after $; the sign itself is written "\$"',
            ],
        ),
        ("A ${HOME", [r'boot.rc:1:3: a name is missing after $; the sign itself is written "\$"']),
        ("A x$HOMME", ["boot.rc:1:4: $HOMME is not set; did you mean HOME?"]),
        ("A $home", ["boot.rc:1:3: $home is not set; did you mean HOME?"]),
        ('A "$QQQ"', ["boot.rc:1:4: $QQQ is not set"]),
        ("A $1", ["boot.rc:1:3: $1 is not set: 0 arguments were given after the file's name"]),
        (
            "A $ARGV3",
            ["boot.rc:1:3: $ARGV3 is not set: 0 arguments were given after the file's name"],
        ),
        ("= A", ["boot.rc:1:1: a name is missing before =; write name = Class arguments"]),
        ("a =", ["boot.rc:1:3: a class name is missing after a ="]),
        ("a = # B", ["boot.rc:1:3: a class name is missing after a ="]),
        ("5a = B", ['boot.rc:1:1: "5a" is no name: use letters, digits and _, no digit first']),
        ("ARGC = B", ["boot.rc:1:1: ARGC is set by vista; choose another name"]),
        ("A b\x00", ["boot.rc:1:4: the character U+0000 cannot stand in an rc file"]),
    ],
)
def test_a_mistake_has_its_place_and_says_what_was_expected(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_the_number_of_arguments_given_is_counted_in_words() -> None:
    assert mistakes("A $2", "x") == [
        "boot.rc:1:3: $2 is not set: 1 argument was given after the file's name"
    ]


def test_every_mistake_of_a_file_is_found() -> None:
    text = 'A "b\nB $\n= C\nD $NOPE'
    assert [mistake.split(":")[1] for mistake in mistakes(text)] == ["1", "2", "3", "4"]


def test_an_object_kept_under_a_name_is_passed_itself() -> None:
    made = object()
    variables = Variables({}, "boot.rc", ())
    variables.define("clock", made, "4r7q-1")
    (statement,) = parse('A $clock "$clock" at-$clock')
    expanded, _ = expand(statement.words, variables)
    assert [argument.value for argument in expanded] == ["A", made, "4r7q-1", "at-4r7q-1"]


def test_places_count_from_one_in_characters() -> None:
    (statement,) = parse("\n\t size = A  b")
    assert (statement.line, statement.column) == (2, 3)
    assert [(word.line, word.column) for word in statement.words] == [(2, 10), (2, 13)]


def test_unknown_arguments_stand_for_anything() -> None:
    variables = Variables({}, "boot.rc", None)
    (statement,) = parse("A $1 x$2 $* $ARGC $ARGV7")
    expanded, found = expand(statement.words, variables)
    assert found == []
    assert all(isinstance(argument.value, Unknown) for argument in expanded[1:])
    assert [argument.many for argument in expanded] == [False, False, False, True, False, False]


def test_a_word_remembers_that_it_was_quoted() -> None:
    (statement,) = parse('A "nil" nil')
    expanded, _ = expand(statement.words, Variables({}, "boot.rc", ()))
    assert expanded[1:] == [Argument("nil", 1, 3, True), Argument("nil", 1, 9, False)]


@pytest.mark.parametrize(("text", "lines"), [("", 0), ("A", 1), ("A\n", 1), ("A\r\n\r\nB", 3)])
def test_lines_are_counted(text: str, lines: int) -> None:
    assert count_lines(text) == lines


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HTTPdeamon", "; did you mean HTTPdaemon?"),
        ("httpdaemon", "; did you mean HTTPdaemon?"),
        ("Xyzzy", ""),
    ],
)
def test_the_nearest_name_is_offered(name: str, expected: str) -> None:
    assert did_you_mean(name, ["HTTPdaemon", "PeerRegistry"]) == expected


@given(st.text(alphabet=st.sampled_from('aA1_ =#"$\\{}*\t\r\n\x00é'), max_size=60))
def test_any_text_gives_statements_and_mistakes_with_places_in_it(text: str) -> None:
    lengths = [len(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    variables = Variables({"a": "b"}, "boot.rc", ["1"])
    for statement in parse(text):
        expanded, found = expand(statement.words, variables)
        places = [(each.line, each.column) for each in (*statement.mistakes, *found, *expanded)]
        assert all(1 <= column <= lengths[line - 1] for line, column in places)
        assert statement.words or statement.mistakes


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_words_can_be_written_in_quotes(words_wanted: list[str]) -> None:
    escapes = {value: f"\\{letter}" for letter, value in ESCAPES.items()}
    quoted = ['"' + "".join(escapes.get(c, c) for c in word) + '"' for word in words_wanted]
    (statement,) = parse(" ".join(quoted))
    expanded, _ = expand(statement.words, Variables({}, "boot.rc", ()))
    assert [argument.value for argument in expanded] == words_wanted
