"""``vista send``: finding the object, words as arguments, and how a call ends."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest

import vista
from tests.shell.remote_world import RemoteTally, chain, kin, link, listen
from vista.shell.remote import deliver
from vista.shell.sending import Refused, read_signature
from vista.testing import World
from vista.values import Reference


def types_of(text: str) -> list[Any]:
    """The types of the parameters of a signature."""
    signature = read_signature(text)
    assert signature is not None
    return [parameter.annotation for parameter in signature.parameters.values()]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("int", int),
        ("'int'", int),
        ("list[int]", list[int]),
        ("tuple[int, ...]", tuple[int, ...]),
        ("dict[str, float]", dict[str, float]),
        ("int | None", int | None),
        ("Optional[str]", str | None),
        ("typing.Union[int, str]", int | str),
        ("Literal['a', 'b']", typing.Literal["a", "b"]),
        ("vista.Ref", Reference),
        ("vista.Id", vista.Id),
        ("datetime.date", __import__("datetime").date),
        ("Tide", Any),
        ("list[Tide]", list[Any]),
        ("Callable[[int], str]", Any),
        ("__import__('os')", Any),
    ],
)
def test_a_type_is_read_from_its_text(text: str, wanted: Any) -> None:
    assert types_of(f"(value: {text}) -> None") == [wanted]


def test_a_signature_is_read_with_its_kinds_and_defaults() -> None:
    signature = read_signature("(a, /, b: int = 3, *rest: str, c=None, **more)")
    assert signature is not None
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    assert kinds == [
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    ]
    assert signature.parameters["b"].default == 3
    assert signature.parameters["c"].default is None


@pytest.mark.parametrize("text", ["", "(", "(): pass\nimport os\ndef x()", "(x=<object at 0x1>)"])
def test_what_is_no_signature_is_none(text: str) -> None:
    assert read_signature(text) is None


def test_a_message_goes_to_a_service_as_the_peer_finds_it() -> None:
    with chain() as (_, _, _, peer):
        assert deliver(peer, "Tallies/far", "increment", ["3"]) == (3, None)


def test_a_message_goes_to_an_object_behind_the_peer_by_its_id() -> None:
    with chain() as (_, _, _, peer):
        target = str(vista.id_of(vista.service("Tallies/far")))
        assert deliver(peer, target, "increment", []) == (1, None)


@pytest.mark.parametrize("seed", range(5))
def test_an_object_behind_the_peer_is_reached_as_soon_as_the_peer_is(seed: int) -> None:
    with World(seed) as world:
        hub, far, asking = (kin(world, name) for name in ("hub", "far", "asking"))
        url = listen(hub)
        link(far, url)
        target = str(far.call(lambda: vista.id_of(vista.create(RemoteTally))))
        peer = asking.call(lambda: vista.create("ConnectToPeer", url).wait())
        with asking:
            assert deliver(peer, target, "increment", []) == (1, None)


def test_words_without_a_type_and_in_any_number_are_texts() -> None:
    with chain() as (_, _, _, peer):
        assert deliver(peer, "Tallies/hub", "echo", ["1", "-b"]) == (["1", "-b"], None)


def test_a_word_for_an_object_is_found_by_the_peer() -> None:
    with chain() as (_, _, _, peer):
        wanted = str(vista.id_of(vista.service("Tallies/far")))
        assert deliver(peer, "Tallies/hub", "name_of", ["Tallies/far"]) == (wanted, None)


@pytest.mark.parametrize(
    ("method", "words", "text"),
    [
        (
            "increment",
            ["x"],
            r'^argument 1: by must be an int, not "x"; expected increment\(by: int = 1\)$',
        ),
        ("increment", ["1", "2"], r"^argument 2: increment takes at most 1 argument and this "),
        ("divide", [], r"^divide needs by; expected divide\(by: int\)$"),
        ("name_of", ["Nobody"], r"^argument 1: other must be an object .*no service 'Nobody'"),
    ],
)
def test_words_that_are_not_what_the_method_takes_are_refused(
    method: str, words: list[str], text: str
) -> None:
    with chain() as (_, _, _, peer), pytest.raises(Refused, match=text):
        deliver(peer, "Tallies/hub", method, words)


def test_an_exception_of_the_method_is_its_end() -> None:
    with chain() as (_, _, _, peer):
        _, error = deliver(peer, "Tallies/hub", "divide", ["0"])
        assert isinstance(error, ZeroDivisionError)


def test_a_message_nobody_answers_names_the_near_miss() -> None:
    with chain() as (_, _, _, peer):
        _, error = deliver(peer, "Tallies/hub", "incremnt", ["1"])
        assert isinstance(error, vista.NoSuchMethod)
        assert "did you mean increment?" in str(error)


def test_a_target_that_is_not_there_is_no_service() -> None:
    with chain() as (_, _, _, peer), pytest.raises(vista.NoSuchService, match=r"'Tallies/hup'"):
        deliver(peer, "Tallies/hup", "increment", [])
