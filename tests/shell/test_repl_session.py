"""What a session at the prompt knows: its variables, its words, and the names on its node."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import vista
from vista import Node, Object, create, delete, register_service
from vista.shell import show
from vista.shell.guide import BANNER_LINES_MAX, banner, guide, summary
from vista.shell.names import KEPT_SECONDS, NodeNames
from vista.shell.session import Session


class Lamp(Object):
    """A lamp."""

    def create(self) -> None:
        self.lit = False

    def switch(self, lit: bool = True) -> bool:
        """Switch it and return whether it was lit."""
        before, self.lit = self.lit, lit
        return before

    def hold_the_loop(self) -> None:
        HELD.set()
        RELEASED.wait(30)


class Postman(Object):
    """Its ``methods`` are something else than a reflection on its class."""

    def methods(self) -> list[str]:  # type: ignore[override]
        return ["on foot", "by bicycle"]


HELD = threading.Event()
RELEASED = threading.Event()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def node() -> Iterator[Node]:
    with Node() as node:
        yield node


@pytest.fixture
def session(node: Node) -> Session:
    return Session(node, {"lamp": create(Lamp), "sleep": "mine"}, None)


def test_every_public_name_is_a_variable(session: Session) -> None:
    assert set(vista.__all__) <= set(session.variables)


def test_variables_given_to_the_session_win(session: Session) -> None:
    assert session.variables["sleep"] == "mine"


def test_statistics_are_figures_that_the_prompt_shows_as_a_table(session: Session) -> None:
    statistics = session.variables["statistics"]
    assert callable(statistics)
    assert isinstance(statistics(), show.Figures)
    assert statistics.__doc__ == vista.statistics.__doc__


def test_a_method_of_a_ref_is_described_by_the_object(session: Session) -> None:
    text = session.about("lamp.switch")
    assert text is not None
    assert text.splitlines()[0].startswith("lamp.switch(lit")
    assert "Switch it and return whether it was lit." in text


def test_a_ref_is_described_with_all_it_answers(session: Session) -> None:
    text = session.about("lamp")
    assert text is not None
    assert "<Lamp " in text
    assert "switch(" in text
    assert "describe(" in text


@pytest.mark.parametrize("expression", ["sleep", "lamp.nothing", "nothing", "len", "a b", ""])
def test_what_is_no_ref_is_not_described(session: Session, expression: str) -> None:
    assert session.about(expression) is None


def test_help_lists_the_functions(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.help()
    assert "  create              Make an object and return its" in capsys.readouterr().out


def test_help_of_a_ref_is_what_it_answers(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.help(session.variables["lamp"])
    assert "switch(" in capsys.readouterr().out


def test_help_of_anything_else_is_pythons(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.help(len)
    assert "Return the number of items in a container." in capsys.readouterr().out


def test_the_names_of_a_node_are_its_services_classes_and_ids(node: Node) -> None:
    lamp = create(Lamp)
    register_service("Lamps/hall", lamp)
    # A process that ran many tests has thousands of classes, whose entries the first look makes.
    assert vista.classes()
    names = NodeNames(node)
    assert list(names.services()) == ["Lamps/hall", "ObjectCreator"]
    assert {"Lamp", "Local.Lamp"} <= set(names.classes())
    assert str(vista.id_of(lamp)) in names.ids()


@pytest.mark.parametrize("way", ["ref", "id", "text", "service"])
def test_the_methods_of_a_target_are_asked_of_the_object(node: Node, way: str) -> None:
    lamp = create(Lamp)
    register_service("Lamps/hall", lamp)
    id = vista.id_of(lamp)
    target = {"ref": lamp, "id": id, "text": str(id), "service": "Lamps/hall"}[way]
    assert {"switch", "describe"} <= set(NodeNames(node).methods(target))


def test_a_target_that_does_not_exist_has_no_methods(node: Node) -> None:
    assert list(NodeNames(node).methods("Lamps/attic")) == []


def test_an_object_that_gives_the_word_methods_another_sense_has_none_to_complete(
    node: Node,
) -> None:
    assert list(NodeNames(node).methods(create(Postman))) == []


def test_methods_are_kept_for_a_while_and_then_asked_again(node: Node) -> None:
    clock = Clock()
    names = NodeNames(node, clock)
    lamp = create(Lamp)
    assert "switch" in names.methods(lamp)
    delete(lamp)
    assert "switch" in names.methods(lamp)
    clock.seconds = KEPT_SECONDS
    assert list(names.methods(lamp)) == []


def test_a_method_that_holds_the_loop_does_not_hang_completion(node: Node) -> None:
    HELD.clear()
    RELEASED.clear()
    held = create(Lamp).hold_the_loop.future()
    assert HELD.wait(30)
    try:
        assert list(NodeNames(node).services()) == []
        assert not RELEASED.is_set()
    finally:
        RELEASED.set()
    assert held.result() is None


def test_the_banner_has_at_most_five_lines() -> None:
    text = banner("1.0", "hall", "rc/lamps.rc")
    assert len(text.rstrip("\n").split("\n")) <= BANNER_LINES_MAX
    assert text.startswith("vista 1.0, node hall, rc/lamps.rc is running\n")
    assert max(map(len, text.splitlines())) <= 80 + len(", rc/lamps.rc is running")


def test_the_banner_without_an_rc_file_names_none() -> None:
    assert banner("1.0", "hall", None).startswith("vista 1.0, node hall\n")


def test_the_guide_lists_only_what_is_there() -> None:
    text = guide({"create": create})
    assert "create" in text
    assert "wait_for_service  " not in text


def test_the_guide_fits_the_terminal() -> None:
    names = {name: getattr(vista, name) for name in vista.__all__}
    assert max(map(len, guide(names).splitlines())) > 100
    functions, _, _ = guide(names, 72).partition("\nEverything above")
    assert max(map(len, functions.splitlines())) <= 72


def test_a_summary_is_the_first_sentence_on_one_line() -> None:
    def function() -> None:
        """Do a thing
        at once. And more.

        And even more.
        """

    assert summary(function) == "Do a thing at once."
    assert summary(Lamp) == "A lamp."
