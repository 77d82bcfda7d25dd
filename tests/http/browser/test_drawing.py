"""The picture of the nodes: what stands in it can be read."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from apps.http.browser.drawing import LinkDrawn, NodeDrawn, network
from apps.http.browser.frame import Addresses

NAME_HALF = 20.0
"""Half of what a short name is wide, in units of the drawing."""


@pytest.mark.parametrize("count", range(1, 8))
def test_no_link_passes_through_the_name_of_the_node_in_the_middle(count: int) -> None:
    nodes = [NodeDrawn("hub", "hub", 0.0)] + [
        NodeDrawn(f"n{n}", f"n{n}", 0.0) for n in range(count)
    ]
    links = [LinkDrawn("hub", node.id, None) for node in nodes[1:]]
    drawn = ElementTree.fromstring(network(Addresses("/"), nodes, links))
    name = next(text for text in drawn.iter("text") if text.text == "hub")
    height = float(name.attrib["y"])
    lines = [{key: float(value) for key, value in line.attrib.items() if key != "class"}
             for line in drawn.iter("line")]  # fmt: skip
    assert len(lines) == count
    for line in lines:
        part = height / line["y2"] if line["y2"] else -1.0
        assert not 0.0 < part < 1.0 or abs(part * line["x2"]) > NAME_HALF
