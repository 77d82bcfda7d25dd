"""``vista starship URL``: the command line of the terminal client."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from apps.starship.errors import BadAddress
from apps.starship.terminal.address import read_address
from apps.starship.terminal.client import (
    Client,
    Memory,
    PlainClient,
    safely_drawn,
    seconds_to_next,
    tell,
)
from apps.starship.terminal.keeping import data_folder, file_of, read_kept
from apps.starship.terminal.lines import printable, rendered
from apps.starship.terminal.screen_control import Screen, size_of
from apps.starship.terminal.session import Effect, Fetch, Keep, Post, Session, new_ship
from apps.starship.terminal.site import Answered, Fetched, Lost, Missing, Site

DONE, REFUSED, NO_SERVER = 0, 1, 2
"""Exit codes; a mistake in the command line is 2 as well, as with every command."""
AWAIT_STEPS = 10
"""How often a ship that was made is looked for before the client gives up."""
AWAIT_SECONDS_MAX = 70.0
"""How long a step may take: its interval is a minute at most."""


def main(words: Sequence[str]) -> int:
    """Run the command and return its exit code: 0 done, 1 refused, 2 no server."""
    options = _options(words)
    try:
        address = read_address(options.url)
    except BadAddress as error:
        print(f"vista starship: {error}", file=sys.stderr)
        return NO_SERVER
    file = file_of(data_folder(os.environ), address)
    kept = read_kept(file)
    site = Site(address, kept.cookies)
    memory = Memory(file, site, kept.ship)
    session = Session(
        options.ship or kept.ship,
        own=not options.ship or options.ship.lower() == kept.ship.lower(),
        key=secrets.token_hex(8),
    )
    try:
        return _run(options, session, site, memory)
    finally:
        site.close()
        if memory.trouble:
            print(f"vista starship: {memory.trouble}", file=sys.stderr)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("vista starship", add_help=False)
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ship", default="")
    parser.add_argument("--create", nargs=2, metavar=("NAME", "RACE"))
    parser.add_argument("--no-colour", "--no-color", action="store_true")
    return parser.parse_args(words)


def _run(options: argparse.Namespace, session: Session, site: Site, memory: Memory) -> int:
    if options.create is not None:
        code = _create(options.create, session, site, memory)
        if code != DONE:
            return code
    if options.once or options.json:
        return _once(options, session, site, memory)
    # Asked once before anything is drawn: a server that is not there is told at the prompt.
    asked = session.fetch() or [Fetch("-", "", "300", False)]
    for effect in asked:
        code = _first(effect, session, site, memory)
        if code != DONE:
            return code
    if _is_drawable(os.environ):
        colour = has_colour(options.no_colour, os.environ)
        screen = Screen(sys.stdin.fileno(), sys.stdout.fileno(), colour)
        Client(session, site, screen, memory).run()
        _farewell(session, site)
        return DONE
    plain = PlainClient(session, site, memory, lambda text: print(text, flush=True))
    plain.run(sys.stdin.fileno())
    return REFUSED if plain.refused and not sys.stdin.isatty() else DONE


def _first(effect: Effect, session: Session, site: Site, memory: Memory) -> int:
    if not isinstance(effect, Fetch):
        return DONE
    result = site.ask(effect)
    if isinstance(result, Lost):
        return _no_server(site, result.why)
    _settle(tell(session, result), session, site, memory)
    memory.keep()
    return DONE


def _settle(effects: list[Effect], session: Session, site: Site, memory: Memory) -> None:
    """Carry out what follows from an answer, such as taking a ship again."""
    waiting = list(effects)
    while waiting:
        effect = waiting.pop(0)
        if isinstance(effect, Keep):
            memory.keep(effect.ship)
        elif isinstance(effect, Fetch | Post):
            waiting += tell(session, site.ask(effect))
            memory.keep()


def _no_server(site: Site, why: str) -> int:
    print(f"vista starship: no game at {site.address}: {printable(why)}", file=sys.stderr)
    return NO_SERVER


def _create(words: Sequence[str], session: Session, site: Site, memory: Memory) -> int:
    result = site.ask(Post("create", new_ship(words, secrets.token_hex(8))))
    if isinstance(result, Lost):
        return _no_server(site, result.why)
    assert isinstance(result, Answered), "the answer to what is sent"
    if not result.answer.get("ok"):
        text = result.answer.get("text") or result.answer.get("code") or "refused"
        print(f"vista starship: {printable(text)}", file=sys.stderr)
        return REFUSED
    for effect in session.answered(result.post, result.answer):
        if isinstance(effect, Keep):
            memory.keep(effect.ship)
    return DONE


def _once(options: argparse.Namespace, session: Session, site: Site, memory: Memory) -> int:
    """Print one screen, or the state as JSON; of a ship that was just made, when it is there."""
    if not session.ship:
        print("vista starship: no ship yet: --ship NAME or --create NAME RACE", file=sys.stderr)
        return REFUSED
    screen = None
    for attempt in range(AWAIT_STEPS if options.create else 1):
        if attempt:
            time.sleep(_patience(screen))
        result = site.ask(Fetch(session.ship, "", "300", only_scan=False))
        if isinstance(result, Lost):
            return _no_server(site, result.why)
        if isinstance(result, Fetched):
            screen = result.screen
            if not options.create or screen.get("mode") == "captain":
                break
    if screen is None:
        assert isinstance(result, Missing), "it is there or it is not"
        print(f"vista starship: there is no ship {printable(session.ship)}", file=sys.stderr)
        return REFUSED
    memory.keep()
    session.screen = screen
    _print(options, session)
    return DONE


def _patience(screen: dict[str, Any] | None) -> float:
    wait = seconds_to_next(screen or {}, 0, streams=False)
    return min(AWAIT_SECONDS_MAX, max(0.2, wait))


def _print(options: argparse.Namespace, session: Session) -> None:
    if options.json:
        print(json.dumps(session.screen))
        return
    size = size_of(sys.stdout.fileno()) if sys.stdout.isatty() else size_of(-1)
    colour = sys.stdout.isatty() and has_colour(options.no_colour, os.environ)
    rows = [rendered(row, colour) for row in safely_drawn(session.screen, session.sight(""), size)]
    while len(rows) > 1 and not rows[-2].strip():
        del rows[-2]
    print("\n".join(rows[:-1]))


def _is_drawable(environ: Mapping[str, str]) -> bool:
    """Tell whether keyboard and screen are a terminal that can be drawn upon."""
    both = sys.stdin.isatty() and sys.stdout.isatty()
    return both and environ.get("TERM", "") not in ("", "dumb", "unknown")


def has_colour(no_colour: bool, environ: Mapping[str, str]) -> bool:
    """Tell whether colours are wanted and there are any.

    ``no_colour`` is the option; the variable is that of https://no-color.org.
    """
    plain = no_colour or environ.get("NO_COLOR") or environ.get("TERM", "") == "dumb"
    return not plain and not environ.get("TERM", "").startswith("vt")


def _farewell(session: Session, site: Site) -> None:
    if session.ship:
        print(f"{printable(session.ship)} waits for you: vista starship {site.address}")
