"""The pages of health: live, ready, and what makes a node not ready."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.http.objects import health
from apps.http.objects.health import HTTPhealth
from tests.http.objects.served import Site, served


class HealthCheckedThing(vista.Object):
    """Is as well as it is told."""

    def create(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked = 0

    def check_health(self) -> Any:
        self.asked += 1
        if self.answer == "raise":
            raise RuntimeError("no connection")
        if self.answer == "sleep":
            vista.sleep(1000)
        return self.answer

    def is_full(self) -> str:
        return "full"

    def get_asked(self) -> int:
        return self.asked


@pytest.fixture
def site() -> Iterator[Site]:
    """A site without files."""
    with served() as made:
        vista.create("ShutdownService")
        yield made


@pytest.fixture
def page(site: Site) -> vista.Ref:
    """Its pages of health."""
    return vista.create(HTTPhealth, "localhost", "/health")


def told(site: Site, path: str = "/health") -> tuple[int, Any]:
    """Status and content of a page of health."""
    answer = site.get(path)
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["cache-control"] == "no-store"
    return answer.status, json.loads(answer.body)


@pytest.mark.usefixtures("page")
def test_a_node_without_checks_is_live_and_ready(site: Site) -> None:
    assert told(site) == (200, {"status": "ready"})
    assert told(site, "/health/ready") == (200, {"status": "ready"})
    assert told(site, "/health/live") == (200, {"status": "live"})


def test_a_check_that_is_well_leaves_the_node_ready(site: Site, page: vista.Ref) -> None:
    page.add_check("one", vista.create(HealthCheckedThing))
    page.add_check("two", vista.create(HealthCheckedThing, True))
    assert told(site) == (200, {"status": "ready", "checks": {"one": "ok", "two": "ok"}})


@pytest.mark.parametrize(
    ("answer", "words"),
    [("no space", "no space"), (False, "not well"), ("", "not well"), (7, "not well")],
)
def test_a_check_that_fails_says_what_is_wrong(
    site: Site, page: vista.Ref, answer: Any, words: str
) -> None:
    page.add_check("good", vista.create(HealthCheckedThing))
    page.add_check("disk", vista.create(HealthCheckedThing, answer))
    expected = {"status": "failed", "checks": {"good": "ok", "disk": words}}
    assert told(site) == (503, expected)
    assert told(site, "/health/live") == (200, {"status": "live"})


def test_a_check_that_raises_failed(site: Site, page: vista.Ref) -> None:
    page.add_check("database", vista.create(HealthCheckedThing, "raise"))
    status, content = told(site)
    assert status == 503 and "no connection" in content["checks"]["database"]


def test_a_check_whose_object_is_gone_failed(site: Site, page: vista.Ref) -> None:
    thing = vista.create(HealthCheckedThing)
    page.add_check("thing", thing)
    vista.delete(thing)
    assert told(site)[0] == 503


def test_a_check_without_such_a_message_failed(site: Site, page: vista.Ref) -> None:
    page.add_check("thing", vista.create(HealthCheckedThing), "is_empty")
    assert told(site)[0] == 503


def test_a_check_may_have_a_message_of_its_own(site: Site, page: vista.Ref) -> None:
    page.add_check("thing", vista.create(HealthCheckedThing), "is_full")
    assert told(site)[1]["checks"] == {"thing": "full"}


def test_a_check_that_never_answers_failed(
    site: Site, page: vista.Ref, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.1)
    page.add_check("thing", vista.create(HealthCheckedThing, "sleep"))
    page.add_check("good", vista.create(HealthCheckedThing))
    status, content = told(site)
    assert status == 503 and content["checks"]["good"] == "ok" != content["checks"]["thing"]


def test_checks_run_once_a_second_however_often_somebody_asks(
    site: Site, page: vista.Ref, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECKED_SECONDS", 1000.0)
    thing = vista.create(HealthCheckedThing)
    page.add_check("thing", thing)
    for _ in range(10):
        told(site)
    assert thing.get_asked() == 1
    monkeypatch.setattr(health, "CHECKED_SECONDS", 0.0)
    told(site)
    assert thing.get_asked() == 2


def test_a_check_that_never_ran_does_not_count_as_well(
    site: Site, page: vista.Ref, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.3)
    page.add_check("slow", vista.create(HealthCheckedThing, "sleep"))
    with site.connect() as first:
        first.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, content = told(site)
    assert (status, content["checks"]) != (200, {"slow": "ok"})


def test_a_check_that_was_removed_counts_no_longer(site: Site, page: vista.Ref) -> None:
    page.add_check("thing", vista.create(HealthCheckedThing, False))
    assert told(site)[0] == 503
    assert page.remove_check("thing") is True
    assert page.remove_check("thing") is False
    assert told(site) == (200, {"status": "ready"})


def test_there_are_a_hundred_checks_at_most(site: Site, page: vista.Ref) -> None:
    thing = vista.create(HealthCheckedThing)
    for number in range(100):
        page.add_check(str(number), thing)
    with pytest.raises(vista.Overloaded, match=r"at most 100 checks"):
        page.add_check("100", thing)
    page.add_check("99", thing)


def test_a_node_may_be_taken_out_and_put_back(site: Site, page: vista.Ref) -> None:
    page.take_out("maintenance")
    assert told(site) == (503, {"status": "maintenance"})
    assert told(site, "/health/live")[0] == 200
    page.put_back()
    assert told(site)[0] == 200


def test_a_node_that_stops_is_not_ready(site: Site, page: vista.Ref) -> None:
    page.system_shutdown()
    assert told(site) == (503, {"status": "stopping"})
    assert site.get("/health").fields["retry-after"] == "5"


def test_the_shutdown_service_tells_it(site: Site, page: vista.Ref) -> None:
    assert vista.id_of(page) in [vista.id_of(target) for target in site.node.call(_subscribers)]


def _subscribers() -> list[Any]:
    found: list[Any] = vista.send("ShutdownService", "extract_instance_variables")["subscribers"]
    return found


def test_the_pages_go_with_their_object(site: Site, page: vista.Ref) -> None:
    vista.delete(page)
    assert site.get("/health").status == site.get("/health/live").status == 404
