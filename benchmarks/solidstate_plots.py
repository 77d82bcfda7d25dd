"""Plots of how replication moves with what it is given, for the docs.

``python -m benchmarks --docs`` draws them of what it measured; ``python -m
benchmarks.solidstate_plots RESULTS.json...`` draws them anew of results that were kept. Every
figure is of one run of the table beside it.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.pbft import ADAPTIVE, Ordered
from benchmarks.pbft_wire import Setting
from benchmarks.solidstate import Asked, Scene

SIZE = (10.2, 5.4)
"""Inches of a plot: as wide as the pages of the docs."""
LABEL_FACTOR = 3.0
"""How many times the one before a value has to be for both to have room on a logarithmic axis."""
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
LOAD, SHAPE, CORE = (
    "benchmarks-replicated-load.svg",
    "benchmarks-replicated-shape.svg",
    "benchmarks-agreement.svg",
)

# Okabe and Ito, "Color Universal Design" (2008); told apart by marks and strokes as well.
STYLES: dict[str, dict[str, Any]] = {
    "byzantine": {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    "crash-only": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    "trusted counters": {"color": "#009E73", "marker": "^", "linestyle": "-."},
    "f = 1": {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    "f = 2": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    "any f": {"color": "#009E73", "marker": "^", "linestyle": "-."},
}
MODES = {"byzantine": "byzantine", "crash": "crash-only", "minbft": "trusted counters"}

Point = tuple[float, float, float]
"""What was varied, requests a second, and the median in seconds."""


@dataclass(frozen=True)
class Panel:
    """One thing that is varied: points by the name of their line, and what the axis says.

    ``ticks`` are the values it had; they stand at equal distances unless ``logarithmic`` is true,
    which the axis of the requests is then as well.
    """

    axis: str
    lines: dict[str, list[Point]]
    logarithmic: bool = False

    @property
    def ticks(self) -> list[float]:
        """The values that were measured, the least first."""
        return sorted({point[0] for line in self.lines.values() for point in line})

    @property
    def labels(self) -> list[str]:
        """What stands at the ticks: nothing at one that the next one is too near to."""
        following = [*self.ticks[1:], math.inf]
        return [
            "" if self.logarithmic and after < LABEL_FACTOR * value else f"{value:,g}"
            for value, after in zip(self.ticks, following, strict=True)
        ]


def load_panels(found: Sequence[Asked]) -> list[Panel]:
    """Return how replicated objects move with users and payload."""
    one = Scene()
    return [
        Panel("users of one member", _of_modes(found, "users", one), logarithmic=True),
        Panel("payload in bytes, 200 users", _of_modes(found, "payload", replace(one, users=200))),
        Panel("payload in bytes, one user", _of_modes(found, "payload", one)),
    ]


def shape_panels(found: Sequence[Asked]) -> list[Panel]:
    """Return how replicated objects move with f, state and how many calls go together."""
    many = Scene(users=200)
    states = _of_modes(found, "state", many)
    in_megabytes = {
        name: [(state / 1e6, *rest) for state, *rest in line] for name, line in states.items()
    }
    return [
        Panel("f, 200 users", _of_modes(found, "faults", many)),
        Panel("f, one user", _of_modes(found, "faults", Scene())),
        Panel("state in MB, 200 users", in_megabytes),
        Panel("calls together, 2,000 users", _of_modes(found, "batch", replace(many, users=2_000))),
    ]


def _of_modes(found: Sequence[Asked], varied: str, other: Scene) -> dict[str, list[Point]]:
    """Return the points of the scenes that differ from one in mode and ``varied`` alone."""
    lines: dict[str, list[Point]] = {}
    for mode, name in MODES.items():
        points = [
            (float(getattr(one.scene, varied)), one.per_second, one.median)
            for one in found
            if replace(one.scene, **{varied: getattr(other, varied)}) == replace(other, mode=mode)
        ]
        if len(points) > 1:
            lines[name] = sorted(points)
    return lines


def core_panels(found: Sequence[Ordered]) -> list[Panel]:
    """Return how the core alone moves, over plain sockets."""

    def lines(wanted: Callable[[Setting], tuple[str, float] | None]) -> dict[str, list[Point]]:
        made: dict[str, list[Point]] = {}
        for one in found:
            told = wanted(one.setting)
            if told is not None:
                name, at = told
                made.setdefault(name, []).append((at, one.per_second, one.median))
        return {name: sorted(points) for name, points in made.items() if len(points) > 1}

    def users(setting: Setting) -> tuple[str, float] | None:
        return ("f = 1", setting.users) if setting == _many(users=setting.users) else None

    def payload(setting: Setting) -> tuple[str, float] | None:
        faults = (setting.replicas - 1) // 3
        same = _many(replicas=setting.replicas, payload=setting.payload)
        return (f"f = {faults}", setting.payload) if setting == same else None

    def faults(setting: Setting) -> tuple[str, float] | None:
        same = _many(replicas=setting.replicas)
        return ("any f", (setting.replicas - 1) // 3) if setting == same else None

    return [
        Panel("users of one client", lines(users), logarithmic=True),
        Panel("payload in bytes, 200 users", lines(payload)),
        Panel("f, 200 users", lines(faults)),
    ]


def _many(**changes: Any) -> Setting:
    return replace(Setting(users=200, batch=ADAPTIVE), **changes)


# --- drawing -------------------------------------------------------------------------------


def draw(panels: Sequence[Panel], file: Path) -> bool:
    """Draw panels side by side, requests a second above and the median below.

    Returns whether there was anything to draw.
    """
    shown = [panel for panel in panels if panel.lines]
    if not shown:
        return False
    # Loaded here: it takes a second, and the rows do not need it.
    import matplotlib

    matplotlib.use("svg")
    # Texts stay texts, and the same figures make the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": file.name, "font.size": 11})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(shown), figsize=SIZE, squeeze=False, sharex="col")
    for column, panel in enumerate(shown):
        _draw_panel(panel, axes[0][column], axes[1][column])
    axes[0][0].set_ylabel("requests a second")
    axes[1][0].set_ylabel("median, ms")
    names = dict.fromkeys(name for panel in shown for name in panel.lines)
    handles = [matplotlib.lines.Line2D([], [], label=name, **STYLES[name]) for name in names]
    figure.legend(handles=handles, loc="upper center", ncols=len(handles), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    figure.savefig(file, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    return True


def _draw_panel(panel: Panel, rates: Any, medians: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ticks = panel.ticks
    places = {value: value if panel.logarithmic else ticks.index(value) for value in ticks}
    for name, points in panel.lines.items():
        along = [places[point[0]] for point in points]
        rates.plot(along, [point[1] for point in points], label=name, **STYLES[name])
        medians.plot(along, [point[2] * 1e3 for point in points], label=name, **STYLES[name])
    medians.set_ylim(bottom=0)
    if panel.logarithmic:
        medians.set_xscale("log")
        rates.set_yscale("log")
        rates.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    else:
        rates.set_ylim(bottom=0)
    for axis in (rates, medians):
        axis.set_xticks([places[value] for value in ticks], panel.labels)
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axis.grid(axis="y", color="#dddddd", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    medians.set_xlabel(panel.axis)


def draw_all(asked: Sequence[Asked], ordered: Sequence[Ordered], folder: Path) -> list[str]:
    """Draw what was measured into a folder; return the names of the files."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no matplotlib (it comes with make bench): nothing is drawn", file=sys.stderr)
        return []
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        LOAD: load_panels(asked), SHAPE: shape_panels(asked), CORE: core_panels(ordered),
    }  # fmt: skip
    return [name for name, panels in wanted.items() if draw(panels, folder / name)]


# --- results that were kept ----------------------------------------------------------------


def read_results(texts: Sequence[str]) -> tuple[list[Asked], list[Ordered]]:
    """Return what JSON files of results have of groups; of one scene the last one counts."""
    asked: dict[Scene, Asked] = {}
    ordered: dict[str, Ordered] = {}
    for text in texts:
        told = json.loads(text)
        for row in told.get("replicated", ()):
            scene = Scene(**row.pop("scene"))
            asked[scene] = Asked(scene, **row)
        for row in told.get("agreement", ()):
            setting = Setting(**row.pop("setting"))
            ordered[str(setting)] = Ordered(setting, **row)
    return list(asked.values()), list(ordered.values())


def _main(files: Sequence[str]) -> Iterator[str]:
    asked, ordered = read_results([Path(file).read_text("utf-8") for file in files])
    yield from draw_all(asked, ordered, PICTURES)


if __name__ == "__main__":
    print("\n".join(_main(sys.argv[1:])))
