"""The errors of the HTTP server: one tree, told apart by whose fault they are."""

from __future__ import annotations

import copy

import pytest

from apps.http import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_hangs_in_the_tree_that_the_module_draws(kind: type) -> None:
    assert issubclass(kind, errors.HttpError)
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__


def test_a_rejected_request_tells_its_status_and_why() -> None:
    error = errors.RequestRejected(414, "the target is too long")
    assert (error.status, error.explain) == (414, "the target is too long")
    assert str(error) == "414: the target is too long"


def test_a_rejected_request_can_be_copied_as_values_are() -> None:
    again = copy.copy(errors.RequestRejected(414, "the target is too long"))
    assert (again.status, again.explain) == (414, "the target is too long")


@pytest.mark.parametrize(
    ("kind", "usual"),
    [
        (errors.FieldSyntaxError, ValueError),
        (errors.AnswerError, ValueError),
        (errors.BadLimitError, ValueError),
        (errors.OutOfTurnError, RuntimeError),
    ],
)
def test_errors_are_also_what_python_calls_them(kind: type, usual: type) -> None:
    assert issubclass(kind, usual)
