"""Outlines: any value as a text of bounded length."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

import vista
from vista.kernel.outlines import OUTLINE_CHARACTERS_MAX


@vista.record
@dataclass(frozen=True)
class Buoy:
    """A record with two fields."""

    name: str
    chain: list[int]


class Raising:
    """Something that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (5, "5"),
        ("it's", '"it\'s"'),
        (b"\0", "b'\\x00'"),
        ([], "[]"),
        ((), "()"),
        ((1,), "(1,)"),
        (set(), "set()"),
        (frozenset(), "frozenset()"),
        (frozenset({1}), "frozenset({1})"),
        ({"a": [1, {2: 3}]}, "{'a': [1, {2: 3}]}"),
        ({(1, "x"): 2}, "{(1, 'x'): 2}"),
        (Buoy("west", [1, 2]), "Buoy(name='west', chain=[1, 2])"),
    ],
    ids=repr,
)
def test_what_fits_stands_in_one_line_as_python_writes_it(value: object, text: str) -> None:
    assert vista.outline(value, 200) == text


def test_what_does_not_fit_has_its_entries_below_one_another() -> None:
    value = {"names": ["a" * 40, "b" * 40], "open": True}
    assert vista.outline(value, 1000).splitlines() == [
        "{",
        "  'names': [",
        f"    '{'a' * 40}',",
        f"    '{'b' * 40}',",
        "  ],",
        "  'open': True,",
        "}",
    ]


def test_short_entries_stand_beside_one_another() -> None:
    lines = vista.outline(list(range(100)), 1000).splitlines()
    assert lines[1].startswith("  0, 1, 2, 3,")
    assert lines[-1] == "]"
    assert len(lines) < 10
    assert " ".join(lines).count(",") == 100


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, b"x" * 10**6, list(range(10**6)), {n: n for n in range(10**5)}, {"k" * 10**6: 1}],
    ids=["text", "bytes", "list", "dict", "key"],
)
def test_a_text_ends_at_its_bound_with_a_mark(value: object) -> None:
    text = vista.outline(value, 300)
    assert len(text) <= 301
    assert text.endswith("…")


def test_no_more_is_looked_at_than_is_shown() -> None:
    deep: list[Any] = [1]
    for _ in range(60):
        deep = [deep, deep]  # 2 ** 60 ones
    assert len(vista.outline(deep, 500)) <= 501


def test_a_large_value_takes_no_more_work_than_a_small_one() -> None:
    def least(value: object) -> float:
        times = []
        for _ in range(5):
            began = time.process_time()
            vista.outline(value, 1000)
            times.append(time.process_time() - began)
        return min(times)

    small, large = (dict.fromkeys(range(size)) for size in (2_000, 1_000_000))
    assert least(large) < 10 * least(small)


def test_the_bound_has_a_bound() -> None:
    assert len(vista.outline("x" * 10**6, 10**9)) <= OUTLINE_CHARACTERS_MAX + 2


def test_what_contains_itself_is_shown_to_a_depth() -> None:
    own: list[Any] = []
    own.append(own)
    assert "…" in vista.outline(own, 1000)


def test_a_huge_number_is_described() -> None:
    assert vista.outline(1 << 5000, 100) == "<int of 5,001 bits>"


def test_what_cannot_be_shown_is_named() -> None:
    assert vista.outline([Raising()], 200).startswith("[<Raising instance at")


def test_what_shows_itself_is_cut_at_its_end() -> None:
    class Talker:
        def __repr__(self) -> str:
            return "word " * 100

    text = vista.outline({"a": Talker()}, 200)
    assert text == f"{{\n  'a': {'word ' * 100}"[:200] + "…"


def test_a_ref_stands_with_its_id(node: vista.Node) -> None:
    ref = vista.here()
    assert vista.outline([ref], 200) == f"[<ObjectCreator {vista.id_of(ref)}>]"
