"""The grammar of rc files: text in, statements out.

One statement a line: ``Class argument ...`` or ``name = Class argument ...``. A ``#`` outside
quotes ends the line. ``"quoted text"`` knows the escapes ``\\" \\\\ \\$ \\n \\r \\t``; outside
quotes a backslash is a character like any other. ``$NAME``, ``${NAME}``, ``$1`` and ``$*`` stand
for variables, inside quotes too; what a variable holds is never split into words, but a bare
``$*`` is as many words as there are arguments. Lines and columns count from 1.

Nothing here reads a file or knows a class. `parse` never raises: it keeps each line's mistakes with
the line, so that ``vista check`` can report all of them at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

ESCAPES = {'"': '"', "\\": "\\", "$": "$", "n": "\n", "r": "\r", "t": "\t"}
"""What a backslash and a letter stand for inside quotes."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_HEAD = re.compile(r"[ \t]*(?:(?P<name>[^\s=\"#$]*)[ \t]*(?P<equals>=))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$(?:(\*|[0-9]+|[A-Za-z_][A-Za-z0-9_]*)|\{(\*|[A-Za-z0-9_]+)\})")
_RESERVED = re.compile(r"ARGC|ARGV[0-9]+")
_BLANKS = " \t\f\v"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in an rc file: where (line and column from 1) and what, in words."""

    line: int
    column: int
    text: str

    def in_file(self, file_name: str) -> str:
        """The mistake as it is printed: ``file:line:column: text``."""
        return f"{file_name}:{self.line}:{self.column}: {self.text}"


@dataclass(frozen=True, slots=True)
class Variable:
    """A place in a word where a variable's value goes."""

    name: str
    column: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a line: pieces of text and variables, and whether any of it stood in quotes."""

    parts: tuple[str | Variable, ...]
    line: int
    column: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """One line that says something: the class word, its arguments and the name to keep it under.

    ``words`` is empty only when the line is so mistaken that it names no class.
    """

    line: int
    column: int
    name: str | None
    words: tuple[Word, ...]
    mistakes: tuple[Mistake, ...]


class Unknown:
    """Stands for a text that cannot be known before the file runs, such as ``$1`` in a check."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Argument:
    """One word after its variables were replaced.

    ``value`` is a text, the reference of an object made on an earlier line, or `Unknown`. ``many``
    says that it stands for any number of arguments: ``$*`` when they cannot be known.
    """

    value: object
    line: int
    column: int
    quoted: bool = False
    many: bool = False


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` for the name in ``known`` nearest to ``name``, or an empty text.

    Upper and lower case are taken as equal.
    """
    spellings = {candidate.lower(): candidate for candidate in sorted(known, reverse=True)}
    near = difflib.get_close_matches(name.lower(), spellings, n=1, cutoff=0.7)
    return f"; did you mean {spellings[near[0]]}?" if near else ""


class Variables:
    """What the variables of one run of an rc file hold.

    ``environment`` gives the texts, ``file_name`` is ``$0`` and ``$ARGV0``, ``arguments`` are
    ``$1``, ``$2`` and so on, ``$ARGV1``, ``$ARGV2`` and so on, and all of them ``$*``. ``$ARGC``
    counts them and the file, as a C program's ``argc`` does. ``arguments=None`` says that they are
    not known: each is `Unknown`.
    """

    def __init__(
        self, environment: Mapping[str, str], file_name: str, arguments: Sequence[str] | None
    ) -> None:
        self.arguments = None if arguments is None else tuple(arguments)
        self._values: dict[str, object] = dict(environment)
        self._texts: dict[str, object] = dict(environment)
        given = () if arguments is None else tuple(arguments)
        for number, text in enumerate((file_name, *given)):
            self.define(str(number), text, text)
            self.define(f"ARGV{number}", text, text)
        if arguments is None:
            self.define("ARGC", Unknown(), Unknown())
        else:
            self.define("ARGC", str(len(given) + 1), str(len(given) + 1))

    def define(self, name: str, value: object, text: object) -> None:
        """Let ``$name`` alone stand for ``value``, and for ``text`` within other text."""
        self._values[name] = value
        self._texts[name] = text

    def value(self, name: str) -> object:
        """What ``$name`` stands for as a word of its own. Raises `KeyError`."""
        if name not in self._values and self._may_be_given(name):
            return Unknown()
        return self._values[name]

    def text(self, name: str) -> object:
        """The text of ``$name`` (or `Unknown`) within other text. Raises `KeyError`."""
        if name == "*":
            return Unknown() if self.arguments is None else " ".join(self.arguments)
        if name not in self._texts and self._may_be_given(name):
            return Unknown()
        return self._texts[name]

    def explain(self, name: str) -> str:
        """Why ``$name`` stands for nothing, with the near miss."""
        number = name.removeprefix("ARGV")
        if number.isdigit() and self.arguments is not None:
            given = len(self.arguments)
            counted = "1 argument was" if given == 1 else f"{given} arguments were"
            return f"${name} is not set: {counted} given after the file's name"
        return f"${name} is not set{did_you_mean(name, self._values)}"

    def _may_be_given(self, name: str) -> bool:
        return self.arguments is None and name.removeprefix("ARGV").isdigit()


def parse(text: str) -> list[Statement]:
    """Read the text of an rc file into its statements, in order.

    Empty lines and comments give none. Mistakes are kept in the statement of their line.
    """
    lines = _LINE_END.split(text.removeprefix("\ufeff"))
    statements = (_parse_line(line, number) for number, line in enumerate(lines, 1))
    return [statement for statement in statements if statement.words or statement.mistakes]


def count_lines(text: str) -> int:
    """How many lines the text has; a last line without a line end counts."""
    lines = _LINE_END.split(text)
    return len(lines) - (lines[-1] == "")


def _parse_line(line: str, number: int) -> Statement:
    head = _HEAD.match(line)
    assert head is not None, "every part of the pattern may be empty"
    scan = _LineScan(line, number)
    name = head["name"]
    if head["equals"]:
        scan.at = head.end()
        scan.check_name(name, head.start("name"), head.start("equals"))
    words = scan.words()
    if head["equals"] and not words and not scan.mistakes:
        scan.mistake(head.start("equals"), f"a class name is missing after {name} =")
    first = len(line) - len(line.lstrip())
    return Statement(number, first + 1, name or None, tuple(words), tuple(scan.mistakes))


class _LineScan:
    """Takes the words out of one line, from position ``at`` on, and notes what is wrong."""

    def __init__(self, line: str, number: int) -> None:
        self.line = line
        self.number = number
        self.at = 0
        self.mistakes: list[Mistake] = []

    def mistake(self, at: int, text: str) -> None:
        self.mistakes.append(Mistake(self.number, at + 1, text))

    def check_name(self, name: str, at: int, equals: int) -> None:
        if not name:
            self.mistake(equals, "a name is missing before =; write name = Class arguments")
        elif _NAME.fullmatch(name) is None:
            self.mistake(at, f'"{name}" is no name: use letters, digits and _, no digit first')
        elif _RESERVED.fullmatch(name):
            self.mistake(at, f"{name} is set by vista; choose another name")

    def words(self) -> list[Word]:
        words = []
        while self._find_word():
            words.append(self._word())
        return words

    def _find_word(self) -> bool:
        while self.at < len(self.line) and self.line[self.at] in _BLANKS:
            self.at += 1
        return self.at < len(self.line) and self.line[self.at] != "#"

    def _word(self) -> Word:
        start, quoted = self.at, False
        parts: list[str | Variable] = []
        while self.at < len(self.line) and self.line[self.at] not in _BLANKS + "#":
            if self.line[self.at] == '"':
                quoted = True
                self._quoted(parts)
            else:
                parts.append(self._piece(in_quotes=False))
        return Word(tuple(_joined(parts)), self.number, start + 1, quoted)

    def _quoted(self, parts: list[str | Variable]) -> None:
        start = self.at
        self.at += 1
        while self.at < len(self.line):
            if self.line[self.at] == '"':
                self.at += 1
                return
            parts.append(self._piece(in_quotes=True))
        self.mistake(start, 'the quote opened here is not closed on this line with another "')

    def _piece(self, *, in_quotes: bool) -> str | Variable:
        letter = self.line[self.at]
        if letter == "$":
            return self._variable(in_quotes)
        if letter == "\\" and in_quotes:
            return self._escape()
        if not letter.isprintable() and letter not in _BLANKS:
            self.mistake(self.at, f"the character U+{ord(letter):04X} cannot stand in an rc file")
        self.at += 1
        return letter

    def _variable(self, quoted: bool) -> str | Variable:
        start = self.at
        found = _VARIABLE.match(self.line, start)
        if found is None:
            self.at += 1
            self.mistake(start, r'a name is missing after $; the sign itself is written "\$"')
            return "$"
        self.at = found.end()
        return Variable(found[1] or found[2], start + 1, quoted)

    def _escape(self) -> str:
        letter = self.line[self.at + 1 : self.at + 2]
        if letter and letter not in ESCAPES:
            known = " ".join("\\" + escape for escape in ESCAPES)
            self.mistake(self.at, f"\\{letter} means nothing inside quotes; known are {known}")
        self.at += 2
        return ESCAPES.get(letter, letter)


def _joined(parts: list[str | Variable]) -> list[str | Variable]:
    """The parts with neighbouring texts made one."""
    joined: list[str | Variable] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        else:
            joined.append(part)
    return joined


def expand(words: Iterable[Word], variables: Variables) -> tuple[list[Argument], list[Mistake]]:
    """Replace the variables in ``words``.

    Returns the arguments and a mistake for each variable that is not set. A word that is one
    variable and nothing else becomes that variable's value, which may be the reference of an
    object; all others become text.
    """
    arguments: list[Argument] = []
    mistakes: list[Mistake] = []
    for word in words:
        try:
            arguments += _expand_word(word, variables)
        except _NotSet as error:
            text = variables.explain(error.variable.name)
            mistakes.append(Mistake(word.line, error.variable.column, text))
            arguments.append(Argument(Unknown(), word.line, word.column, word.quoted))
    return arguments, mistakes


class _NotSet(Exception):
    def __init__(self, variable: Variable) -> None:
        super().__init__(variable.name)
        self.variable = variable


def _expand_word(word: Word, variables: Variables) -> list[Argument]:
    only = word.parts[0] if len(word.parts) == 1 else None
    if isinstance(only, Variable) and not only.quoted:
        if only.name == "*":
            return _expand_all(word, variables)
        return [Argument(_look_up(only, variables.value), word.line, word.column, word.quoted)]
    texts = []
    for part in word.parts:
        text = _look_up(part, variables.text) if isinstance(part, Variable) else part
        if not isinstance(text, str):
            return [Argument(text, word.line, word.column, word.quoted)]
        texts.append(text)
    return [Argument("".join(texts), word.line, word.column, word.quoted)]


def _look_up(variable: Variable, look_up: Callable[[str], object]) -> object:
    try:
        return look_up(variable.name)
    except KeyError:
        raise _NotSet(variable) from None


def _expand_all(word: Word, variables: Variables) -> list[Argument]:
    if variables.arguments is None:
        return [Argument(Unknown(), word.line, word.column, many=True)]
    return [Argument(text, word.line, word.column) for text in variables.arguments]
