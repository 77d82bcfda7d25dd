"""The page about web applications: its class and its templates are a site that works."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

from apps.solidstate.web.state import HTTPreplicaStateVariable
from tests.house.source import ROOT
from tests.solidstate.objects.pool import make_world
from tests.solidstate.web.shop import Shop, serve_site

PAGE = (ROOT / "docs" / "solidstate-web.rst").read_text("utf-8")


def blocks(mark: str) -> list[str]:
    """The blocks of the page that follow a mark, without their indentation."""
    found = re.findall(rf"{mark}\n\n((?:   .*\n|\n)+)", PAGE)
    return [textwrap.dedent(block) for block in found]


def test_the_class_and_the_templates_of_the_page_are_a_site(tmp_path: Path) -> None:
    index, row = blocks(r"code-block:: (?:text|html)")[:2]
    (tmp_path / "index.html").write_text(index)
    (tmp_path / "lines.row.html").write_text(row)
    # Annotations of methods stay texts, as in a module.
    written = compile(blocks("two methods::")[0], str(tmp_path / "tea.py"), "exec")
    module: Any = ModuleType("tea")
    exec(written, vars(module))
    cls: type[HTTPreplicaStateVariable] = module.TeaCart
    with make_world(11) as world:
        shop = Shop(world, serve=lambda: serve_site("TeaCart", str(tmp_path)), cls=cls)
        browser = shop.browser()
        browser.begin("server-0")
        browser.put("server-0", "<tea>")
        assert browser.at.endswith("?page=index.html&added=%3Ctea%3E")
        browser.look("server-1")
        assert "<li>&lt;tea&gt;: 1</li>" in browser.text
