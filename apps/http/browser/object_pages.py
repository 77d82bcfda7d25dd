"""Pages about objects and classes, and the form by which a message is sent to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Final

import vista
from apps.http.browser.asking import NodeSeen, ObjectSeen, node_of
from apps.http.browser.bounds import (
    ARGUMENTS_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
)
from apps.http.browser.figures import count, plural
from apps.http.browser.frame import (
    Addresses,
    Page,
    code,
    facts,
    figures,
    linked,
    notice,
    prose,
    section,
    short,
    table,
)
from apps.http.browser.markup import NOTHING, Child, Html, tag
from apps.http.browser.node_pages import node_page, threads_list

COMMON: Final = frozenset(name for name in vars(vista.Object) if not name.startswith("_"))
"""Names of the methods that every object has."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message that was sent by hand.

    ``text`` is the result, or the error if ``failed``, then with its ``traceback``. ``refused`` is
    what was wrong with the arguments, so that nothing was sent.
    """

    text: str = ""
    failed: bool = False
    traceback: str = ""
    refused: str = ""
    seconds: str = ""


# --- an object -----------------------------------------------------------------------------


def object_page(addresses: Addresses, seen: ObjectSeen, node: str) -> Page:
    """Return the page of an object; ``node`` is what the node is called where it is."""
    kind = seen.class_name
    title = f"{kind.name} {seen.id}" if kind else f"Object {seen.id}"
    page = Page(title, crumbs=_crumbs(addresses, seen, node))
    home = node_of(seen.node)
    page.main = Html(
        _about(addresses, seen, home, node)
        + tag(
            "p",
            tag("a", "Send a message…", href=addresses.object(seen.id, "send"), class_="button"),
        )
        + page.live("state", _state(seen))
        + section(
            "Variables",
            page.live("variables", _variables(addresses, seen)),
            note=_variables_note(seen),
        )
        + section("Threads in it", page.live("threads", _threads(addresses, seen)))
        + section("Access", page.live("access", _access(seen)))
        + section("Methods", _told(seen, "methods", methods_list(addresses, seen.methods, seen.id)))
    )
    return page


def _crumbs(addresses: Addresses, seen: ObjectSeen, node: str) -> list[tuple[str, str]]:
    home = node_of(seen.node)
    return [
        ("Nodes", addresses.to()),
        (node or home, addresses.node(home)),
        ("Objects", addresses.node(home, "objects")),
    ]


def _about(addresses: Addresses, seen: ObjectSeen, home: str, node: str) -> Html:
    kind = seen.class_name
    birth = node_of(seen.id)
    class_link = tag("a", str(kind), href=addresses.class_(home, kind)) if kind else None
    doc = documentation(seen.doc)
    trouble = notice(seen.troubles["describe"]) if "describe" in seen.troubles else NOTHING
    about = facts(
        [
            ("class", class_link),
            ("inherits from", ", ".join(seen.bases)),
            ("Id", code(seen.id)),
            ("node", tag("a", node or home, href=addresses.node(home))),
            ("made on", tag("a", birth, href=addresses.node(birth)) if birth != home else None),
            ("services", ", ".join(seen.services)),
            ("watched by", linked(addresses, ", ".join(seen.watchers)) if seen.watchers else None),
            ("in charge of it", linked(addresses, seen.meta) if seen.meta else None),
        ]
    )
    return Html(trouble + doc + about)


def documentation(text: str) -> Html:
    """Return a docstring: its first paragraph open, the rest behind a click."""
    first, _, rest = short(cleandoc(text), TEXT_CHARACTERS_MAX).partition("\n\n")
    if not first:
        return NOTHING
    more = tag("details", tag("summary", "More"), tag("pre", rest, class_="doc")) if rest else None
    return tag("div", tag("p", prose(first), class_="lead"), more, class_="documentation")


def _state(seen: ObjectSeen) -> Html:
    if seen.row is None:
        return notice(
            seen.troubles.get("mailbox", "The node has no word of it at this moment."), "plain"
        )
    return figures(
        [
            ("threads in it", count(seen.row.threads)),
            ("messages waiting", count(seen.row.messages_queued)),
            ("variables", count(seen.variables_all)),
            ("methods", count(len(seen.methods))),
        ]
    )


def _told(seen: ObjectSeen, part: str, content: Html) -> Html:
    """Return a part of the page, or why the object does not tell it."""
    return notice(seen.troubles[part]) if part in seen.troubles else content


def _variables(addresses: Addresses, seen: ObjectSeen) -> Html:
    rows: list[Sequence[Child]] = [
        [code(name), kind, tag("pre", linked(addresses, text), class_="value")]
        for name, kind, text in seen.variables
    ]
    return _told(
        seen, "variables", table("Variables", ["name", "-type", "value"], rows, "It has none.")
    )


def _variables_note(seen: ObjectSeen) -> str:
    left = seen.variables_all - len(seen.variables)
    return f"{plural(left, 'variable')} more are not shown" if left > 0 else ""


def _threads(addresses: Addresses, seen: ObjectSeen) -> Html:
    if not seen.threads and "threads" not in seen.troubles:
        return tag("p", "No thread is in it.", class_="empty")
    return _told(seen, "threads", threads_list(addresses, seen.node, seen.threads))


def _access(seen: ObjectSeen) -> Html:
    if "get_acl" in seen.troubles:
        return notice(seen.troubles["get_acl"])
    if seen.acl is None:
        return tag(
            "p",
            "It has no access list: whoever reaches it may send all that does not administer it.",
            class_="empty",
        )
    rows: list[Sequence[Child]] = [
        [count(place), tag("span", verdict, class_=f"state {verdict}"), code(user), code(method)]
        for place, (verdict, user, method) in enumerate(seen.acl.rules, 1)
    ]
    note = tag(
        "p", "The first rule that fits decides; when none fits, it is denied.", class_="note"
    )
    return Html(
        table("Access list", ["rule>", "verdict", "user", "method"], rows, "No rule: nobody may.")
        + note
    )


def methods_list(
    addresses: Addresses, rows: Sequence[vista.MethodRow], id: vista.Id | None
) -> Html:
    """Return methods with what they do; with ``id`` each leads to the form that sends it there.

    Those that every object has come last, behind a click.
    """
    own = [row for row in rows if row.name not in COMMON]
    common = [row for row in rows if row.name in COMMON]
    shown = (
        tag("dl", [_method(addresses, row, id) for row in own], class_="methods")
        if own
        else tag("p", "It has none of its own.", class_="empty")
    )
    if not common:
        return shown
    more = tag(
        "details",
        tag("summary", f"{plural(len(common), 'method')} that every object has"),
        tag("dl", [_method(addresses, row, id) for row in common], class_="methods"),
        id="common-methods",
    )
    return Html(shown + more)


def _method(addresses: Addresses, row: vista.MethodRow, id: vista.Id | None) -> Html:
    way = tag("a", row.name, href=addresses.object(id, "send", method=row.name)) if id else row.name
    marks = [tag("span", flag, class_="state plain") for flag in row.flags]
    signature = tag("code", way, tag("span", short(row.signature, 400), class_="signature"))
    return tag(
        "div",
        tag("dt", signature, *marks),
        tag("dd", prose(row.doc.partition("\n\n")[0])),
    )


# --- a class -------------------------------------------------------------------------------


def class_page(
    addresses: Addresses, node: NodeSeen, name: vista.ClassName, told: Mapping[str, Any]
) -> Page:
    """Return the page of a class as a node knows it; ``told`` is what that node says of it."""
    page = node_page(addresses, node, "class", str(name))
    page.crumbs = [*page.crumbs, ("Classes", addresses.node(node.text, "classes"))]
    full = f"{name.namespace}.{name.name}"
    objects = node.statistics.get("objects_by_class")
    number = objects.get(full, 0) if isinstance(objects, dict) else 0
    bases, methods = told.get("bases"), told.get("methods")
    rows = (
        [row for row in methods.values() if isinstance(row, vista.MethodRow)]
        if isinstance(methods, dict)
        else []
    )
    about = facts(
        [
            ("inherits from", ", ".join(map(str, bases)) if isinstance(bases, list) else None),
            ("create", tag("code", str(told.get("signature", "")))),
            (
                "objects here",
                tag("a", count(number), href=addresses.node(node.text, "objects", pattern=full)),
            ),
        ]
    )
    page.main = Html(
        documentation(str(told.get("doc", "")))
        + about
        + section("Methods", methods_list(addresses, rows, None))
    )
    return page


# --- sending -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendForm:
    """What stands in the form: the method and the arguments as text, and in whose name."""

    method: str
    arguments: str
    user: str
    csrf: str


def send_page(
    addresses: Addresses, seen: ObjectSeen, node: str, form: SendForm, sent: Sent | None
) -> Page:
    """Return the form that sends a message to an object, and what became of the last one."""
    page = Page(f"Send to {seen.class_name.name if seen.class_name else 'object'} {seen.id}")
    title = f"{seen.class_name.name if seen.class_name else 'Object'} {seen.id}"
    page.crumbs = [*_crumbs(addresses, seen, node), (title, addresses.object(seen.id))]
    row = next((row for row in seen.methods if row.name == form.method), None)
    if sent is not None and sent.refused:
        page.status = 422
    page.main = Html(
        _form(addresses, seen, form, sent)
        + (_outcome(addresses, sent) if sent is not None else NOTHING)
        + (
            section(
                "What it takes", tag("pre", f"{row.name}{row.signature}"), documentation(row.doc)
            )
            if row is not None
            else section("Methods", methods_list(addresses, seen.methods, seen.id))
        )
    )
    return page


def _form(
    addresses: Addresses,
    seen: ObjectSeen,
    form: SendForm,
    sent: Sent | None,
) -> Html:
    names = [tag("option", value=known.name) for known in seen.methods]
    return tag(
        "form",
        tag("input", type="hidden", name="csrf", value=form.csrf),
        tag("label", "Method", for_="method"),
        tag(
            "input", id="method", name="method", value=form.method, list="methods", required=True,
            autocomplete="off", spellcheck="false", maxlength="255",
        ),
        tag("datalist", names, id="methods"),
        _arguments(form.arguments, sent.refused if sent is not None else ""),
        tag(
            "p",
            tag("button", "Send"),
            tag("span", "as user ", tag("strong", form.user), class_="note"),
            class_="ways",
        ),
        method="post",
        action=addresses.object(seen.id, "send"),
        class_="send",
    )  # fmt: skip


def _arguments(text: str, refused: str) -> Html:
    """Return the field for the arguments; ``refused`` is what was wrong with them, if anything."""
    field = tag(
        "textarea",
        text,
        id="arguments",
        name="arguments",
        rows="3",
        spellcheck="false",
        maxlength=ARGUMENTS_CHARACTERS_MAX,
        aria_describedby="arguments-help" + (" arguments-refused" if refused else ""),
        aria_invalid="true" if refused else None,
    )
    words = tag("p", refused, class_="notice trouble", id="arguments-refused", role="alert")
    return Html(
        tag("label", "Arguments", for_="arguments")
        + field
        + (words if refused else NOTHING)
        + tag(
            "p",
            "Python values with commas between them, such as ",
            code('5, "abc", by=2'),
            "; an object is ",
            code('Id("4r7q2v9kzm1x8c5t-1f")'),
            ".",
            class_="note",
            id="arguments-help",
        )
    )


def _outcome(addresses: Addresses, sent: Sent) -> Html:
    if sent.refused:
        return NOTHING
    if not sent.failed:
        result = tag("pre", linked(addresses, sent.text), class_="result")
        return section("Result", result, note=f"after {sent.seconds}", id="outcome")
    trace = (
        tag("details", tag("summary", "Traceback"), tag("pre", sent.traceback))
        if sent.traceback
        else None
    )
    error = tag("pre", linked(addresses, sent.text), class_="result failed")
    return section("Exception", error, trace, note=f"after {sent.seconds}", id="outcome")


# --- what is not there ---------------------------------------------------------------------


def trouble_page(addresses: Addresses, status: int, title: str, text: str, known: bool) -> Page:
    """Return the page in the place of one that cannot be shown; ``known`` to who is signed in."""
    crumbs = [("Nodes", addresses.to())] if known else []
    return Page(title, linked_notice(addresses, text, known), status, crumbs)


def linked_notice(addresses: Addresses, text: str, known: bool) -> Html:
    """Return what went wrong in words, with links for who may follow them."""
    return tag("p", linked(addresses, text) if known else text, class_="notice trouble")
