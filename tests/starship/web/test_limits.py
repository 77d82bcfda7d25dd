"""The words behind the site's name in an rc line."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

import vista
from apps.starship.web.limits import SiteLimits, read_words


def test_no_word_is_a_game_for_everybody() -> None:
    assert read_words([]) == (False, SiteLimits())


@pytest.mark.parametrize(("word", "flash"), [("yes", True), ("True", True), ("no", False)])
def test_the_flag_of_the_original_is_taken(word: str, flash: bool) -> None:
    assert read_words([word]) == (flash, SiteLimits())


def test_a_bound_is_set_by_its_name() -> None:
    flash, limits = read_words(["no", "requests_per_second=2.5", "streams_max=7"])
    assert (flash, limits.requests_per_second, limits.streams_max) == (False, 2.5, 7)


def test_every_bound_is_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "starship.rst").read_text()
    told = re.findall(r"(?m)^``(\w+)`` +([\d.,]+) ", page)
    usual = {name: float(value.replace(",", "")) for name, value in told}
    bounds = asdict(SiteLimits())
    assert {name: usual.get(name) for name in bounds} == bounds


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["perhaps"], r"yes or no, for Flash, or NAME=VALUE, not 'perhaps'"),
        (["no", "yes"], r"yes or no"),
        (["stream_max=7"], r"no setting 'stream_max'; did you mean streams_max\?"),
        (["zzz=7"], r"there are requests_per_second"),
        (["streams_max=many"], r"streams_max is a whole number, not 'many'"),
        (["streams_max=2.5"], r"streams_max is a whole number"),
        (["batch_seconds=soon"], r"batch_seconds is a number"),
        (["streams_max=0"], r"streams_max is a number above 0"),
        (["requests_per_second=nan"], r"requests_per_second is a number above 0"),
        (["requests_per_second=inf"], r"requests_per_second is a number above 0"),
        (["streams_max=1", "streams_max=2"], r"streams_max stands twice"),
    ],
)
def test_other_words_are_refused(words: list[str], match: str) -> None:
    with pytest.raises(vista.BadValueError, match=match):
        read_words(words)
