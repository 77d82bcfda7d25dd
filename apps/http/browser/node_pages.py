"""Pages about nodes: all of them with their links, and what each has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import vista
from apps.http.browser.asking import NodeSeen
from apps.http.browser.bounds import METHODS_MAX, ROWS_MAX, STACK_CHARACTERS_MAX
from apps.http.browser.drawing import LinkDrawn, NodeDrawn, curve, network
from apps.http.browser.figures import NONE, count, plural, rate, seconds, size, span
from apps.http.browser.frame import (
    Addresses,
    Page,
    breakable,
    code,
    facts,
    figures,
    linked,
    node_tabs,
    notice,
    pager,
    prose,
    section,
    table,
)
from apps.http.browser.markup import Child, Html, tag
from apps.http.browser.rates import Rates

CLASSES_SHOWN_MAX: Final = 12
"""Classes in the list of those a node has most objects of: what a screen holds."""

SORTS: Final = {
    "p99": ("p99_seconds", "p99"),
    "p50": ("p50_seconds", "p50"),
    "longest": ("longest_seconds", "longest"),
    "calls": ("calls", "calls"),
}
"""By what the slowest methods can be ordered: the figure, and its name in words."""


def overview(addresses: Addresses, nodes: Sequence[NodeSeen], rates: Rates, others: int) -> Page:
    """Return the first page: the nodes, drawn and in a table; ``others`` were not asked."""
    page = Page("Nodes")
    links = _links(nodes)
    drawn = [
        NodeDrawn(seen.text, seen.title, rates.rate(seen.text), bool(seen.trouble))
        for seen in nodes
    ]
    told = [seen for seen in nodes if not seen.trouble]
    totals = figures(
        [
            ("nodes", count(len(nodes) + others)),
            ("links", count(len(links))),
            ("objects", count(sum(seen.figure("objects") for seen in told))),
            ("threads", count(sum(seen.figure("threads_live") for seen in told))),
            ("calls/s", rate(sum(rates.rate(seen.text) for seen in told))),
        ]
    )
    rows = [_node_row(addresses, seen, rates, links) for seen in nodes]
    columns = [
        "node",
        "-identity",
        "-up>",
        "objects>",
        "threads>",
        "-links>",
        "calls/s>",
        "-curve",
        "-loop lag>",
    ]
    page.main = Html(
        page.live("totals", totals)
        + notice(f"{plural(others, 'node')} more are reached and not asked.", "plain")
        * bool(others)
        + tag("div", page.live("network", network(addresses, drawn, links)), class_="picture")
        + section(
            "All nodes",
            page.live("nodes", table("Nodes", columns, rows, "There is no node.")),
        )
    )
    return page


def _links(nodes: Sequence[NodeSeen]) -> list[LinkDrawn]:
    """Return the links that the nodes tell of, each once."""
    known = {seen.text for seen in nodes}
    trips: dict[tuple[str, str], float | None] = {}
    for seen in nodes:
        for row in seen.peers:
            if row.hops == 1 and row.node in known:
                pair = (min(seen.text, row.node), max(seen.text, row.node))
                trips[pair] = row.round_trip_seconds or trips.get(pair)
    return [LinkDrawn(one, other, trip) for (one, other), trip in sorted(trips.items())]


def _node_row(
    addresses: Addresses, seen: NodeSeen, rates: Rates, links: Sequence[LinkDrawn]
) -> list[Child]:
    name = tag("a", seen.title, href=addresses.node(seen.text))
    if seen.trouble:
        return [[name, " ", _state("lost"), " ", seen.trouble], code(seen.text), *[NONE] * 7]
    now = rates.rate(seen.text)
    return [
        name,
        code(seen.text),
        span(seen.figure("uptime_seconds")),
        tag("a", count(seen.figure("objects")), href=addresses.node(seen.text, "objects")),
        tag("a", count(seen.figure("threads_live")), href=addresses.node(seen.text, "threads")),
        count(sum(seen.text in (link.one, link.other) for link in links)),
        rate(now),
        curve(rates.curve(seen.text), f"calls per second of {seen.title}, {rate(now)} at last"),
        seconds(seen.figure("loop_lag_seconds")),
    ]


def _state(word: str) -> Html:
    """Return a word about how something is, on a ground of its colour."""
    return tag("span", word, class_=f"state {word}")


# --- one node ------------------------------------------------------------------------------


def node_page(addresses: Addresses, seen: NodeSeen, page: str, title: str) -> Page:
    """Return the empty page of a node, with what all of them have."""
    return Page(
        title or seen.title,
        crumbs=[("Nodes", addresses.to())]
        + ([(seen.title, addresses.node(seen.text))] if page else []),
        tabs=node_tabs(addresses, seen.text, page),
    )


def node_overview(addresses: Addresses, seen: NodeSeen, rates: Rates) -> Page:
    """Return the page of one node: its figures, its links and what it has most of."""
    page = node_page(addresses, seen, "", "")
    known = seen.figure
    now = [
        ("up", span(known("uptime_seconds"))),
        ("objects", tag("a", count(known("objects")), href=addresses.node(seen.text, "objects"))),
        (
            "threads",
            tag("a", count(known("threads_live")), href=addresses.node(seen.text, "threads")),
        ),
        (
            "calls/s",
            [rate(rates.rate(seen.text)), curve(rates.curve(seen.text), "calls per second")],
        ),
        ("loop lag", seconds(known("loop_lag_seconds"))),
        ("longest lag", seconds(known("loop_lag_longest_seconds"))),
        ("messages ready", count(known("messages_ready"))),
        ("messages waiting", count(known("messages_waiting"))),
    ]
    wrong = [
        ("access denied", count(known("access_denied"))),
        ("posts failed", count(known("posts_failed"))),
        ("posts lost", count(known("posts_lost"))),
        ("overloads", count(known("overloads"))),
        ("slow methods", count(known("slow_methods"))),
    ]
    who = facts(
        [
            ("identity", code(seen.text)),
            ("ObjectCreator", tag("a", code(seen.id), href=addresses.object(seen.id))),
        ]
    )
    page.main = Html(
        who
        + page.live("figures", figures(now))
        + section("Links", page.live("links", _peers(addresses, seen)))
        + section("Most objects", page.live("most", _most(addresses, seen)))
        + section("What went wrong", page.live("wrong", figures(wrong)))
    )
    return page


def _peers(addresses: Addresses, seen: NodeSeen) -> Html:
    rows: list[Sequence[Child]] = [
        [
            tag("a", row.name or row.node, href=addresses.node(row.node)),
            count(row.hops),
            row.user or NONE,
            ", ".join(row.rights) or NONE,
            seconds(row.round_trip_seconds),
            count(row.messages_sent),
            count(row.messages_received),
            size(row.bytes_sent),
            size(row.bytes_received),
            count(row.messages_waiting),
        ]
        for row in seen.peers[:ROWS_MAX]
    ]
    columns = [
        "node", "hops>", "-user", "-rights", "round trip>", "-sent>", "-received>",
        "-bytes sent>", "-bytes received>", "waiting>",
    ]  # fmt: skip
    return table("Links", columns, rows, "No other node is reached from here.")


def _most(addresses: Addresses, seen: NodeSeen) -> Html:
    told = seen.statistics.get("objects_by_class")
    classes: dict[Any, Any] = told if isinstance(told, dict) else {}
    most = sorted(classes.items(), key=lambda item: (-item[1], item[0]))[:CLASSES_SHOWN_MAX]
    largest = max((number for _, number in most), default=1)
    bars = [
        tag(
            "li",
            tag("a", name, href=addresses.node(seen.text, "objects", pattern=name)),
            tag("meter", value=number, max=largest, aria_label=f"{number} of {name}"),
            tag("span", count(number), class_="figure"),
        )
        for name, number in most
    ]
    return tag("ul", bars, class_="bars") if bars else tag("p", "It has no object.", class_="empty")


def objects_page(
    addresses: Addresses,
    seen: NodeSeen,
    rows: Sequence[vista.ObjectRow],
    pattern: str,
    first: int,
) -> Page:
    """Return the page of a node's objects; ``rows`` may have one more than a page shows."""
    page = node_page(addresses, seen, "objects", "Objects")
    address = addresses.node(seen.text, "objects")
    shown = [_object_cells(addresses, row) for row in rows[:ROWS_MAX]]
    columns = ["object", "class", "-services", "-threads>", "-messages waiting>"]
    told = seen.statistics.get("objects_by_class")
    classes = sorted(told) if isinstance(told, dict) else []
    choices = tag(
        "datalist", [tag("option", value=name) for name in classes[:ROWS_MAX]], id="classes"
    )
    form = tag(
        "form",
        tag("label", "Class", for_="pattern"),
        tag(
            "input", id="pattern", name="pattern", value=pattern, list="classes",
            placeholder="Local.*", autocomplete="off", spellcheck="false", maxlength="255",
        ),
        tag("button", "Show"),
        choices,
        action=address,
        class_="filter",
    )  # fmt: skip
    empty = "No object here is of such a class." if pattern else "It has no object."
    page.main = Html(
        form
        + page.live(
            "objects",
            table("Objects", columns, shown, empty),
            pager(address, {"pattern": pattern}, first, len(shown), len(rows) > ROWS_MAX),
        )
    )
    return page


