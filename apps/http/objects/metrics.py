"""What the node counts, as a page for Prometheus.

prometheus_client writes the text: two formats with rules of their own about names, order and
escaping. It does not count: what its counters count with locks and labels, the node has counted
already. The families are made when the page is asked for, and handed over in a registry that is
made for the page, so nothing of it belongs to the process.

Which rows the page has is bounded: what has many kinds is shown by its largest, the rest together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

import vista
from apps.http.content.resources import Request, Response
from apps.http.errors import FieldSyntaxError
from apps.http.objects.counting import BOUNDS, BYTES, REQUESTS, SECONDS, WITHIN
from apps.http.objects.found import service_name
from apps.http.syntax.fields import Weighted

CLASSES_SHOWN_MAX = 100
"""Classes whose objects are counted apart, those with the most; the others count as ``other``."""
LINKS_SHOWN_MAX = 100
"""Links to neighbours that are shown, in the order of their nodes' identities."""
EVENTS_SHOWN_MAX = 500
"""Counters with names of their own that are shown, in the order of the names."""
FIGURES_SHOWN_MAX = 2_000
"""Figures of applications that are shown, in the order of the services that tell them."""
FIGURES = "Figures:"
"""The beginning of the names of services that tell figures of their own by ``get_figures``."""
ASKED_SECONDS = 2.0
"""How long daemons, directories, logs and applications may take together to tell their figures;
what was not told by then is left out."""

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The type of Prometheus' own format."""
OPEN_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
"""The type of OpenMetrics."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OPEN = "application/openmetrics-text"
_OPEN_VERSIONS = frozenset({None, "1.0.0", "0.0.1"})

_TOTALS = {
    "turns": ("loop_turns", "Turns of the loop."),
    "threads_started": ("calls", "Methods invoked, each a thread of its own."),
    "messages_nested": ("messages_nested", "Messages that ran at once in their caller's thread."),
    "messages_queued": ("messages_queued", "Messages that stood in a queue."),
    "access_denied": ("access_denied", "Messages refused by an access list."),
    "posts_failed": ("posts_failed", "One-way messages whose method raised."),
    "posts_lost": ("posts_lost", "One-way messages that reached no method."),
    "overloads": ("overloads", "Messages refused by a full queue."),
    "slow_methods": ("slow_methods", "Methods that held the loop too long."),
}
_LEVELS = {
    "uptime_seconds": "Seconds since the node began.",
    "threads_live": "Threads that run or wait.",
    "workers_idle": "Greenlets kept for the next message.",
    "messages_ready": "Messages that can run but do not yet.",
    "messages_waiting": "Messages whose object is busy.",
    "objects": "Objects of the node.",
    "services": "Service names of the node.",
    "timers": "Timers that run.",
    "loop_lag_seconds": "Mean delay of the last turns of the loop.",
    "loop_lag_longest_seconds": "Longest delay of a turn of the loop.",
}
_STRUCTURED = frozenset({"methods", "objects_by_class"})
_OF_LINKS = {
    "messages_sent": "Messages sent over the link to a neighbour.",
    "messages_received": "Messages received over the link to a neighbour.",
    "bytes_sent": "Bytes sent over the link to a neighbour.",
    "bytes_received": "Bytes received over the link to a neighbour.",
}
_OF_CACHES = {
    "hits": (CounterMetricFamily, "Requests answered by a file that was kept."),
    "misses": (CounterMetricFamily, "Requests for which no file was kept."),
    "evictions": (CounterMetricFamily, "Files that went to make room."),
    "bytes": (GaugeMetricFamily, "Bytes of the files that are kept."),
    "files": (GaugeMetricFamily, "Files that are kept."),
}


class HTTPmetrics(vista.Object, namespace="HTTP"):
    """A page that tells Prometheus, and whatever reads its formats, what the node counts.

    rc line: ``HTTPmetrics localhost /metrics``

    ``create(site, path)``. The page has the calls, threads, queues and objects of the node, the lag
    of its loop, its links, the requests of all its sites by method and kind of status, how long
    answers took, connections, files kept, and what the process takes of the machine; besides what
    applications tell: the services of the node whose names begin with ``Figures:`` are asked for
    ``get_figures``, a list of [name, "counter" or "gauge", words, labels, value]. It says
    nothing of who sent what; who may read it is for the operator to say.

    The text is that of Prometheus, or OpenMetrics for those who ask for it. To write it takes about
    2 ms, and 0.1 us more for each object of the node.
    """

    def create(self, site: str, path: str = "/metrics") -> None:
        """Register for the address."""
        self.path = path
        self.url_directory = vista.service(service_name(site))
        self.url_directory.register_object(path, vista.self_ref(self))

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_object", self.path, me)

    def get_request(self, request: Request) -> Response:
        """Answer with the figures of this moment."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(list(_families())))
        ProcessCollector(registry=registry)
        fields = (("Cache-Control", "no-store"), ("Vary", "Accept"))
        if _wants_openmetrics(request):
            body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
            kind = OPEN_TYPE
        else:
            body, kind = generate_latest(registry), TEXT_TYPE
        return Response(body, 200, (("Content-Type", kind), *fields))


