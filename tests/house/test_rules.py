"""Each house rule finds what it forbids and leaves alone what it allows, on snippets of source."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.house import import_rules, rules
from tests.house.source import Source

Rule = Callable[[Source], list[str]]

LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 50
FUNCTION_AT_THE_BOUND = 'def f():\n    """Say.\n\n    More.\n    """\n' + "    x = 1\n" * 49
BROAD = "try:\n    f()\nexcept {}:\n    {}\n"

# rule, path of the snippet, snippet that breaks the rule
BAD: list[tuple[Rule, str, str]] = [
    (rules.module_length, "vista/a.py", "x = 1\n" * 501),
    (rules.function_length, "vista/a.py", LONG_FUNCTION),
    (rules.function_length, "vista/a.py", "async " + LONG_FUNCTION),
    (rules.function_length, "vista/a.py", "class A:\n    def f(self):\n" + "        x = 1\n" * 50),
    (rules.vague_names, "vista/utils.py", ""),
    (rules.vague_names, "vista/common/__init__.py", ""),
    (rules.leftovers, "vista/a.py", "x = 1  # TODO later"),
    (rules.leftovers, "vista/a.py", '"""FIXME."""'),
    (rules.machine_paths, "vista/a.py", 'open("/work/file")'),
    (rules.machine_paths, "vista/a.py", "# see /root/notes"),
    (rules.missing_docstrings, "vista/a.py", "x = 1"),
    (rules.missing_docstrings, "vista/__init__.py", ""),
    (rules.missing_docstrings, "vista/a.py", '"""A."""\ndef f(): pass'),
    (rules.missing_docstrings, "vista/a.py", '"""A."""\nclass A: pass'),
    (rules.missing_docstrings, "vista/a.py", '"""A."""\nif x:\n    async def f(): pass'),
    (
        rules.missing_docstrings,
        "vista/a.py",
        '"""A."""\nclass A:\n    """A."""\n    def f(self): 1',
    ),
    (rules.changing_state, "vista/a.py", "cache = {}"),
    (rules.changing_state, "vista/a.py", "_cache: dict[str, int] = dict()"),
    (rules.changing_state, "vista/a.py", "seen = collections.defaultdict(list)"),
    (rules.changing_state, "vista/a.py", "serial = itertools.count()"),
    (rules.changing_state, "vista/a.py", "queue = deque[int]()"),
    (rules.changing_state, "vista/a.py", "if x:\n    names = [1]"),
    (rules.changing_state, "vista/a.py", "TABLE = {}\ndef f(): TABLE[1] = 2"),
    (rules.changing_state, "vista/a.py", "TABLE = {}\ndef f(): del TABLE[1]"),
    (rules.changing_state, "vista/a.py", "NAMES = []\ndef f(): NAMES.append(1)"),
    (rules.changing_state, "vista/a.py", "NAMES = [1]\nNAMES += [2]"),
    (rules.changing_state, "vista/a.py", "x = 1\ndef f():\n    global x\n    x = 2"),
    (rules.swallowed_errors, "vista/a.py", BROAD.format("", "pass")),
    (rules.swallowed_errors, "vista/a.py", BROAD.format("Exception", "g()")),
    (rules.swallowed_errors, "vista/a.py", BROAD.format("(KeyError, BaseException)", "g()")),
    (rules.swallowed_errors, "vista/a.py", "with contextlib.suppress(Exception): f()"),
    (rules.swallowed_errors, "vista/kernel/invoke.py", BROAD.format("Exception", "pass")),
    (rules.swallowed_errors, "vista/kernel/invoke.py", BROAD.format("", "g()")),
    (rules.sleeping_tests, "tests/a.py", "import time\ntime.sleep(1)"),
    (rules.sleeping_tests, "tests/a.py", "from time import sleep\nsleep(0.1)"),
    (rules.sleeping_tests, "tests/a.py", "import asyncio\nawait asyncio.sleep(0.1)"),
    (rules.mocking_tests, "tests/a.py", "from unittest.mock import Mock"),
    (rules.mocking_tests, "tests/a.py", "from unittest import mock"),
    (import_rules.relative_imports, "vista/a.py", "from . import b"),
    (import_rules.relative_imports, "vista/a.py", "from .b import c"),
    (import_rules.foreign_imports, "vista/kernel/hub.py", "import greenlet"),
    (import_rules.foreign_imports, "vista/kernel/a.py", "def f():\n    import zmq.asyncio"),
    (import_rules.foreign_imports, "vista/kernel/a.py", "import sqlite3"),
    (import_rules.foreign_imports, "vista/shell/a.py", "from rich.table import Table"),
    (import_rules.foreign_imports, "vista/shell/a.py", "import requests"),
    (import_rules.worldly_cores, "vista/wire/session.py", "import time"),
    (import_rules.worldly_cores, "vista/wire/session.py", "from datetime import datetime"),
    (import_rules.worldly_cores, "vista/wire/session.py", "import os.path"),
    (import_rules.worldly_cores, "vista/values.py", "import uuid\nuuid.uuid4()"),
    (import_rules.worldly_cores, "vista/values.py", "datetime.datetime.now()"),
    (import_rules.worldly_cores, "apps/solidstate/pbft/replica.py", "import random"),
    (import_rules.worldly_cores, "apps/solidstate/pbft/replica.py", "from random import choice"),
]

# rule, path of the snippet, snippet that keeps the rule
GOOD: list[tuple[Rule, str, str]] = [
    (rules.module_length, "vista/a.py", "x = 1\n" * 500),
    (rules.function_length, "vista/a.py", FUNCTION_AT_THE_BOUND),
    (rules.vague_names, "vista/kernel/invoke.py", ""),
    (rules.leftovers, "vista/a.py", "mastodon = 1"),
    (rules.machine_paths, "vista/a.py", 'URL = "http://localhost/work/page"'),
    (rules.missing_docstrings, "vista/a.py", '"""A."""\ndef _f(): pass\nclass _A: pass'),
    (rules.missing_docstrings, "vista/_a.py", "def f(): pass"),
    (rules.missing_docstrings, "vista/a.py", '"""A."""\n@typing.overload\ndef f(): pass'),
    (rules.missing_docstrings, "vista/a.py", '"""A."""\ndef _f():\n    def g(): pass'),
    (rules.changing_state, "vista/a.py", '__all__ = ["a"]'),
    (rules.changing_state, "vista/a.py", "TABLE = {1: 2}\ndef f(): return TABLE[1]"),
    (rules.changing_state, "vista/a.py", "def f():\n    names = []\n    names.append(1)"),
    (rules.changing_state, "vista/a.py", "names = (1, 2)\nkinds = frozenset({1})"),
    (rules.swallowed_errors, "vista/a.py", BROAD.format("KeyError", "pass")),
    (rules.swallowed_errors, "vista/a.py", BROAD.format("BaseException", "g()\n    raise")),
    (rules.swallowed_errors, "vista/kernel/invoke.py", BROAD.format("Exception", "g()")),
    (rules.sleeping_tests, "tests/a.py", "from vista import sleep\nsleep(3600)"),
    (rules.sleeping_tests, "tests/a.py", "import asyncio\nawait asyncio.sleep(0)"),
    (rules.mocking_tests, "tests/a.py", "from unittest import TestCase"),
    (import_rules.relative_imports, "vista/a.py", "from vista.b import c"),
    (import_rules.foreign_imports, "vista/kernel/threads.py", "import greenlet"),
    (import_rules.foreign_imports, "vista/peering/sockets.py", "import zmq"),
    (import_rules.foreign_imports, "vista/a.py", "from collections import deque"),
    (import_rules.worldly_cores, "vista/wire/session.py", "from random import Random"),
    (import_rules.worldly_cores, "vista/values.py", "from datetime import date, datetime"),
    (import_rules.worldly_cores, "vista/kernel/hub.py", "import time\ntime.monotonic()"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_rule_finds_what_it_forbids(rule: Rule, path: str, text: str) -> None:
    assert rule(Source(path, text))


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_rule_leaves_alone_what_it_allows(rule: Rule, path: str, text: str) -> None:
    assert rule(Source(path, text)) == []


def test_violation_names_file_line_and_mistake() -> None:
    source = Source("vista/a.py", "x = 1\n# TODO later")
    assert rules.leftovers(source) == ["vista/a.py:2: TODO"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("vista/ids.py", "from vista.values import copy_value"),
        ("vista/values.py", "import vista.kernel.hub"),
        ("vista/wire/codec.py", "def f():\n    from vista.kernel import hub"),
        ("vista/kernel/hub.py", "if TYPE_CHECKING:\n    from vista.peering.links import Link"),
        ("vista/kernel/hub.py", "from vista import send"),
        ("vista/testing/world.py", "from vista.shell.show import table"),
        ("vista/standard/timers.py", "from vista.shell import command"),
        ("vista/kernel/hub.py", "import apps.http"),
        ("vista/nowhere.py", "x = 1"),
    ],
)
def test_upward_import_is_found(path: str, text: str) -> None:
    assert import_rules.upward_imports([Source(path, text)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("vista/ids.py", "from vista.errors import BadValueError"),
        ("vista/wire/codec.py", "from vista.values import copy_value"),
        ("vista/shell/command.py", "from vista.testing import World"),
        ("vista/shell/command.py", "from vista import Node"),
        ("vista/__init__.py", "from vista.shell.command import main"),
    ],
)
def test_downward_import_is_allowed(path: str, text: str) -> None:
    assert import_rules.upward_imports([Source(path, text)]) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("apps/http/errors.py", "from apps.http.syntax.limits import HttpLimits"),
        ("apps/http/syntax/fields.py", "import apps.http.content.paths"),
        ("apps/http/content/paths.py", "def f():\n    import apps.http.objects.daemon"),
        ("apps/http/server.py", "x = 1"),
    ],
)
def test_upward_import_inside_of_the_http_server_is_found(path: str, text: str) -> None:
    assert import_rules.http_upward_imports([Source(path, text)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("apps/http/syntax/fields.py", "from apps.http.errors import AnswerError"),
        ("apps/http/objects/daemon.py", "from apps.http.content.paths import resolve"),
        ("apps/http/__init__.py", "CLASSES = {}"),
        ("apps/starship/game.py", "from apps.http import objects"),
    ],
)
def test_downward_import_inside_of_the_http_server_is_allowed(path: str, text: str) -> None:
    assert import_rules.http_upward_imports([Source(path, text)]) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("apps/starship/rules/step.py", "from apps.starship.display.screen import Look"),
        ("apps/starship/display/screen.py", "from apps.starship.pages import panels_of"),
        ("apps/starship/pages/bridge.py", "from apps.starship.objects.primary import Primary"),
        ("apps/starship/objects/showing.py", "from apps.starship.web.site import Site"),
        ("apps/starship/sounds.py", "import json"),
    ],
)
def test_upward_import_inside_of_the_game_is_found(path: str, text: str) -> None:
    assert import_rules.starship_upward_imports([Source(path, text)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("apps/starship/display/screen.py", "from apps.starship.rules.state import State"),
        ("apps/starship/web/site.py", "from apps.starship.pages import bridge_page"),
        ("apps/starship/__init__.py", "CLASSES = {}"),
    ],
)
def test_downward_import_inside_of_the_game_is_allowed(path: str, text: str) -> None:
    assert import_rules.starship_upward_imports([Source(path, text)]) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("apps/http/server.py", "from vista.kernel.hub import Hub"),
        ("apps/http/server.py", "import apps.starship.game"),
        ("apps/solidstate/service.py", "from apps.starship import game"),
    ],
)
def test_app_that_sees_too_much_is_found(path: str, text: str) -> None:
    assert import_rules.app_imports([Source(path, text)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("apps/http/server.py", "from vista import Object, send"),
        ("apps/http/server.py", "from vista.testing import World"),
        ("apps/starship/web.py", "from apps.http.server import HTTPdaemon"),
    ],
)
def test_app_may_see_what_is_public(path: str, text: str) -> None:
    assert import_rules.app_imports([Source(path, text)]) == []


def test_cycle_is_found_once_and_named() -> None:
    found = import_rules.import_cycles(
        [
            Source("vista/a.py", "from vista import b"),
            Source("vista/b.py", "import vista.c"),
            Source("vista/c.py", "def f():\n    from vista.a import x"),
        ]
    )
    assert found == ["vista.a -> vista.b -> vista.c -> vista.a"]


def test_import_for_type_checking_closes_no_cycle() -> None:
    found = import_rules.import_cycles(
        [
            Source("vista/a.py", "from vista.b import x"),
            Source("vista/b.py", "if TYPE_CHECKING:\n    from vista.a import y"),
        ]
    )
    assert found == []
