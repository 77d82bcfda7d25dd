"""Exceptions through the codec: type, arguments, notes and the remote traceback."""

from __future__ import annotations

import sys
import traceback
import types
from typing import Any

import pytest

from tests.values.samples import CodedError, UnspeakableError
from tests.wire.checks import make_codec
from vista.errors import AccessDenied, CallTimeout, RemoteFailure
from vista.wire.codec import TRACEBACK_CHARACTERS_MAX

CODEC = make_codec()


def send(error: Exception) -> Any:
    """The exception as the other side gets it."""
    return CODEC.decode(CODEC.encode(error))


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """The exception after it was raised here."""
    try:
        raise error from cause
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [ValueError("bad", 3), KeyError("k"), CallTimeout("after 3 s"), AccessDenied("no")],
    ids=repr,
)
def test_an_exception_keeps_its_type_and_arguments(error: Exception) -> None:
    arrived = send(raised(error))
    assert (type(arrived), arrived.args) == (type(error), error.args)


def test_a_constructor_of_another_shape_is_not_called() -> None:
    arrived = send(raised(CodedError(7, place="here")))
    assert type(arrived) is CodedError
    assert (str(arrived), arrived.code, arrived.place) == ("code 7 at here", 7, "here")


def test_notes_arrive() -> None:
    error = ValueError("bad")
    error.add_note("first")
    error.add_note("second")
    assert send(error).__notes__ == ["first", "second"]


def test_an_exception_nobody_raised_brings_no_traceback() -> None:
    assert not hasattr(send(ValueError("bad")), "remote_traceback")


def test_the_remote_traceback_is_an_attribute_and_a_note() -> None:
    arrived = send(raised(ValueError("bad")))
    assert arrived.remote_traceback.startswith("Traceback (most recent call last):\n")
    assert arrived.remote_traceback.endswith(
        "in raised\n    raise error from cause\nValueError: bad\n"
    )
    assert len(arrived.__notes__) == 1
    assert "Remote traceback:\n  Traceback (most recent" in "".join(
        traceback.format_exception(arrived)
    )


def test_the_chain_of_causes_arrives_as_text() -> None:
    arrived = send(raised(ValueError("bad"), cause=KeyError("root")))
    assert arrived.__cause__ is None
    assert "KeyError: 'root'" in arrived.remote_traceback
    assert "direct cause of the following exception" in arrived.remote_traceback


def test_after_two_hops_both_tracebacks_are_shown_once() -> None:
    error = raised(ValueError("bad"))
    error.add_note("once")
    arrived = send(raised(send(error)))
    assert arrived.remote_traceback.count("ValueError: bad") == 2
    assert arrived.__notes__[0] == "once"
    assert len(arrived.__notes__) == 2


def test_an_exception_passed_on_unraised_keeps_its_remote_traceback() -> None:
    once = send(raised(ValueError("bad")))
    once.__traceback__ = None
    twice = send(once)
    assert twice.remote_traceback == once.remote_traceback
    assert twice.__notes__ == once.__notes__


def test_a_long_traceback_keeps_its_end() -> None:
    error = raised(ValueError("x" * 2 * TRACEBACK_CHARACTERS_MAX + "end"))
    text = send(error).remote_traceback
    assert len(text) == TRACEBACK_CHARACTERS_MAX
    assert text.endswith("end\n")


def test_an_exception_unknown_here_becomes_a_remote_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = types.ModuleType("known_there")
    cls = type("StrangeError", (ValueError,), {"__module__": "known_there"})
    module.StrangeError = cls  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "known_there", module)
    error = raised(cls("odd", 1))
    error.add_note("kept")
    data = CODEC.encode(error)
    assert type(CODEC.decode(data)) is cls
    monkeypatch.delitem(sys.modules, "known_there")
    arrived: Any = CODEC.decode(data)
    assert isinstance(arrived, RemoteFailure)
    assert str(arrived) == "StrangeError: ('odd', 1)"
    assert arrived.__notes__[0] == "kept"
    assert "known_there.StrangeError: ('odd', 1)" in vars(arrived)["remote_traceback"]


def test_an_exception_defined_in_a_function_becomes_a_remote_failure() -> None:
    class InnerError(Exception):
        pass

    arrived = send(InnerError("hidden"))
    assert type(arrived) is RemoteFailure
    assert str(arrived).endswith("InnerError: hidden")


def test_an_exception_without_a_text_arrives() -> None:
    assert type(send(raised(UnspeakableError(1)))) is UnspeakableError


@pytest.mark.parametrize("name", ["builtins:SystemExit", "builtins:KeyboardInterrupt"])
def test_bytes_cannot_ask_for_what_ends_a_process(name: str) -> None:
    data = CODEC.encode(ValueError("stop")).replace(
        b"\xb3builtins:ValueError", bytes((0xA0 + len(name),)) + name.encode()
    )
    arrived = CODEC.decode(data)
    assert type(arrived) is RemoteFailure
    assert str(arrived) == f"{name.partition(':')[2]}: stop"


def test_arguments_its_type_does_not_take_become_a_remote_failure() -> None:
    data = CODEC.encode(ValueError("bad")).replace(
        b"\xb3builtins:ValueError", b"\xbbbuiltins:UnicodeDecodeError"
    )
    arrived = CODEC.decode(data)
    assert type(arrived) is RemoteFailure
    assert str(arrived) == "UnicodeDecodeError: bad"


def test_an_unknown_exception_without_its_text_is_described_by_its_arguments() -> None:
    class InnerError(Exception):
        pass

    arrived = CODEC.decode(CODEC.encode_canonical(InnerError("hidden", 2)))
    assert str(arrived).endswith("InnerError: ('hidden', 2)")
