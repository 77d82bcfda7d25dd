"""How exceptions are shown: which frames go, which stay, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from vista.errors import InternalError, NoSuchMethod
from vista.shell import failure


def function_in(module: str, source: str, **variables: object) -> Callable[..., object]:
    """Define the function ``f`` of ``source`` in a module of that name, in a file ``module.py``."""
    made = ModuleType(module)
    vars(made).update(variables)
    exec(compile(source, f"{module}.py", "exec"), vars(made))
    found: Callable[..., object] = vars(made)["f"]
    return found


def raised_by(function: Callable[..., object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        function()
    return caught.value


def called_through(inner: Callable[..., object]) -> Callable[..., object]:
    """Call ``inner`` as a message does: from the user, through vista and asyncio."""
    loop = function_in("asyncio.events", "def f(): inner()", inner=inner)
    kernel = function_in("vista.kernel.invoke", "def f(): inner()", inner=loop)
    return function_in("prompt", "def f(): inner()", inner=kernel)


def modules(error: BaseException) -> list[str]:
    entries = failure.visible_frames(error.__traceback__)
    return [entry.tb_frame.f_globals["__name__"] for entry in entries][1:]  # without this file


def test_the_users_and_the_methods_frames_stay() -> None:
    error = raised_by(called_through(function_in("counters", "def f(): 1 / 0")))
    assert modules(error) == ["prompt", "counters"]


@pytest.mark.parametrize(
    "module",
    ["vista", "vista.kernel.invoke", "asyncio.events", "greenlet", "IPython.core.x", "threading"],
)
def test_frames_of_the_machinery_go(module: str) -> None:
    assert failure.is_machinery(module)


@pytest.mark.parametrize("module", ["vistas", "visitor.vista", "__main__", "json", "apps.http"])
def test_frames_of_other_modules_stay(module: str) -> None:
    assert not failure.is_machinery(module)


def test_an_exception_gets_its_whole_traceback_back() -> None:
    error = raised_by(called_through(function_in("counters", "def f(): 1 / 0")))
    before = error.__traceback__
    with failure.machinery_hidden(error):
        assert error.__traceback__ is not before
        assert "invoke.py" not in failure.in_full(error)
    assert error.__traceback__ is before
    assert "invoke.py" in failure.in_full(error)


def test_frames_of_causes_go_too() -> None:
    inner = called_through(function_in("counters", "def f(): 1 / 0"))
    source = "def f():\n try: inner()\n except ZeroDivisionError as e: raise KeyError('k') from e"
    shown = failure.in_short(raised_by(function_in("user", source, inner=inner)))
    assert "ZeroDivisionError" in shown
    assert "invoke.py" not in shown


def test_a_context_that_only_the_machinery_saw_goes_and_comes_back() -> None:
    source = "def f():\n try: {}['k']\n except KeyError: raise ValueError('v')"
    error = raised_by(function_in("vista.kernel.invoke", source))
    assert "KeyError" not in failure.in_short(error)
    assert "KeyError" in failure.in_full(error)


def test_a_context_of_the_users_own_code_stays() -> None:
    source = "def f():\n try: {}['k']\n except KeyError: raise ValueError('v')"
    assert "KeyError" in failure.in_short(raised_by(function_in("user", source)))


def test_members_of_a_group_lose_the_machinery() -> None:
    member = raised_by(called_through(function_in("counters", "def f(): 1 / 0")))
    shown = failure.in_short(ExceptionGroup("many", [member]))
    assert "counters.py" in shown
    assert "invoke.py" not in shown


def test_an_internal_error_keeps_every_frame() -> None:
    kernel = function_in("vista.kernel.invoke", "def f(): raise E('x')", E=InternalError)
    assert "invoke.py" in failure.in_short(raised_by(kernel))


def shallow(error: BaseException, frames: int) -> BaseException:
    """Raise an error out of as many frames of the user and catch it outside of all."""
    function = function_in("vista.kernel.invoke", "def f(): raise error", error=error)
    for _ in range(frames):
        function = function_in("prompt", "def f(): inner()", inner=function)
    caught = raised_by(function)
    # Without the frame of this file, which the prompt has not.
    assert caught.__traceback__ is not None
    return caught.with_traceback(caught.__traceback__.tb_next)


def test_an_error_of_vista_about_the_line_typed_is_one_line() -> None:
    error = shallow(NoSuchMethod("no incr; did you mean increment?"), 1)
    assert failure.is_brief(error)
    assert failure.in_short(error) == "prompt.py:1: NoSuchMethod: no incr; did you mean increment?"


def test_an_error_of_vista_from_deeper_down_shows_where() -> None:
    assert not failure.is_brief(shallow(NoSuchMethod("no incr"), 3))


def test_an_error_of_the_users_own_shows_where() -> None:
    assert not failure.is_brief(shallow(ValueError("no"), 1))


def test_an_interrupted_wait_is_one_line() -> None:
    assert failure.is_brief(shallow(KeyboardInterrupt(), 3))
    assert failure.in_one_line(KeyboardInterrupt()) == "KeyboardInterrupt"


ELSEWHERE = """Remote traceback:
  Traceback (most recent call last):
    File "/opt/vista/kernel/hot.py", line 261, in _answer
      result = run(*args, **kwargs) if kwargs else run(*args)
                                                   ^^^^^^^^^^
    File "counters.py", line 21, in increment
      self.value += by
    File "/usr/lib/python3/asyncio/events.py", line 9, in call
      call()
  TypeError: a text is no number"""


def test_the_traceback_of_another_node_is_shown_without_machinery() -> None:
    error = raised_by(function_in("prompt", "def f(): 1 / 0"))
    error.add_note('a note of its own\n    File "/opt/vista/kernel/x.py", line 1, in f')
    error.add_note(ELSEWHERE)
    with failure.machinery_hidden(error):
        own, remote = error.__notes__
    assert own.count("\n") == 1
    assert remote.split("\n")[2:] == [
        '    File "counters.py", line 21, in increment',
        "      self.value += by",
        "  TypeError: a text is no number",
    ]
    assert error.__notes__[1] == ELSEWHERE


def test_an_error_of_vista_from_another_node_is_one_line() -> None:
    error = NoSuchMethod("no method 'x'")
    error.add_note(ELSEWHERE)
    assert failure.in_one_line(error) == "NoSuchMethod: no method 'x'"
