"""Scripts piped into the prompt."""

from __future__ import annotations

import io
from types import ModuleType

import pytest

from vista.errors import NoSuchMethod
from vista.shell.script import Script


class Run:
    """One run of a script: its exit code, output and errors."""

    def __init__(self, source: str, **variables: object) -> None:
        output, errors = io.StringIO(), io.StringIO()
        self.module = ModuleType("__main__")
        vars(self.module).update(variables)
        self.exit_code = Script(self.module, output, errors).run(source)
        self.output = output.getvalue()
        self.errors = errors.getvalue()


def test_a_script_that_ends_gives_exit_code_0() -> None:
    run = Run("x = 1\n")
    assert (run.exit_code, run.output, run.errors) == (0, "", "")
    assert vars(run.module)["x"] == 1


def test_expressions_that_stand_alone_are_printed() -> None:
    assert Run("'doc'\nx = 3\nx + 1\n'text'\nNone\nif x: x\n").output == "4\n'text'\n"


def test_an_exception_ends_the_script_with_its_line_and_exit_code_1() -> None:
    run = Run("def f():\n    return 1 / 0\nf()\nprint('not reached')\n")
    assert run.exit_code == 1
    assert run.output == ""
    assert 'File "<stdin>", line 3, in <module>\n    f()\n' in run.errors
    assert run.errors.endswith("ZeroDivisionError: division by zero\n")
    assert "script.py" not in run.errors
    assert "code.py" not in run.errors


def test_an_error_of_vista_is_one_line_with_its_place() -> None:
    run = Run("\nraise NoSuchMethod('no incr')\n", NoSuchMethod=NoSuchMethod)
    assert run.errors == "<stdin>:2: NoSuchMethod: no incr\n"


def test_a_mistake_in_the_syntax_shows_where_and_runs_nothing() -> None:
    run = Run("x = 1\nprint(x))\n")
    assert run.exit_code == 1
    assert "line 2" in run.errors
    assert "SyntaxError: unmatched ')'" in run.errors
    assert "x" not in vars(run.module)


def test_text_that_is_no_python_at_all_is_an_error() -> None:
    assert Run("a\0b").exit_code == 1


@pytest.mark.parametrize(
    ("call", "code", "errors"),
    [("exit()", 0, ""), ("exit(3)", 3, ""), ("raise SystemExit('why')", 1, "why\n")],
)
def test_exit_ends_the_script_with_its_code(call: str, code: int, errors: str) -> None:
    run = Run(f"{call}\nprint('not reached')\n", exit=leave)
    assert (run.exit_code, run.errors, run.output) == (code, errors, "")


def leave(code: int | None = None) -> None:
    raise SystemExit(code)


def test_ctrl_c_ends_the_script_with_exit_code_130() -> None:
    run = Run("raise KeyboardInterrupt")
    assert run.exit_code == 130
    assert run.errors == "<stdin>:1: KeyboardInterrupt\n"


def test_future_statements_of_the_script_hold_and_those_of_vista_do_not() -> None:
    annotated = "def f(x: undefined): pass\n"
    assert "NameError" in Run(annotated).errors
    assert Run("from __future__ import annotations\n" + annotated).errors == ""


def test_the_source_of_functions_and_classes_of_a_script_is_found() -> None:
    source = "import inspect\nclass Counter:\n    value = 1\ninspect.getsource(Counter)\n"
    assert Run(source).output == "'class Counter:\\n    value = 1\\n'\n"
