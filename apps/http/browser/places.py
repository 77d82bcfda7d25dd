"""Where nodes stand in a drawing: one in the middle, the others on rings by the links to it.

The same nodes and links always give the same places, so a picture that is drawn again does not
jump. Each node has a sector of the circle that is as wide as what hangs on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SPACING: Final = 140.0
"""Least distance of two neighbours on a ring, and of two rings, in units of the drawing."""

WIDENING: Final = 1.25
"""How much wider than high a ring is: windows are, too."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where nodes stand: ``at`` has x and y from the middle, ``rings`` half the height of each."""

    at: Mapping[str, tuple[float, float]]
    rings: tuple[float, ...]


def place(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> Places:
    """Place nodes; the first one stands in the middle.

    ``links`` are pairs of nodes. A node that no link leads to stands on the outermost ring.
    """
    near: dict[str, set[str]] = {node: set() for node in nodes}
    for one, other in links:
        if one in near and other in near and one != other:
            near[one].add(other)
            near[other].add(one)
    children, depths = _tree(nodes, near)
    widths = _widths(nodes, children, depths)
    count = max(depths.values(), default=0)
    # A ring is as large as its nodes need, and at least one step larger than the one inside of it.
    rings: list[float] = []
    for depth in range(1, count + 1):
        crowd = sum(one == depth for one in depths.values())
        inner = rings[-1] if rings else 0.0
        rings.append(max(inner + SPACING, crowd * SPACING / math.tau))
    at: dict[str, tuple[float, float]] = {}
    # Two alone stand side by side, as windows are wider than high.
    begin = -math.pi / 2 if len(nodes) == 2 else 0.0
    _spread(nodes[0], begin, begin + math.tau, children, widths, depths, (0.0, *rings), at)
    return Places(at, tuple(rings))


def _tree(
    nodes: Sequence[str], near: Mapping[str, set[str]]
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Return the children and the depth of each node in the tree of shortest ways."""
    order = {node: number for number, node in enumerate(nodes)}
    children: dict[str, list[str]] = {node: [] for node in nodes}
    depths = {nodes[0]: 0}
    reached = [nodes[0]]
    for node in reached:
        for other in sorted(near[node], key=order.__getitem__):
            if other not in depths:
                depths[other] = depths[node] + 1
                children[node].append(other)
                reached.append(other)
    outermost = max(max(depths.values()), 1)
    for node in nodes:
        if node not in depths:
            depths[node] = outermost
            children[nodes[0]].append(node)
            reached.append(node)
    return children, depths


def _widths(
    nodes: Sequence[str], children: Mapping[str, list[str]], depths: Mapping[str, int]
) -> dict[str, int]:
    """Return how many leaves hang on each node."""
    widths: dict[str, int] = {}
    for node in sorted(nodes, key=lambda node: -depths[node]):
        widths[node] = sum(widths[child] for child in children[node]) or 1
    return widths


def _spread(
    root: str,
    begin: float,
    end: float,
    children: Mapping[str, list[str]],
    widths: Mapping[str, int],
    depths: Mapping[str, int],
    radii: Sequence[float],
    at: dict[str, tuple[float, float]],
) -> None:
    """Put each node into the middle of its sector, its children into parts of the sector."""
    waiting = [(root, begin, end)]
    for node, first, last in waiting:
        radius, angle = radii[depths[node]], (first + last) / 2 - math.pi / 2
        across, down = WIDENING * radius * math.cos(angle), radius * math.sin(angle)
        at[node] = (round(across, 1) + 0.0, round(down, 1) + 0.0)
        share = (last - first) / widths[node]
        for child in children[node]:
            waiting.append((child, first, first + share * widths[child]))
            first += share * widths[child]
