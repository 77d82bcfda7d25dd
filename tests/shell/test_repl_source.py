"""The source of classes typed at a prompt."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from vista.shell.script import main_module
from vista.shell.source import PromptSource

FIRST = "class Counter:\n    def value(self):\n        return 1\n"
SECOND = "class Counter:\n    def value(self):\n        return 2\n"


class Prompt:
    """Runs cells in the module that is ``__main__`` meanwhile, as a prompt does."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.source = PromptSource(module)

    def run(self, cell: str) -> None:
        exec(compile(cell, "<cell>", "exec"), vars(self.module))
        self.source.note(cell)

    def source_of(self, name: str) -> str:
        return inspect.getsource(vars(self.module)[name]).rstrip("\n") + "\n"


@pytest.fixture
def prompt() -> Iterator[Prompt]:
    module = ModuleType("__main__")
    with main_module(module):
        yield Prompt(module)


def test_the_source_of_a_class_is_what_was_typed(prompt: Prompt) -> None:
    prompt.run("x = 1\n" + FIRST + "y = 2\n")
    assert prompt.source_of("Counter") == FIRST


def test_the_newest_definition_is_the_source(prompt: Prompt) -> None:
    prompt.run(FIRST)
    prompt.run(SECOND)
    assert prompt.source_of("Counter") == SECOND


def test_other_classes_keep_their_source(prompt: Prompt) -> None:
    other = "class Clock:\n    pass\n"
    prompt.run(FIRST)
    prompt.run(other)
    prompt.run(SECOND)
    prompt.run("class Later:\n    pass\n")
    assert prompt.source_of("Clock") == other
    assert prompt.source_of("Counter") == SECOND


def test_decorators_belong_to_the_source(prompt: Prompt) -> None:
    cell = "@(lambda cls: cls)\nclass Counter:\n    pass\n"
    prompt.run(cell)
    assert prompt.source_of("Counter") == cell


def test_a_cell_that_is_no_python_is_passed_over(prompt: Prompt) -> None:
    prompt.run(FIRST)
    prompt.source.note("%tb full")
    prompt.source.note("a\0b")
    assert prompt.source_of("Counter") == FIRST


def test_main_is_itself_again_after_the_prompt() -> None:
    before = sys.modules["__main__"]
    with main_module(ModuleType("__main__")):
        assert sys.modules["__main__"] is not before
    assert sys.modules["__main__"] is before
