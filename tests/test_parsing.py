"""Parsing Python from several threads at once."""

from __future__ import annotations

import ast
import gc
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vista import parsing
from vista.parsing import ATTEMPTS, parse_expression, parse_module

SOURCE = "\n".join(
    f"def f{number}(a, b=[{number}]): return (a + {number}) * b" for number in range(300)
)
PARSES = 12
"""By each thread. With `ast.parse` instead the first of them end with SystemError."""


class Rubbish:
    """Runs Python when it is collected, so that another thread may run in the midst of a parse."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns as often as can be, and garbage that is looked for all the time."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    was = gc.isenabled()
    sys.setswitchinterval(1e-6)
    gc.enable()
    gc.set_threshold(50)
    yield
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)
    if not was:
        gc.disable()


def test_threads_that_parse_at_once_do_not_disturb_each_other(restless: None) -> None:
    trees: list[ast.Module] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            for _ in range(PARSES):
                Rubbish()
                trees.append(parse_module(SOURCE))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    assert [len(tree.body) for tree in trees] == [300] * (4 * PARSES)


def meeting(times: int) -> type:
    """What parses as `ast.parse` does that meets somebody else's so often."""

    class Meeting:
        count = 0

        @classmethod
        def parse(cls, *args: str) -> ast.AST:
            cls.count += 1
            if cls.count <= times:
                raise SystemError("AST constructor recursion depth mismatch (before=39, after=35)")
            return ast.parse(*args)

    return Meeting


def test_a_parse_that_met_another_ones_is_tried_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "ast", meeting(ATTEMPTS - 1))
    assert ast.unparse(parse_expression("1 + a")) == "1 + a"


def test_a_parse_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "ast", meeting(ATTEMPTS))
    with pytest.raises(SystemError, match=r"depth mismatch"):
        parse_expression("1 + a")


def test_what_is_no_python_is_named_with_its_place() -> None:
    with pytest.raises(SyntaxError) as caught:
        parse_module("x = 1\ny = = 2\n", "town.py")
    assert (caught.value.filename, caught.value.lineno) == ("town.py", 2)


def test_no_other_module_parses() -> None:
    root = Path(parsing.__file__).parents[1]
    files = [path for name in ("vista", "apps") for path in (root / name).rglob("*.py")]
    assert len(files) > 300
    found = [path.name for path in files if "ast.parse(" in path.read_text()]
    assert found == ["parsing.py"]
