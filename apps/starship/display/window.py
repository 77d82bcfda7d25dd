"""The message window: the latest lines of a ship's three logs."""

from __future__ import annotations

from typing import Any

from apps.starship.rules.messages import ICONS, sentence
from apps.starship.rules.objects import Record, Thing
from apps.starship.rules.state import View

MESSAGES_MAX = 50
"""Lines of the message window."""


def messages_of(view: View, me: Thing, captain: bool) -> list[dict[str, Any]]:
    """Return the latest messages, newest first, as the rules merge them.

    ``respond`` is whom an answer would go to: of a call for help that is still open, and only for
    a ``captain``.
    """
    logs = (("com", me.com.log), ("nav", me.nav.log), ("tac", me.tac.log))
    records = sorted((-r.step, group, r.seq, r) for group, log in logs for r in log)
    return [
        _message(view, me, group, record, captain)
        for _step, group, _seq, record in records[:MESSAGES_MAX]
    ]


def _message(view: View, me: Thing, group: str, record: Record, captain: bool) -> dict[str, Any]:
    return {
        "step": record.step,
        "group": group,
        "seq": record.seq,
        "key": record.key,
        "icon": ICONS.get(record.key, "command"),
        "text": sentence(record, view.state.theme),
        "respond": _caller(view, me, record) if captain and record.key == "distress" else None,
    }


def _caller(view: View, me: Thing, record: Record) -> str | None:
    name = dict(record.params).get("name")
    caller = view.living(name) if isinstance(name, str) else None
    if caller is None or caller.race != me.race or caller.name == me.name:
        return None
    return caller.name if view.calls_for_help(caller) else None
