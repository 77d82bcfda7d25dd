"""What requests bring, and what is made of it: bounds, words, and whatever anybody may send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vista
from apps.http.content.resources import Request
from apps.http.errors import RequestRejected
from apps.http.objects.asking import ask
from apps.solidstate.errors import EndlessMethodError, StateTooLargeError
from apps.solidstate.web.bounds import QUERY_CHARACTERS_MAX
from apps.solidstate.web.reading import blame, mistake_in
from apps.solidstate.web.tickets import session_id
from tests.solidstate.web.shop import SITE, TEMPLATES
from vista.testing import SimulatedNode, World

SECRET = "s" * 43


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ValueError("too many"), 400, "too many"),
        (ValueError(), 400, "What was sent cannot be done."),
        (KeyError("tea"), 500, "Something went wrong, and it is noted."),
        (vista.BadValueError("inside"), 500, "Something went wrong, and it is noted."),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), 500, "Something went wrong"),
        (vista.RemoteFailure("LabError: x"), 500, "Something went wrong"),
        (vista.NotAValueError("x"), 500, "Something went wrong"),
        (EndlessMethodError("lines"), 500, "What was asked for takes too long."),
        (StateTooLargeError("bytes"), 507, "There is no room for more."),
    ],
    ids=["value", "no words", "key", "bad", "unicode", "remote", "no value", "endless", "large"],
)
def test_what_a_class_raises_in_words(error: Exception, status: int, words: str) -> None:
    said = blame(error)
    assert said[0] == status
    assert said[1].startswith(words)


@pytest.mark.parametrize(
    "result",
    [
        None,
        "index.html",
        {"page": 3},
        {"page": "/index.html"},
        {"page": "index.html", "query": "x"},
        {"page": "index.html", "query": {"x": [1]}},
        {"page": "index.html", "query": {1: "x"}},
        {"page": "index.html", "query": {"x": "\u00e9" * (QUERY_CHARACTERS_MAX // 6)}},
        {"page": "index.html", "query": {"x": "\ud800"}},
        {"page": "index.html", "query": {"x": 10**5_000}},
        {"page": "index.html", "query": {"page": "cart.html"}},
    ],
    ids=[
        "none",
        "text",
        "number",
        "path",
        "query",
        "value",
        "name",
        "long",
        "half",
        "digits",
        "page",
    ],
)
def test_what_leads_nowhere(result: Any) -> None:
    given = result if isinstance(result, dict) else {}
    assert mistake_in(result, given.get("page", "index.html"), given.get("query", {}))


def test_what_leads_somewhere() -> None:
    assert mistake_in({}, "index.html", {"x": 1, "y": "z", "w": 0.5}) == ""


# --- whatever anybody may send ---------------------------------------------------------------


class WebStub(vista.Object):
    """In the place of a group: its answers are good, and it notes what it was asked."""

    def create(self) -> None:
        self.fails = False
        vista.register_service("stub", vista.self_ref(self))

    def make_state_variable(self, cls: Any, name: str) -> bool:
        if self.fails:
            raise KeyError("secret of the class")
        return True

    def fail(self, fails: bool) -> None:
        self.fails = fails

    def issue_request(self, method: str, args: Any, name: str, key: str | None = None) -> Any:
        if method == "show":
            return {"lines": [], "kinds": 0, "page_name": "not this"}
        if method == "note_use":
            return None
        assert all(isinstance(text, str) for pair in args[0].items() for text in pair)
        return {"page": "index.html", "query": args[0]}


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatedNode]:
    """A node with a site whose group is a stub."""

    def open_site() -> None:
        vista.create("URLdirectory", SITE)
        vista.create(WebStub)
        vista.create("RegisterReplicaHTTPclass", SITE, "shop", "WebCart", TEMPLATES)
        vista.create("CreateReplicaHTTPsession", SITE, "", "stub", "/transactions", 0.0)

    with World(1) as world:
        made = world.node("web")
        made.call(open_site)
        yield made


def status_of(request: Request) -> int:
    """The status of an answer."""
    try:
        answer = ask(vista.service(f"URLdirectory:{SITE}"), request)
    except RequestRejected as error:
        return error.status
    return int(answer.status)


line = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
path = st.one_of(
    st.sampled_from(["", "/sessions", f"/sessions/{session_id('shop', SECRET)}/proxy"]),
    line.map(lambda text: f"/sessions/{text}"),
    line.map(lambda text: f"/sessions/{session_id('shop', SECRET)}/{text}"),
)
cookie = st.one_of(st.just(f"replica-shop={SECRET}"), line, line.map("replica-shop={}".format))


@settings(max_examples=60)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]),
    path=path,
    query=st.one_of(line, line.map("page={}".format), line.map("type={}".format)),
    cookie=cookie,
    origin=st.sampled_from(["", f"http://{SITE}", "null", "http://\u00e9"]),
    kind=st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]),
    body=st.one_of(st.binary(max_size=80), line.map(lambda text: f"key={text}".encode())),
)
def test_whatever_is_sent_gets_a_page(node: SimulatedNode, **sent: Any) -> None:
    header = {"host": SITE, "cookie": sent["cookie"], "content-type": sent["kind"]}
    if sent["origin"]:
        header["origin"] = sent["origin"]
    request = Request(
        sent["method"], "/transactions" + sent["path"], sent["query"],
        "\n".join(header), "\n".join(header.values()), sent["body"], SITE, SITE, "10.0.0.1",
    )  # fmt: skip
    told = node.call(lambda: status_of(request))
    assert told in {200, 204, 303, 400, 403, 404, 405, 413, 414, 415, 429}


def test_what_the_adapter_gives_a_page_is_not_the_classes_to_say(node: SimulatedNode) -> None:
    request = Request(
        "GET", f"/transactions/sessions/{session_id('shop', SECRET)}/proxy", "",
        "host\ncookie", f"{SITE}\nreplica-shop={SECRET}", b"", SITE, SITE,
    )  # fmt: skip
    answer = node.call(lambda: ask(vista.service(f"URLdirectory:{SITE}"), request))
    assert "<title>index.html of shop</title>" in answer.body


def test_a_site_that_is_closed_leaves_nothing(node: SimulatedNode) -> None:
    def close() -> list[str]:
        made = vista.create("CreateReplicaHTTPsession", SITE, "", "stub", "/other", 0.0)
        directory = vista.service(f"URLdirectory:{SITE}")
        cookie = f"replica-shop={SECRET}"
        request = Request("GET", "/other", "", "host\ncookie", f"{SITE}\n{cookie}")
        assert ask(directory, request).status == 303
        assert [own for own in directory.get_paths() if own.startswith("/other/")]
        made.delete_yourself()
        vista.sleep(0.1)
        paths = [*directory.get_paths(), *directory.get_protected()]
        return [own for own in paths if own.startswith("/other")]

    assert node.call(close) == []


def test_a_class_that_lets_no_session_begin_is_a_page_without_its_words(
    node: SimulatedNode,
) -> None:
    def come() -> Any:
        group = vista.service("stub")
        group.fail(True)
        answer = ask(
            vista.service(f"URLdirectory:{SITE}"), Request("GET", "/transactions", "type=shop")
        )
        group.fail(False)
        return answer

    answer = node.call(come)
    assert answer.status == 500
    assert "secret of the class" not in answer.body