class _Families(Collector):
    """Families that are there already, as a registry takes them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _wants_openmetrics(request: Request) -> bool:
    """Return whether the client would rather have OpenMetrics, in a version that there is."""
    try:
        ranges = request.fields().weighted("Accept")
    except FieldSyntaxError:
        return False
    wanted = max((item.quality for item in ranges if _is_openmetrics(item)), default=0.0)
    plain = max((item.quality for item in ranges if item.value == "text/plain"), default=0.0)
    return wanted > 0 and wanted >= plain


def _is_openmetrics(item: Weighted) -> bool:
    return item.value == _OPEN and dict(item.parameters).get("version") in _OPEN_VERSIONS


def _families() -> Iterator[Metric]:
    statistics = vista.statistics()
    here = vista.here()
    yield InfoMetricFamily(
        "vista_node", "The node that tells this.",
        {"name": here.get_name(), "id": str(vista.id_of(here)).partition("-")[0]},
    )  # fmt: skip
    for key, (name, words) in _TOTALS.items():
        yield CounterMetricFamily(f"vista_{name}", words, statistics[key])
    for key, words in _LEVELS.items():
        yield GaugeMetricFamily(f"vista_{key}", words, statistics[key])
    yield _classes(statistics["objects_by_class"])
    yield from _links(here.describe_peers())
    named = {key: value for key, value in statistics.items() if _is_named(key, value)}
    yield from _requests(named)
    yield _events(named)
    rows = vista.services()
    with vista.timeout(ASKED_SECONDS):
        yield from _sites(rows, vista.id_of(here).node)
        yield from _told(rows, vista.id_of(here).node)


def _is_named(key: str, value: object) -> bool:
    plain = key in _TOTALS or key in _LEVELS or key in _STRUCTURED
    return not plain and type(value) in (int, float)


def _classes(counts: dict[str, int]) -> Metric:
    family = GaugeMetricFamily("vista_class_objects", "Objects by class.", labels=["class"])
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for name, count in largest[:CLASSES_SHOWN_MAX]:
        family.add_metric([name], count)
    if rest := largest[CLASSES_SHOWN_MAX:]:
        family.add_metric(["other"], sum(count for _, count in rest))
    return family


def _links(rows: list[vista.PeerRow]) -> Iterator[Metric]:
    yield GaugeMetricFamily("vista_nodes_reached", "Other nodes that can be reached.", len(rows))
    near = sorted((row for row in rows if row.hops == 1), key=lambda row: row.node)
    yield GaugeMetricFamily("vista_links", "Links to neighbours.", len(near))
    shown = near[:LINKS_SHOWN_MAX]
    labels = ["node", "name"]
    for key, words in _OF_LINKS.items():
        sums = CounterMetricFamily(f"vista_link_{key}", words, labels=labels)
        for row in shown:
            sums.add_metric([row.node, row.name], getattr(row, key) or 0)
        yield sums
    waiting = GaugeMetricFamily(
        "vista_link_messages_waiting", "Messages that wait for a link.", labels=labels
    )
    trips = GaugeMetricFamily(
        "vista_link_round_trip_seconds", "Seconds to a neighbour and back.", labels=labels
    )
    for row in shown:
        waiting.add_metric([row.node, row.name], row.messages_waiting or 0)
        if row.round_trip_seconds is not None:
            trips.add_metric([row.node, row.name], row.round_trip_seconds)
    yield from (waiting, trips)


def _requests(named: dict[str, float]) -> Iterator[Metric]:
    """What `apps.http.objects.counting` counted; it is taken out of ``named``."""
    requests = CounterMetricFamily(
        "vista_http_requests", "Requests answered.", labels=["site", "method", "status"]
    )
    sent = CounterMetricFamily(
        "vista_http_sent_bytes", "Bytes of bodies that were sent.", labels=["site"]
    )
    within: dict[str, dict[str, float]] = {}
    seconds: dict[str, float] = {}
    for key in [key for key in named if key.startswith("HTTP")]:
        kind, _, rest = key.partition("/")
        if kind == REQUESTS:
            method, status, site = rest.split("/", 2)
            requests.add_metric([site, method, status], named.pop(key))
        elif kind == WITHIN:
            bound, _, site = rest.partition("/")
            within.setdefault(site, {})[bound] = named.pop(key)
        elif kind == SECONDS:
            seconds[rest] = named.pop(key)
        elif kind == BYTES:
            sent.add_metric([rest], named.pop(key))
    yield from (requests, sent, _durations(within, seconds))


def _durations(within: dict[str, dict[str, float]], seconds: dict[str, float]) -> Metric:
    family = HistogramMetricFamily(
        "vista_http_answer_seconds",
        "Seconds until the answer to a request was made.",
        labels=["site"],
    )
    for site, counts in within.items():
        total = 0.0
        buckets: list[tuple[str, float]] = []
        for bound in BOUNDS:
            total += counts.get(bound, 0)
            buckets.append((bound, total))
        family.add_metric([site], buckets, seconds.get(site, 0.0))
    return family


def _events(named: dict[str, float]) -> Metric:
    family = CounterMetricFamily(
        "vista_events", "What classes count under names of their own.", labels=["name"]
    )
    for name in sorted(named)[:EVENTS_SHOWN_MAX]:
        family.add_metric([name], named[name])
    return family


def _sites(rows: list[vista.ServiceRow], node: bytes) -> Iterator[Metric]:
    """Ask the daemons, directories and logs of the node itself."""
    own = {row.name: vista.ref_of(row.object) for row in rows if row.object.node == node}
    yield from _asked(
        own, "HTTPdaemon:", "address", "get_figures",
        {
            "connections": (GaugeMetricFamily, "Connections that are open."),
            "connections_accepted": (CounterMetricFamily, "Connections that were accepted."),
        },
        "",
    )  # fmt: skip
    yield from _asked(own, "URLdirectory:", "site", "get_cache_figures", _OF_CACHES, "cache_")
    yield from _asked(
        own, "HTTPlogger:", "site", "get_figures",
        {
            "lines": (CounterMetricFamily, "Lines of the log."),
            "lines_lost": (CounterMetricFamily, "Lines that could not be written."),
        },
        "log_",
    )  # fmt: skip


def _asked(
    own: dict[str, vista.Ref],
    beginning: str,
    label: str,
    message: str,
    keys: Mapping[str, tuple[Callable[..., Any], str]],
    prefix: str,
) -> Iterator[Metric]:
    """Yield a family for each figure that the services of one kind answer a message with."""
    families = {
        key: made(f"vista_http_{prefix}{key}", words, labels=[label])
        for key, (made, words) in keys.items()
    }
    asked = {name: ref for name, ref in own.items() if name.startswith(beginning)}
    for name, ref in asked.items():
        # Whoever lacks the message, or goes while it is asked, has no row.
        figures = _answer_of(_ask(ref, message)) or {}
        for key, family in families.items():
            if key in figures:
                family.add_metric([name.removeprefix(beginning)], figures[key])
    yield from families.values()


def _ask(target: vista.Ref | vista.Id, message: str) -> vista.Future | None:
    try:
        return vista.future(target, message)
    except vista.VistaError:  # it has too much to do; the page is for finding that out
        return None


def _answer_of(call: vista.Future | None) -> Any:
    """Return what a service answers in time, None if it does not."""
    return None if call is None or call.exception() is not None else call.result()


def _told(rows: list[vista.ServiceRow], node: bytes) -> Iterator[Metric]:
    """Ask the applications of the node that tell figures; what is none is left out."""
    families: dict[tuple[str, str, tuple[str, ...]], Any] = {}
    names: set[str] = set()
    own = sorted({(row.name, row.object) for row in rows if row.object.node == node})
    asked = [_ask(id, "get_figures") for name, id in own if name.startswith(FIGURES)]
    told = [_answer_of(call) for call in asked]
    figures = [row for rows in told if isinstance(rows, list) for row in rows]
    for figure in figures[:FIGURES_SHOWN_MAX]:
        match figure:
            case (str(name), "counter" | "gauge" as kind, str(words), dict(labels), value) if (
                _NAME.fullmatch(name)
                and type(value) in (int, float)
                and all(isinstance(label, str) and _NAME.fullmatch(label) for label in labels)
            ):
                key = (name, kind, tuple(sorted(labels)))
                if key not in families and name not in names:
                    made = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                    families[key] = made(name, words, labels=key[2])
                    names.add(name)
                # One name has one kind and the same labels everywhere: the first that comes.
                if key in families:
                    families[key].add_metric([str(labels[label]) for label in key[2]], value)
    yield from families.values()