def _object_cells(addresses: Addresses, row: vista.ObjectRow) -> list[Child]:
    return [
        tag("a", code(row.id), href=addresses.object(row.id)),
        breakable(row.class_name),
        ", ".join(row.services) or NONE,
        count(row.threads),
        count(row.messages_queued),
    ]


def classes_page(
    addresses: Addresses, seen: NodeSeen, rows: Sequence[vista.ClassRow], first: int
) -> Page:
    """Return the page of the classes a node knows; ``rows`` are all of them."""
    page = node_page(addresses, seen, "classes", "Classes")
    ordered = sorted(rows, key=lambda row: (-row.objects, row.namespace, row.name, row.version))
    shown = ordered[first : first + ROWS_MAX]
    cells: list[Sequence[Child]] = [
        [
            tag(
                "a",
                breakable(f"{row.namespace}.{row.name}"),
                href=addresses.class_(seen.text, _name(row)),
            ),
            count(row.version),
            tag(
                "a",
                count(row.objects),
                href=addresses.node(seen.text, "objects", pattern=f"{row.namespace}.{row.name}"),
            )
            if row.objects
            else "0",
            prose(row.summary),
            code(row.module),
        ]
        for row in shown
    ]
    page.main = page.live(
        "classes",
        table(
            "Classes", ["class", "-version>", "objects>", "-what it is", "-module"], cells, "None."
        ),
        pager(
            addresses.node(seen.text, "classes"),
            {},
            first,
            len(shown),
            len(rows) > first + ROWS_MAX,
        ),
    )
    return page


