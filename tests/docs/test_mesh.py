"""What docs/mesh.rst says is so."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from tests.conftest import world_seed
from tests.docs.transcripts import run_transcript
from tests.peers.system import add_node, stranger
from vista.peering.curve import public_key_of
from vista.peering.urls import key_text
from vista.standard.creator import boot
from vista.testing import World

PAGE = (Path(__file__).parents[2] / "docs" / "mesh.rst").read_text("utf-8")
LINES = re.findall(r"^   (AutomaticIPCMesh.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world for one test."""
    with World(world_seed(request)) as made:
        yield made


def test_the_page_has_lines_to_try() -> None:
    assert len(LINES) >= 8


@pytest.mark.parametrize("line", LINES)
def test_each_line_of_the_page_makes_a_mesh(world: World, tmp_path: Path, line: str) -> None:
    (tmp_path / "page.rc").write_text(f"{line}\n")
    node = add_node(world, "a")
    node.call(lambda: boot(str(tmp_path / "page.rc"), []))
    (member,) = world.network.members
    assert member.node is node.network


def test_the_example_of_the_page_prints_what_it_says(world: World) -> None:
    node = add_node(world, "a")
    with node:
        names = {"create": vista.create}
        assert run_transcript(PAGE.replace("\n   >>>", "\n>>>"), names, "docs/mesh.rst") == []


def test_the_page_tells_the_command_that_is_logged(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "vista.peering")
    for node in (add_node(world, "a"), stranger(world, tmp_path, "other", b"o" * 32, {})):
        node.call(lambda: vista.create("AutomaticIPCMesh", "tcp:127.0.0.1:0"))
    world.pass_time(20.0)
    key = key_text(public_key_of(b"o" * 32))
    (logged,) = [text for text in caplog.messages if key in text]
    (told,) = re.findall(r"warning vista\.peering: (.*)$", PAGE, re.MULTILINE)
    forms = [
        re.sub(r"[a-z2-7]{52}|tcp://[0-9.:]+| --directory \S+", "*", text)
        for text in (told, logged)
    ]
    assert forms[0] == forms[1].removesuffix("*")
