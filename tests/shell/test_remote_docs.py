"""What the pages on peers and on the commands that ask a node say is so."""

from __future__ import annotations

import doctest
import io
import re
from pathlib import Path

import pytest

from tests.shell.remote_world import kin, link
from vista.kernel.rows import ClassRow, ObjectRow, PeerRow, ServiceRow, ThreadRow
from vista.records import form_of
from vista.shell.script import Script
from vista.shell.session import Session
from vista.shell.summary import NodeRow
from vista.shell.top import MethodRate, Report
from vista.standard.creator import boot
from vista.testing import World
from vista.testing.world import SimulatedNode

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "peers.rst").read_text("utf-8")
BLOCK = re.compile(r"\.\. code-block:: pycon\n(?:   :name: (.*)\n)?\n((?:   .*\n|\n)+)")


def examples() -> list[tuple[str, str, str]]:
    """The name of the block, what is typed and what is printed, in the order of the page."""
    return [
        (name, *map(str.strip, part.partition("\n")[::2]))
        for name, block in BLOCK.findall(PAGE)
        for part in re.split(r"^   >>> ", block, flags=re.MULTILINE)[1:]
    ]


def start_hub(node: SimulatedNode) -> None:
    """Do what ``vista rc/hub.rc ipc:hub`` does."""
    node.kernel.settings["secret_key"] = b"k" * 32
    boot(str(ROOT / "rc" / "hub.rc"), ["ipc:hub"])


def test_the_examples_of_the_page_print_what_it_says() -> None:
    same = doctest.OutputChecker()
    with World(1) as world:
        hub = world.node("hub", boot=start_hub)
        asking = kin(world, "prompt")
        hub.call(lambda: hub.booted.result())
        with asking:
            session = Session(asking, {"peer": link(asking, "ipc:hub")}, None)
            asking.call(session.variables["wait_for_service"], "Counters/main")
            for name, typed, expected in examples():
                if name == "peers-lost" and "hub" not in world.crashed:
                    world.crash("hub")
                    world.pass_time(30.0)
                elif name == "peers-back" and "hub" in world.crashed:
                    world.restart("hub")
                output, errors = io.StringIO(), io.StringIO()
                Script(session.module, output, errors).run(f"{typed}\n")
                printed = output.getvalue() + errors.getvalue().removeprefix("<stdin>:1: ")
                fits = same.check_output(f"{expected}\n", f"{printed.strip()}\n", doctest.ELLIPSIS)
                assert fits, f"{typed} prints {printed}"


def test_the_page_has_examples_of_loss_and_return() -> None:
    names = [name for name, _, _ in examples()]
    assert len(names) >= 15
    assert {"peers-lost", "peers-back"} <= set(names)


COMMANDS_PAGE = (ROOT / "docs" / "commands.rst").read_text("utf-8")


@pytest.mark.parametrize(
    ("command", "row"),
    [
        ("``ps``", NodeRow),
        ("``objects``", ObjectRow),
        ("``services``", ServiceRow),
        ("``peers``", PeerRow),
        ("``classes``", ClassRow),
        ("``threads``", ThreadRow),
        ("``top``", Report),
        ("methods of top", MethodRate),
    ],
)
def test_the_page_on_commands_lists_the_keys_of_json(command: str, row: type) -> None:
    form = form_of(row)
    assert form is not None
    keys = ", ".join(f"``{name}``" for name in form.fields)
    assert f"{command} {keys} " in " ".join(COMMANDS_PAGE.split())