def _name(row: vista.ClassRow) -> vista.ClassName:
    return vista.ClassName(row.namespace, row.name, row.version)


def threads_page(
    addresses: Addresses, seen: NodeSeen, rows: Sequence[vista.ThreadRow], first: int
) -> Page:
    """Return the page of a node's threads; ``rows`` may have one more than a page shows."""
    page = node_page(addresses, seen, "threads", "Threads")
    shown = rows[:ROWS_MAX]
    page.main = page.live(
        "threads",
        threads_list(addresses, seen.id, shown),
        pager(addresses.node(seen.text, "threads"), {}, first, len(shown), len(rows) > ROWS_MAX),
    )
    return page


def threads_list(addresses: Addresses, creator: vista.Id, rows: Sequence[vista.ThreadRow]) -> Html:
    """Return threads as a list, each with its stack and ways to hold and to end it."""
    if not rows:
        return tag("p", "No thread is live.", class_="empty")
    return tag("ul", [_thread(addresses, creator, row) for row in rows], class_="threads")


def _thread(addresses: Addresses, creator: vista.Id, row: vista.ThreadRow) -> Html:
    owner = row.object
    name = tag("a", row.class_name, href=addresses.object(owner)) if owner else row.class_name
    waits = ["waits for ", linked(addresses, row.waiting_for)] if row.waiting_for else None
    return tag(
        "li",
        tag("span", name, tag("wbr"), code(f".{row.method}"), class_="method"),
        _state(row.state),
        tag("span", waits, class_="waits"),
        tag("span", seconds(row.age_seconds), class_="figure"),
        _thread_more(addresses, creator, row),
    )


