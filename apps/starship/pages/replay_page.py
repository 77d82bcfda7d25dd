"""The replay: the galaxy as it was in one of the last steps, and how to go from one to another.

Without script each step is a link; with it the steps are played.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.http.browser.markup import Html, tag
from apps.starship.pages.chart import (
    Spot,
    beams,
    bursts,
    chart,
    controls,
    legend,
    spots,
    trails,
    window_of,
)
from apps.starship.pages.sheet import Sheet, heading, here, whole_number

ALERTS = {"g": "green", "y": "yellow", "r": "red", "-": ""}
SPEEDS = (1, 2, 4, 8, 16, 32)
"""How many times as fast as they came steps may be played."""
USUAL_SPEED = 8
USUAL_INTERVAL = 5.0
"""What a step counts where it is made by hand, in seconds."""
STEP_MAX = 2**53
"""Above this a script does not know one number from the next."""

JUMPS = (-60, -10, -1, 1, 10, 60)
"""How far links lead from a step."""


def wanted_step(asked: Mapping[str, str]) -> int:
    """Return the step that is asked for, -1 for the newest: ask for the frame of that one."""
    return whole_number(asked, "step", -1, STEP_MAX, -1)


def replay_page(
    frames: Mapping[str, Any],
    asked: Mapping[str, str],
    base: str = "/starship",
    interval: float = 5.0,
) -> str:
    """Return the page of the replay.

    ``frames`` is the decoded text of `Frames.text` whose last frame is shown; those before it are
    its trails. ``asked`` is the query: ``step``, ``zoom``, ``x``, ``y``. ``interval`` is what a
    step took, in seconds.
    """
    first, last = frames["kept"]
    if not frames["frames"]:
        sheet = Sheet(base, "replay", "Replay", 0)
        return sheet.document(heading("Replay", 0), tag("p", "No step is there to be shown yet."))
    frame = frames["frames"][-1]
    step = frame["t"]
    window = window_of(frames["side"], asked)
    sheet = Sheet(base, "replay", "Replay", step, ("replay.js",), refresh=False)
    seen = {"zoom": window.zoom, "x": window.x, "y": window.y} if window.zoom > 1 else {}
    board = tag(
        "section",
        _player(step, first, last, interval, seen, base),
        controls(window, base, "replay", step=step),
        chart(
            frames,
            window,
            f"The galaxy in step {step}",
            trails(frames, window),
            beams(_beams(frame), window),
            spots(_spots(frames, frame), window, base),
            bursts(_bursts(frames, frame), window),
        ),
        class_="board",
        aria_label="Replay",
    )
    beside = tag(
        "section",
        legend(frames["races"]),
        tag("h2", "What happened"),
        _events(frames, frame),
        _keys(),
        class_="beside",
        aria_label="What happened",
    )
    return sheet.document(heading("Replay", step), tag("div", board, beside, class_="two"))


def _player(
    step: int, first: int, last: int, interval: float, seen: Mapping[str, int], base: str
) -> Html:
    slider = tag(
        "form",
        tag("label", "Step", for_="at"),
        tag(
            "input", type="range", id="at", name="step", min=first, max=last, value=step,
            aria_valuetext=f"step {step}",
        ),
        [tag("input", type="hidden", name=name, value=value) for name, value in seen.items()],
        tag("button", "Show", type="submit", class_="plain"),
        method="get",
        action=f"{base}/replay",
        class_="slider",
    )  # fmt: skip
    speeds = [
        tag("option", f"{speed}\N{MULTIPLICATION SIGN}", value=speed, selected=speed == USUAL_SPEED)
        for speed in SPEEDS
    ]
    play = tag(
        "p",
        tag("button", "Play", type="button", id="play", aria_keyshortcuts="Space"),
        tag("label", "Speed ", tag("select", speeds, id="speed")),
        tag("span", "", id="says", role="status"),
        id="player",
        hidden=True,
    )
    return tag(
        "div", slider, _jumps(step, first, last, seen, base), play,
        class_="player", id="replay", data_first=first, data_last=last,
        data_interval=interval or USUAL_INTERVAL,
    )  # fmt: skip


def _jumps(step: int, first: int, last: int, seen: Mapping[str, int], base: str) -> Html:
    def link(words: str, to: int, key: str) -> Html:
        to = max(first, min(last, to))
        more = tag("span", " steps", class_="unseen") if key == words else None
        return tag("a", words, more, href=here(base, "replay", step=to, **seen), data_go=key)

    links = [link(f"{by:+d}", step + by, f"{by:+d}") for by in JUMPS]
    return tag(
        "p",
        link("First", first, "first"),
        links,
        link("Newest", last, "last"),
        class_="jumps",
        role="group",
        aria_label="Other steps",
    )


def _spots(frames: Mapping[str, Any], frame: Mapping[str, Any]) -> list[Spot]:
    found = []
    columns = (frame[key] for key in ("i", "x", "y", "h", "a"))
    for number, x, y, heading_, letter in zip(*columns, strict=True):
        name, race, kind, captain = frames["who"][str(number)]
        alert, calls = ALERTS[letter.lower()], letter.isupper()
        spoken = f"{name}, {kind}" + (f", alert {alert}" if alert else "")
        spoken += ", calls for help" if calls else ""
        human = captain == "human"
        found.append(
            Spot(name, race, kind, x / 10, y / 10, heading_ / 10, alert, calls, human, spoken)
        )
    return found


def _beams(frame: Mapping[str, Any]) -> list[tuple[float, float, float, float, bool]]:
    return [(a / 10, b / 10, c / 10, d / 10, bool(hit)) for a, b, c, d, hit in frame["b"]]


def _bursts(frames: Mapping[str, Any], frame: Mapping[str, Any]) -> list[tuple[float, float, str]]:
    return [(x / 10, y / 10, frames["who"][str(number)][0]) for x, y, number in frame["e"]]


def _events(frames: Mapping[str, Any], frame: Mapping[str, Any]) -> Html:
    lost = [frames["who"][str(number)][0] for _x, _y, number in frame["e"]]
    shots, hits = len(frame["b"]), sum(row[4] for row in frame["b"])
    ships = sum(frames["who"][str(number)][2] == "starship" for number in frame["i"])
    calls = sum(letter.isupper() for letter in frame["a"])
    return tag(
        "dl",
        tag("dt", "Starships"),
        tag("dd", ships),
        tag("dt", "Shots"),
        tag("dd", f"{shots}, {hits} of them hits"),
        tag("dt", "Calls for help"),
        tag("dd", calls),
        tag("dt", "Destroyed"),
        tag("dd", ", ".join(lost) or "none"),
        id="events",
        data_part=True,
    )


def _keys() -> Html:
    rows = (
        ("Space", "play or pause"),
        ("Left, Right", "one step; ten with Shift"),
        ("Home, End", "first, newest step"),
        ("+, -", "enlarge, reduce, from the buttons of the chart"),
    )
    return tag(
        "details",
        tag("summary", "Keys"),
        tag("dl", [(tag("dt", keys), tag("dd", words)) for keys, words in rows]),
        class_="keys",
        id="keys",
        hidden=True,
    )
