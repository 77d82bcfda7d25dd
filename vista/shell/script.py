"""Runs a script that is piped into ``vista repl``, without a terminal.

The script is read whole and runs as Python runs one, with vista's names at hand. As at the prompt,
the value of an expression that stands alone is printed. The first exception ends it.
"""

from __future__ import annotations

import ast
import code
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TextIO

from vista.parsing import parse_module
from vista.shell import failure, show

FILE_NAME = "<stdin>"

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

_DISPLAY = "__display__"


@contextmanager
def main_module(module: ModuleType) -> Iterator[None]:
    """Let a module be ``__main__`` for a block, as the classes defined in it say they are in it."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = before


class Script(code.InteractiveInterpreter):
    """A script in a module of its own: output to ``output``, exceptions to ``errors``."""

    def __init__(self, module: ModuleType, output: TextIO, errors: TextIO) -> None:
        super().__init__(vars(module))
        self._module = module
        self._output = output
        self._errors = errors
        self._exit_code = EXIT_DONE
        vars(module).update({"__file__": FILE_NAME, _DISPLAY: self._display})

    def run(self, source: str) -> int:
        """Run ``source`` and return the exit code.

        That is 0, 1 after an exception, 130 after Ctrl-C, or what the script gave to ``exit``.
        """
        # A script is in no file: here tracebacks and inspect.getsource find its text.
        lines = source.splitlines(keepends=True)
        linecache.cache[FILE_NAME] = (len(source), None, lines, FILE_NAME)
        try:
            program = compile(_displaying(source), FILE_NAME, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            print(failure.in_one_line(error), file=self._errors)
            return EXIT_FAILED
        try:
            with main_module(self._module):
                self.runcode(program)
        except SystemExit as error:
            return self._leave(error)
        return self._exit_code

    def showtraceback(self) -> None:
        """Show the exception that ended the script, without the machinery."""
        error = sys.exception()
        assert error is not None
        print(failure.in_short(error), file=self._errors)
        interrupted = isinstance(error, KeyboardInterrupt)
        self._exit_code = EXIT_INTERRUPTED if interrupted else EXIT_FAILED

    def _display(self, value: object) -> None:
        if value is not None:
            table = show.display(value, width=show.width_of(self._output))
            print(repr(value) if table is None else table, file=self._output)

    def _leave(self, error: SystemExit) -> int:
        if error.code is None:
            return EXIT_DONE
        if isinstance(error.code, int):
            return error.code
        print(error.code, file=self._errors)
        return EXIT_FAILED


def _displaying(source: str) -> ast.Module:
    """Parse a script and let each expression that stands alone be displayed, a docstring not."""
    program = parse_module(source, FILE_NAME)
    for position, statement in enumerate(program.body):
        docstring = position == 0 and ast.get_docstring(program) is not None
        if isinstance(statement, ast.Expr) and not docstring:
            display = ast.Name(_DISPLAY, ast.Load())
            statement.value = ast.Call(display, [statement.value], [])
    return ast.fix_missing_locations(program)