def _thread_more(addresses: Addresses, creator: vista.Id, row: vista.ThreadRow) -> Html:
    left_out = len(row.stack) - STACK_CHARACTERS_MAX
    text = f"…{row.stack[left_out:]}" if left_out > 0 else row.stack
    arguments = f'Id("{row.id}")'
    ways = [
        tag(
            "a",
            word,
            href=addresses.object(creator, "send", method=method, arguments=arguments),
        )
        for word, method in (("Kill…", "kill_thread"), ("Suspend…", "suspend_thread"))
    ]
    return tag(
        "details",
        tag("summary", "Stack", tag("span", f" of {row.class_name}.{row.method}", class_="unseen")),
        tag("pre", text or "It runs in a call of another thread, or has not begun."),
        tag("p", ways, tag("span", "user ", row.user, ", thread ", code(row.id)), class_="ways"),
        id=f"stack-{row.id}",
    )


def services_page(
    addresses: Addresses, seen: NodeSeen, rows: Sequence[vista.ServiceRow], first: int
) -> Page:
    """Return the page of the services a node finds; ``rows`` may have one more than is shown."""
    page = node_page(addresses, seen, "services", "Services")
    shown: list[Sequence[Child]] = [
        [
            row.name,
            tag("a", code(row.object), href=addresses.object(row.object)),
            row.class_name or NONE,
            "this node"
            if row.node == seen.text
            else tag("a", code(row.node), href=addresses.node(row.node)),
        ]
        for row in rows[:ROWS_MAX]
    ]
    page.main = page.live(
        "services",
        table("Services", ["service", "object", "-class", "-provided by"], shown, "None."),
        pager(addresses.node(seen.text, "services"), {}, first, len(shown), len(rows) > ROWS_MAX),
    )
    return page


def methods_page(addresses: Addresses, seen: NodeSeen, sort: str) -> Page:
    """Return the page of a node's slowest methods, ordered by one of `SORTS`."""
    page = node_page(addresses, seen, "methods", "Slowest methods")
    figure, words = SORTS.get(sort, SORTS["p99"])
    told = seen.statistics.get("methods")
    methods: dict[str, dict[str, Any]] = told if isinstance(told, dict) else {}
    counted = sorted(methods.items(), key=lambda item: (-item[1].get(figure, 0), item[0]))
    # By a time only those have an order that were timed.
    slowest = [item for item in counted if figure == "calls" or item[1].get("timed_calls")]
    left = len(counted) - len(slowest)
    rows = [_method_cells(addresses, seen.text, *item) for item in slowest[:METHODS_MAX]]
    columns = [
        "method",
        "calls>",
        "p50>",
        "p99>",
        "-longest>",
        "-mean>",
        "-timed>",
    ]
    ways = [
        tag(
            "a",
            name,
            href=addresses.node(seen.text, "methods", sort=key),
            aria_current="true" if name == words else None,
        )
        for key, (_, name) in SORTS.items()
    ]
    page.main = Html(
        tag("p", "Ordered by ", *ways, class_="ways")
        + page.live("methods", table("Slowest methods", columns, rows, "None was called."))
        + tag(
            "p",
            "Every call is counted; the times are those of a sample, from start to end with what "
            "was waited for. Half of them ended within p50, 99 in 100 within p99.",
            f" {plural(left, 'method')} more had no call in the sample." if left else None,
            class_="note",
        )
    )
    return page


def _method_cells(addresses: Addresses, node: str, name: str, told: dict[str, Any]) -> list[Child]:
    timed = told.get("timed_calls", 0)
    mean = told.get("timed_seconds", 0.0) / timed if timed else None
    times = [
        told.get(key) if timed else None
        for key in ("p50_seconds", "p99_seconds", "longest_seconds")
    ]
    return [
        _method_name(addresses, node, name),
        count(told.get("calls")),
        *map(seconds, times),
        seconds(mean),
        count(timed),
    ]


def _method_name(addresses: Addresses, node: str, name: str) -> Html:
    """Return a method as the statistics name it, ``Space.Class/version.method``, with a link."""
    full, _, rest = name.rpartition("/")
    space, _, kind = full.partition(".")
    version, _, method = rest.partition(".")
    if not kind or not version.isdecimal():
        return code(name)
    address = addresses.class_(node, vista.ClassName(space, kind, int(version)))
    return tag(
        "span", tag("a", breakable(full), href=address), tag("wbr"), code(f".{method}"),
        class_="method",
    )  # fmt: skip
