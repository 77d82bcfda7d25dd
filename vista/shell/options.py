"""Reading the command line: one line for a mistake, help of our own, numbers with a bound."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from vista.standard.rc_grammar import did_you_mean

DONE = 0
FAILED = 1
MISTAKEN = 2
INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

SECONDS_MAX = 86_400.0
"""What ``--timeout`` and ``--interval`` take at most: a day is a mistake in the unit."""

FIRST_LINE_BYTES_MAX = 256
"""Bytes of the first line of an rc file that are looked at for options; Linux takes as many."""


class Parser(argparse.ArgumentParser):
    """argparse with our own help and one line for a mistake; ``text`` is what ``--help`` prints."""

    def __init__(self, prog: str, text: str = "") -> None:
        super().__init__(prog=prog, allow_abbrev=False)
        self._text = text

    def error(self, message: str) -> NoReturn:
        """Print the mistake and leave with exit code 2."""
        print(f"vista: {message}; {self.prog} --help says more", file=sys.stderr)
        raise SystemExit(MISTAKEN)

    def format_help(self) -> str:
        """The text of ``--help``."""
        return self._text


def seconds(text: str) -> float:
    """Read a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= SECONDS_MAX or not math.isfinite(value):
        raise argparse.ArgumentTypeError(
            f"a number of seconds above 0, {SECONDS_MAX:.0f} at most, not {text}"
        )
    return value


def count(text: str) -> int:
    """Read a whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number above 0, not {text}")
    return value


def directory(text: str) -> str:
    """Read the name of a directory."""
    if not text:
        raise argparse.ArgumentTypeError("a directory, not nothing")
    return text


REPL_OPTIONS: Mapping[str, str] = MappingProxyType({"--connect": "URL", "--state": "DIRECTORY"})
"""What ``vista repl`` takes besides its file, and the word for the value of each."""


def take_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Take `REPL_OPTIONS` out of the words of ``vista repl``, before or after the rc file.

    What follows ``--`` belongs to the file. Raises `SystemExit` when a value is missing, and for
    another option before the file.
    """
    taken: dict[str, str] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            return taken, rest + left
        option, equals, value = word.partition("=")
        if option not in REPL_OPTIONS:
            if word.startswith("-") and not rest:
                near = did_you_mean(option, REPL_OPTIONS)
                Parser("vista repl").error(f"unrecognized arguments: {word}{near}")
            rest.append(word)
            continue
        if not equals and left:
            value = left.pop(0)
        if not value:
            Parser("vista repl").error(f"the {REPL_OPTIONS[option]} is missing after {option}")
        taken[option] = value
    return taken, rest


def options_of_file(name: str) -> list[str]:
    """Return the options that the first line of an rc file gives to vista, if it does.

    ``#!/usr/bin/env -S vista --processes 5``: started by its own name the system passes them on,
    and ``vista FILE`` does as that does, as Perl does with its scripts. A pipe gives none: what is
    read of it here, nobody could read again.
    """
    try:
        if not Path(name).is_file():
            return []
        with Path(name).open("rb") as file:
            line = file.readline(FIRST_LINE_BYTES_MAX)
    except OSError:
        return []  # whoever reads the whole file says why it cannot be had
    words = line.decode("utf-8", "replace").split() if line.startswith(b"#!") else []
    for place, word in enumerate(words):
        if word.removeprefix("#!").rpartition("/")[2] == "vista":
            return words[place + 1 :]
    return []
