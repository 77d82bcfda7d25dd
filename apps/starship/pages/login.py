"""The first page: the parts that ``starshipLogin.html`` includes.

Each part is a whole form, so that what was refused comes back beside its field with what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from apps.starship.pages.markup import esc, hidden
from apps.starship.pages.page import Notice
from apps.starship.rules.counted import counted

NAME_RULE: Final = "2 to 16 letters, digits, - or _; no spaces; a letter first"

CHARACTERS: Final = {
    "F": "balanced: phasers fore and aft, photon torpedoes",
    "K": "agile: forward disruptors, thinner shields",
    "R": "strong shields, one heavy plasma launcher, slow",
    "O": "quick, a big hull, missiles all round, weak shields",
}
"""What flying for a race is like; a site's theme may name the races otherwise."""

_FIELDS: Final = {"E_NAME": "name", "E_TAKEN": "name", "E_PHRASE": "phrase"}
"""The field that a refusal is about, by its code."""

Lists = Mapping[str, Any]
Typed = Mapping[str, str]


def create_html(
    lists: Lists,
    token: str = "",
    typed: Typed | None = None,
    notice: Notice | None = None,
    base: str = "/starship",
    key: str = "",
) -> str:
    """Return the form that makes a ship.

    ``lists`` is what `apps.starship.display.lists` says, empty before the first step. ``typed`` are
    the fields of a form that was refused and ``notice`` says why; both only if it was this form.
    ``key`` tells two submissions of one form from two forms.
    """
    if not lists:
        return '<p class="empty">The galaxy is being made. Load this page again in a moment.</p>'
    typed = typed or {}
    wrong = "" if notice is None or notice.ok else _FIELDS.get(notice.code, "form")
    chosen = typed.get("race") or lists["fewest"]
    races = "".join(_race(row, row["key"] == chosen) for row in lists["races"])
    full = ""
    if lists["full"]:
        full = (
            '<p class="error" role="status">The galaxy is full. Take a ship without a captain, or'
            " come back when one was lost.</p>"
        )
    return (
        f'<form method="post" action="{esc(base)}/create" class="boarding" id="create-form">'
        f"{hidden(token=token, key=key)}{_error(notice, 'create') if wrong == 'form' else ''}{full}"
        + _text("create-name", "name", "Name", typed.get("name", ""), wrong == "name", notice,
                f"blank for one of the fleet's; {NAME_RULE}", 16)
        + f'<fieldset><legend>Race</legend><div class="races">{races}</div></fieldset>'
        + _phrase("create-phrase", wrong == "phrase", notice,
                  "optional: then nobody else can take this ship later")
        + '<button type="submit" class="strong" data-testid="create">Create starship'
        "</button></form>"
    )  # fmt: skip


def _race(row: Mapping[str, Any], chosen: bool) -> str:
    key = esc(row["key"])
    return (
        f'<label class="race"><input type="radio" name="race" value="{key}"'
        f'{" checked" if chosen else ""} data-testid="race-{key}"><span class="race-{key}'
        f' swatch" aria-hidden="true"></span><span><b>{esc(row["name"])}</b>'
        f"<small>{esc(CHARACTERS.get(row['key'], ''))}</small></span></label>"
    )


def _text(
    id: str, name: str, label: str, value: str, wrong: bool, notice: Notice | None, hint: str,
    most: int,
) -> str:  # fmt: skip
    return (
        f'<div class="entry"><label for="{id}">{label}</label><input id="{id}" name="{name}"'
        f' value="{esc(value)}" maxlength="{most * 4}" autocomplete="off" autocapitalize="none"'
        f' spellcheck="false" data-testid="{id}"{_described(id, wrong)}>'
        f"{_error(notice, id) if wrong else ''}"
        f'<p class="note" id="{id}-hint">{hint}</p></div>'
    )


