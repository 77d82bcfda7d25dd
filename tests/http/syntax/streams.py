"""A reader of event streams, written after the rules for clients (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import re


def dispatched(stream: bytes) -> list[tuple[str, str, str]]:
    """The events a client sees: name, data and last id."""
    events = []
    name, data, last = "", "", ""
    lines = re.split("\r\n|\r|\n", stream.decode())
    for line in lines[:-1]:
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append((name or "message", data.removesuffix("\n"), last))
            name, data = "", ""
        elif not field and colon:
            continue
        elif field == "event":
            name = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last = value
    return events
