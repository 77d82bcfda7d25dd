"""The page of figures: two formats that parsers take, and what the figures are of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

import vista
from apps.http.content.resources import Response
from apps.http.objects.counting import METHODS, names_of
from apps.http.objects.logs import HTTPcommonLogFormat
from apps.http.objects.metrics import CLASSES_SHOWN_MAX, OPEN_TYPE, TEXT_TYPE, HTTPmetrics
from tests.http.objects.pages import HttpEchoPage, HttpFailingPage
from tests.http.objects.served import Site, served

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
    "q=0.4,text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
"""What a Prometheus of version 3 accepts."""


@pytest.fixture
def site(tree: Path) -> Iterator[Site]:
    """A site with files and a page of figures."""
    with served(tree) as made:
        vista.create(HTTPmetrics, "localhost", "/metrics")
        yield made


def figures(site: Site, *fields: str) -> dict[tuple[str, ...], float]:
    """The figures of the page: by name and the values of the labels, in the order of the labels."""
    answer = site.get("/metrics", *fields)
    assert answer.status == 200
    is_open = answer.fields["content-type"].startswith("application/openmetrics-text")
    families = (read_open if is_open else read_text)(answer.body.decode())
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_text_of_prometheus_is_the_usual_one(site: Site) -> None:
    answer = site.get("/metrics")
    assert (answer.status, answer.fields["content-type"]) == (200, TEXT_TYPE)
    assert figures(site)[("vista_objects",)] >= 4


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (PROMETHEUS, OPEN_TYPE),
        ("application/openmetrics-text", OPEN_TYPE),
        ("application/openmetrics-text; version=1.0.0, text/plain", OPEN_TYPE),
        ("application/openmetrics-text; q=0.4, text/plain; version=0.0.4; q=0.5", TEXT_TYPE),
        ("application/openmetrics-text; q=0", TEXT_TYPE),
        ("application/openmetrics-text; version=9.9.9", TEXT_TYPE),
        ('application/openmetrics-text; version="x', TEXT_TYPE),
        ("text/plain", TEXT_TYPE),
        ("*/*", TEXT_TYPE),
    ],
)
def test_openmetrics_goes_to_who_asks_for_a_version_there_is(
    site: Site, accept: str, kind: str
) -> None:
    answer = site.get("/metrics", f"Accept: {accept}")
    assert (answer.status, answer.fields["content-type"]) == (200, kind)
    assert answer.fields["vary"] == "Accept" and answer.fields["cache-control"] == "no-store"


def test_openmetrics_is_read_by_its_parser(site: Site) -> None:
    site.get("/a.txt")
    found = figures(site, f"Accept: {PROMETHEUS}")
    assert found[("vista_http_requests_total", "GET", "localhost", "2xx")] == 1
    assert found[("vista_http_answer_seconds_bucket", "+Inf", "localhost")] == 1


def test_requests_are_counted_by_method_and_kind_of_status(site: Site) -> None:
    site.directory.register_object("/page", vista.create(HttpFailingPage))
    for _ in range(3):
        site.get("/a.txt")
    site.get("/nothing")
    site.get("/page?raise")
    site.get("/a.txt", method="BREW")
    site.get("/a.txt", method="PROPFIND")
    site.get("/a.txt", method="HEAD")
    site.talk(b"garbage\r\n\r\n")
    found = figures(site)
    counted = {key[1:]: value for key, value in found.items() if "http_requests" in key[0]}
    assert counted == {
        ("GET", "localhost", "2xx"): 3,
        ("GET", "localhost", "4xx"): 1,
        ("GET", "localhost", "5xx"): 1,
        ("HEAD", "localhost", "2xx"): 1,
        ("other", "localhost", "5xx"): 1,
        ("invalid", "localhost", "4xx"): 1,
        ("invalid", "localhost", "5xx"): 1,
    }


def test_a_histogram_of_times_counts_each_answer_once(site: Site) -> None:
    for _ in range(5):
        site.get("/a.txt")
    found = figures(site)
    buckets = [
        value for key, value in found.items() if key[0] == "vista_http_answer_seconds_bucket"
    ]
    assert len(buckets) == 17 and sorted(buckets) == buckets and buckets[-1] == 5
    assert found[("vista_http_answer_seconds_count", "localhost")] == 5
    assert 0 < found[("vista_http_answer_seconds_sum", "localhost")] < 30


def test_bytes_connections_files_and_lines_are_shown(site: Site, tmp_path: Path) -> None:
    vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
    for _ in range(3):
        site.get("/a.txt")
    found = figures(site)
    address = site.daemon.get_address()
    assert found[("vista_http_sent_bytes_total", "localhost")] == 30
    assert found[("vista_http_connections", address)] >= 1
    assert found[("vista_http_connections_accepted_total", address)] == 4
    assert found[("vista_http_cache_hits_total", "localhost")] == 1
    assert found[("vista_http_cache_misses_total", "localhost")] == 2
    assert found[("vista_http_cache_files", "localhost")] == 1
    assert found[("vista_http_cache_bytes", "localhost")] > 10
    assert found[("vista_http_log_lines_total", "localhost")] == 3


def test_the_objects_of_too_many_classes_are_counted_together(site: Site) -> None:
    many = CLASSES_SHOWN_MAX + 20
    for number in range(many):
        cls = type(f"MetricsKind{number}", (vista.Object,), {"create": lambda self: None})
        vista.create(cls)
    found = figures(site)
    classes = {key[1]: value for key, value in found.items() if key[0] == "vista_class_objects"}
    assert len(classes) == CLASSES_SHOWN_MAX + 1
    assert classes["other"] >= 20


def test_what_a_class_counts_by_itself_is_shown(site: Site) -> None:
    def count() -> None:
        vista.counters()['Harbour "Ships"\nMoored'] += 2

    site.node.call(count)
    assert figures(site)[("vista_events_total", 'Harbour "Ships"\nMoored')] == 2
    found = figures(site, f"Accept: {PROMETHEUS}")
    assert found[("vista_events_total", 'Harbour "Ships"\nMoored')] == 2


def test_each_site_has_figures_of_its_own(site: Site) -> None:
    vista.create("HTTPdaemon", "-", site.daemon.get_address(), "other.example", True)
    vista.create(HttpEchoPage, "other.example", "/page")
    site.talk(b"GET /page HTTP/1.1\r\nHost: other.example\r\n\r\n")
    found = figures(site)
    assert found[("vista_http_requests_total", "GET", "other.example", "2xx")] == 1
    assert ("vista_http_requests_total", "GET", "localhost", "2xx") not in found


def test_a_log_that_tells_no_figures_has_no_row(site: Site) -> None:
    vista.register_service("HTTPlogger:elsewhere", vista.create(HttpEchoPage))
    found = figures(site)
    assert ("vista_http_log_lines_total", "elsewhere") not in found


def test_the_page_goes_with_its_object(site: Site) -> None:
    vista.create(HTTPmetrics, "localhost", "/more")
    assert site.get("/more").status == 200
    vista.delete(site.directory.find("GET", "/more"))
    assert site.get("/more").status == 404


@pytest.mark.parametrize("status", [99, 600, 0, -7, 10**9])
def test_a_status_that_is_none_counts_as_the_error_that_is_sent(site: Site, status: int) -> None:
    site.directory.register_object("/page", vista.create(HttpStatusPage, status))
    assert site.get("/page").status == 500
    assert figures(site)[("vista_http_requests_total", "GET", "localhost", "5xx")] == 1


def test_a_status_that_is_no_number_is_no_answer(site: Site) -> None:
    site.directory.register_object("/page", vista.create(HttpStatusPage, "404"))
    assert site.get("/page").status == 500


def test_names_are_bounded_whatever_clients_send() -> None:
    names = names_of("localhost")
    assert len(names.requests) == len(METHODS) + 2
    assert names.requests.get("X" * 30, names.others) == names.others


class HttpStatusPage(vista.Object):
    """Answers with the status it was made with."""

    def create(self, status: object) -> None:
        self.status = status

    def get_request(self, request: object) -> object:
        return Response("x", self.status)  # type: ignore[arg-type]


class HttpFiguresTeller(vista.Object):
    """Tells figures of its own, some of which are none."""

    def create(self, name: str, rows: list[object]) -> None:
        self.rows = rows
        vista.register_service(f"Figures:{name}", self)

    def get_figures(self) -> list[object]:
        return self.rows


def test_what_applications_tell_is_on_the_page(site: Site) -> None:
    rows = [("tide_level", "gauge", "How high.", {"harbour": name}, 2.5) for name in "ab"]
    vista.create(HttpFiguresTeller, "one", [*rows, ("tide_turns", "counter", "Turns.", {}, 3)])
    vista.create(HttpFiguresTeller, "two", [("tide_level", "gauge", "So.", {"harbour": "c"}, 1)])
    found = figures(site)
    assert [found["tide_level", name] for name in "abc"] == [2.5, 2.5, 1.0]
    assert found[("tide_turns_total",)] == 3


def test_what_is_no_figure_is_left_out_and_the_page_stands(site: Site) -> None:
    good = ("tide_level", "gauge", "How high.", {}, 1)
    bad = [
        None, ("Tide level", "gauge", "", {}, 1), ("tide_x", "histogram", "", {}, 1),
        ("tide_y", "gauge", "", {}, "high"), ("tide_level", "counter", "", {}, 1),
        ("tide_level", "gauge", "", {"x": "y"}, 1),
    ]  # fmt: skip
    vista.create(HttpFiguresTeller, "all", [good, *bad])
    found = figures(site)
    assert {key: value for key, value in found.items() if key[0].startswith("tide")} == {
        ("tide_level",): 1.0
    }
