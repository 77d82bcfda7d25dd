"""Peer URLs: what is one, what is not, and that messages never repeat a key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.errors import PeerAddressError
from vista.peering.urls import PeerUrl, key_text, parse_connect, parse_key, parse_listen

KEY = bytes(range(32))
TEXT = key_text(KEY)
SOCKETS = "/run/user/1000/vista"

KEYS = st.binary(min_size=32, max_size=32)
LABELS = st.from_regex(r"[A-Za-z_]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?", fullmatch=True)
HOSTS = st.one_of(
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.ip_addresses().map(str),
    st.just("*"),
)
TCP_URLS = st.builds(PeerUrl, st.just("tcp"), HOSTS, st.integers(0, 65535), key=st.none() | KEYS)
NAMES = st.from_regex(r"[a-zA-Z0-9_é%@: -]{0,9}[a-z]", fullmatch=True)
IPC_URLS = st.builds(
    PeerUrl,
    st.just("ipc"),
    path=st.lists(NAMES, min_size=1, max_size=4).map("/".join).map("/{}".format),
)
# Texts that look like URLs go further into the reader than any text does.
NEARLY = st.lists(
    st.sampled_from(
        ["tcp", "ipc", ":", "//", "/", "@", "*", "[", "]", "::1", "%", "4500", "-", "..", TEXT, "é"]
    )
    | st.text(max_size=3),
    max_size=9,
).map("".join)


@given(TCP_URLS | IPC_URLS)
def test_the_text_of_a_url_is_read_back(url: PeerUrl) -> None:
    assert PeerUrl.parse(str(url)) == url


@given(st.text() | NEARLY)
def test_any_text_is_a_url_or_the_named_error(text: str) -> None:
    try:
        url = PeerUrl.parse(text)
    except PeerAddressError:
        return
    assert PeerUrl.parse(str(url)) == url


@given(st.text() | NEARLY)
def test_any_text_is_a_listening_address_or_the_named_error(text: str) -> None:
    try:
        url = parse_listen(text, socket_directory=SOCKETS, name="tower")
    except PeerAddressError:
        return
    assert url.key is None


@given(st.text() | NEARLY)
def test_any_text_is_connected_to_or_gives_the_named_error(text: str) -> None:
    try:
        url = parse_connect(text, socket_directory=SOCKETS)
    except PeerAddressError:
        return
    assert url.scheme == "ipc" or (url.key is not None and url.port > 0)


@given(KEYS)
def test_a_key_is_read_from_its_text_in_either_case(key: bytes) -> None:
    text = key_text(key)
    assert len(text) == 52
    assert text == text.lower()
    assert parse_key(text) == parse_key(text.upper()) == key


@given(KEYS, st.integers(0, 51), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_two_texts_are_never_the_same_key(key: bytes, at: int, character: str) -> None:
    text = key_text(key)
    other = text[:at] + character + text[at + 1 :]
    try:
        read = parse_key(other)
    except PeerAddressError:
        return
    assert (read == key) == (other == text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"tcp://{TEXT}@localhost:4500", None),
        (f"TCP://{TEXT.upper()}@LocalHost:04500", f"tcp://{TEXT}@localhost:4500"),
        ("tcp://*:0", None),
        ("tcp://[::1]:4500", None),
        ("tcp://[0:0:0:0:0:0:0:1]:4500", "tcp://[::1]:4500"),
        ("tcp://[fe80::1%eth0]:4500", None),
        ("tcp://my_host.example:65535", None),
        ("ipc:/run/hub", None),
        ("ipc:///run/hub", "ipc:/run/hub"),
        ("ipc:////run/hub", "ipc:/run/hub"),
        ("ipc:/run/my hub@home:1", None),
        (f"ipc:/{'a' * 106}", None),
        (f"ipc:/{'é' * 53}", None),
    ],
)
def test_a_url_is_shown_in_its_shortest_form(text: str, shown: str | None) -> None:
    assert str(PeerUrl.parse(text)) == (text if shown is None else shown)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "begins with neither"),
        ("localhost:4500", "begins with neither"),
        ("http://localhost:4500", "begins with neither"),
        ("tcp:4500", "tcp: is followed by //"),
        ("tcp://localhost", "the port is missing"),
        ("tcp://[::1]", "the port is missing"),
        ("tcp://:4500", "the host is missing"),
        ("tcp://localhost:", 'not ""'),
        ("tcp://localhost:4500/", 'not "4500/"'),
        ("tcp://localhost:٤", "a port is a number"),
        ("tcp://localhost:65536", "a port lies in 0..65535, not 65536"),
        ("tcp://::1:4500", "stands in brackets"),
        ("tcp://[localhost]:4500", '"localhost" in brackets is no IPv6 address'),
        ("tcp://[::1::]:4500", '"::1::" is no IP address'),
        ("tcp://[fe80::1%e/0]:4500", "is no IP address"),
        ("tcp://[fe80::1%e 0]:4500", "is no IP address"),
        (f"tcp://[fe80::1%{'e' * 16}]:4500", "is no IP address"),
        ("tcp://127.1:4500", '"127.1" is no IP address'),
        ("tcp://256.0.0.1:4500", '"256.0.0.1" is no IP address'),
        ("tcp://höst:4500", "xn-- form"),
        ("tcp://-host:4500", '"-host" is no host name'),
        ("tcp://a..b:4500", '"a..b" is no host name'),
        (f"tcp://{'a.' * 127}a:4500", "is no host name"),
        ("tcp://@localhost:4500", "a key has 52 characters, not 0"),
        (f"tcp://{TEXT[:-1]}@localhost:4500", "a key has 52 characters, not 51"),
        (f"tcp://1{TEXT[1:]}@localhost:4500", "character 1 of the key is '1'"),
        (f"tcp://{TEXT[:-1]}b@localhost:4500", "the last character of a key is a or q, not 'b'"),
        (f"tcp://vista-secret-1{TEXT}@localhost:4500", "this is a secret key"),
        ("ipc", "begins with neither"),
        ("ipc:", "the path of an ipc URL is absolute"),
        ("ipc:hub", "the path of an ipc URL is absolute"),
        ("ipc://hub", "the path of an ipc URL is absolute"),
        ("ipc:/", "ends with the name of the socket"),
        ("ipc:/run/", "ends with the name of the socket"),
        ("ipc:/run/..", "ends with the name of the socket"),
        (f"ipc:/{'a' * 107}", "the path has 108 bytes; that of a socket has at most 107"),
        (f"ipc:/{'é' * 54}", "the path has 109 bytes"),
        ("ipc:/run/hub\n", "white space around it"),
        ("ipc:/run/hub ", "white space around it"),
        (" ipc:/run/hub", "white space around it"),
        ("ipc:/run/\x00", "cannot be printed"),
        ("ipc:/run/\udc80", "cannot be printed"),
    ],
)
def test_a_text_that_is_no_url_is_told_why_and_shown_an_example(text: str, wrong: str) -> None:
    with pytest.raises(PeerAddressError) as caught:
        PeerUrl.parse(text)
    message = str(caught.value)
    assert wrong in message
    assert message.endswith("; write tcp://KEY@host.example:4500 or ipc:/run/user/1000/vista/hub")


@pytest.mark.parametrize(
    "text",
    [
        f"tcp://{TEXT}@localhost",
        f"tcp://{TEXT}x@localhost:1",
        f"tcp://{TEXT[:40]}1{TEXT[:11]}@localhost:1",
        f"tcp://{TEXT[:20]}1{TEXT[20:30]}1{TEXT[30:]}@localhost:1",
        f"tcp://{TEXT[:26]}1{TEXT[26:51]}:4500",
        f"vista-secret-1 {TEXT}",
        f"tcp://vista-secret-1 {TEXT}@localhost:1",
        f"tcp:{TEXT}",
        f"ipc:{TEXT}/",
        f"tcp://localhost:{TEXT}",
        f"tcp://{TEXT}:4500",
        TEXT,
    ],
)
def test_a_message_never_repeats_what_may_be_a_secret_key(text: str) -> None:
    with pytest.raises(PeerAddressError) as caught:
        parse_connect(text, socket_directory=SOCKETS)
    assert TEXT[:12] not in str(caught.value)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(PeerAddressError) as caught:
        PeerUrl.parse("ha " * 10_000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("tcp:4500", "tcp://*:4500"),
        ("tcp:0", "tcp://*:0"),
        ("tcp:localhost:4500", "tcp://localhost:4500"),
        ("tcp:[::1]:4500", "tcp://[::1]:4500"),
        ("tcp://*:4500", "tcp://*:4500"),
        ("ipc", f"ipc:{SOCKETS}/tower"),
        ("ipc:hub", f"ipc:{SOCKETS}/hub"),
        ("ipc:/tmp/hub", "ipc:/tmp/hub"),
        ("ipc:///tmp/hub", "ipc:/tmp/hub"),
    ],
)
def test_a_listening_address_may_be_short(text: str, url: str) -> None:
    assert str(parse_listen(text, socket_directory=SOCKETS, name="tower")) == url


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("4500", "the scheme is missing before the port, as in tcp:4500"),
        ("tcp", 'a port is a number in 0..65535, not ""'),
        ("tcp:", 'a port is a number in 0..65535, not ""'),
        ("ipc:", '"" is no name'),
        ("ipc:-hub", '"-hub" is no name'),
        ("ipc:..", '".." is no name'),
        ("ipc:run/hub", "the path of an ipc URL is absolute"),
        (f"ipc:{'a' * 100}", "that of a socket has at most 107"),
        (f"tcp://{TEXT}@*:4500", "the key is left out: a node listens with its own"),
    ],
)
def test_a_mistaken_listening_address_is_told_why_and_shown_an_example(
    text: str, wrong: str
) -> None:
    with pytest.raises(PeerAddressError) as caught:
        parse_listen(text, socket_directory=SOCKETS, name="tower")
    message = str(caught.value)
    assert message.startswith("listening address ")
    assert wrong in message
    assert message.endswith("; write tcp:4500, tcp://10.0.0.7:4500, ipc or ipc:hub")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (f"tcp://{TEXT}@localhost:4500", f"tcp://{TEXT}@localhost:4500"),
        ("ipc:/tmp/hub", "ipc:/tmp/hub"),
        ("ipc:hub", f"ipc:{SOCKETS}/hub"),
    ],
)
def test_a_peer_may_be_named_by_its_socket(text: str, url: str) -> None:
    assert str(parse_connect(text, socket_directory=SOCKETS)) == url


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("tcp://localhost:4500", "the key of the peer is missing"),
        (f"tcp://{TEXT}@localhost:0", "port 0 is for listening only"),
        (f"tcp://{TEXT}@*:4500", "* is every host"),
        (f"tcp://{TEXT}@0.0.0.0:4500", "0.0.0.0 is every host"),
        (f"tcp://{TEXT}@[::]:4500", ":: is every host"),
    ],
)
def test_what_serves_for_listening_only_is_not_connected_to(text: str, wrong: str) -> None:
    with pytest.raises(PeerAddressError) as caught:
        parse_connect(text, socket_directory=SOCKETS)
    assert wrong in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        {"scheme": "udp", "host": "a"},
        {"scheme": "tcp"},
        {"scheme": "tcp", "host": "a", "path": "/b"},
        {"scheme": "tcp", "host": "a", "port": -1},
        {"scheme": "tcp", "host": "a", "key": b"short"},
        {"scheme": "ipc"},
        {"scheme": "ipc", "path": "//a"},
        {"scheme": "ipc", "path": "/a", "host": "b"},
        {"scheme": "ipc", "path": "/a", "port": 1},
        {"scheme": "ipc", "path": "/a", "key": KEY},
    ],
)
def test_parts_that_make_no_url_are_refused(parts: dict[str, object]) -> None:
    with pytest.raises(PeerAddressError):
        PeerUrl(**parts)  # type: ignore[arg-type]


def test_a_key_of_another_length_has_no_text() -> None:
    with pytest.raises(PeerAddressError, match=r"a key has 32 bytes, not 31"):
        key_text(KEY[1:])