def _phrase(id: str, wrong: bool, notice: Notice | None, hint: str) -> str:
    return (
        f'<div class="entry"><label for="{id}">Pass-phrase</label><input id="{id}" name="phrase"'
        f' type="password" maxlength="200" autocomplete="off" data-testid="{id}"'
        f"{_described(id, wrong)}>{_error(notice, id) if wrong else ''}"
        f'<p class="note" id="{id}-hint">{hint}</p></div>'
    )


def _described(id: str, wrong: bool) -> str:
    if wrong:
        return f' aria-invalid="true" aria-describedby="{id}-error {id}-hint"'
    return f' aria-describedby="{id}-hint"'


def _error(notice: Notice | None, id: str) -> str:
    if notice is None or notice.ok:
        return ""
    return f'<p class="error" id="{id}-error" role="alert">{esc(notice.text)}</p>'


def list_html(
    lists: Lists,
    which: str,
    token: str = "",
    typed: Typed | None = None,
    notice: Notice | None = None,
    base: str = "/starship",
) -> str:
    """Return one of the other parts: ``scan`` and ``take``, forms with a list of ships, or
    ``races``, the ships of each race and the step. Of any other name, a sentence.

    The arguments are those of `create_html`.
    """
    if not lists:
        return '<p class="empty">There are no ships yet.</p>'
    if which == "scan":
        return _scan(lists, esc(base))
    if which == "take":
        return _take(lists, token, typed or {}, notice, esc(base))
    if which == "races":
        return _races(lists)
    return f'<p class="empty">There is no list {esc(which)}.</p>'


def _ships(rows: list[Mapping[str, Any]], id: str, chosen: str) -> str:
    options = "".join(
        f'<option value="{esc(row["name"])}"{" selected" if row["name"] == chosen else ""}>'
        f"{esc(row['full_name'])}</option>"
        for row in rows
    )
    return (
        f'<div class="entry"><label for="{id}">Starship</label>'
        f'<select id="{id}" name="ship" data-testid="{id}">{options}</select></div>'
    )


def _scan(lists: Lists, base: str) -> str:
    if not lists["scan"]:
        return '<p class="empty">There are no starships.</p>'
    return (
        f'<form method="get" action="{base}/scan" class="boarding">'
        f"{_ships(lists['scan'], 'scan-ship', '')}"
        '<button type="submit" data-testid="scan">Scan starship</button></form>'
    )


def _take(lists: Lists, token: str, typed: Typed, notice: Notice | None, base: str) -> str:
    wrong = "" if notice is None or notice.ok else _FIELDS.get(notice.code, "form")
    told = _error(notice, "take") if wrong and wrong != "phrase" else ""
    if not lists["take"]:
        return f'{told}<p class="empty">Every starship has a captain.</p>'
    return (
        f'<form method="post" action="{base}/take" class="boarding" id="take-form">'
        f"{hidden(token=token)}{told}{_ships(lists['take'], 'take-ship', typed.get('ship', ''))}"
        + _phrase("take-phrase", wrong == "phrase", notice, "only if the ship has one")
        + '<button type="submit" data-testid="take">Take command</button></form>'
    )


def _races(lists: Lists) -> str:
    rows = "".join(
        f'<tr><th scope="row"><span class="race-{esc(row["key"])} swatch" aria-hidden="true">'
        "</span>"
        f'{esc(row["name"])}</th><td class="figure">{row["ships"]}</td>'
        f'<td class="figure">{row["captains"]}</td></tr>'
        for row in lists["races"]
    )
    ships = sum(row["ships"] for row in lists["races"])
    return (
        f'<p class="sum"><b data-testid="step">Step {lists["step"]:,}</b>'
        f" <span>{counted(ships, 'starship')}</span></p>"
        '<table><caption class="unseen">Ships of each race</caption><thead><tr>'
        '<th scope="col">Race</th><th scope="col" class="figure">Ships</th>'
        '<th scope="col" class="figure">Captains</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
