"""Who asks, where proxies stand between: what clients cannot invent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.content.proxies import (
    FORWARDED,
    FORWARDED_FOR,
    HOPS_MAX,
    TrustedProxies,
)
from apps.http.syntax.fields import Fields

INNER = ("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48", "unix:")


def client(value: str | None, peer: str = "127.0.0.1", field: str = FORWARDED_FOR) -> str:
    """Who asks, as a field says it to ``INNER``."""
    pairs = [] if value is None else [(field, value)]
    return TrustedProxies(INNER, field).client_of(peer, Fields(pairs))


def test_a_proxy_that_is_not_named_is_not_believed() -> None:
    assert client("192.0.2.7", peer="192.0.2.9") == "192.0.2.9"
    assert client("192.0.2.7", peer="2001:db8:2::1") == "2001:db8:2::1"


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.9.9.9", "2001:db8:1::5", "unix:"])
def test_one_that_is_named_is_believed(peer: str) -> None:
    assert client("192.0.2.7", peer=peer) == "192.0.2.7"


def test_of_several_the_last_counts_that_is_no_proxy_of_ours() -> None:
    assert client("6.6.6.6, 192.0.2.7, 10.1.1.1, 10.2.2.2") == "192.0.2.7"


def test_requests_of_the_proxies_themselves_are_theirs() -> None:
    assert client("10.1.1.1, 10.2.2.2") == "10.1.1.1"
    assert client(None) == "127.0.0.1"


@pytest.mark.parametrize("value", ["", "nonsense", "unknown", "192.0.2.7, what", '"', "300.1.1.1"])
def test_what_is_no_address_leaves_that_of_the_proxy(value: str) -> None:
    assert client(value) == "127.0.0.1"


def test_an_address_behind_nonsense_is_not_believed() -> None:
    assert client("192.0.2.7, what, 10.1.1.1") == "10.1.1.1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_a_port_is_left_out_and_an_address_has_one_form(text: str, expected: str) -> None:
    assert client(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.7;proto=http", "192.0.2.7"),
        ('For="[2001:db8::7]:80";by=10.1.1.1', "2001:db8::7"),
        ("for=6.6.6.6, for=192.0.2.7, for=10.1.1.1", "192.0.2.7"),
        ("for=unknown", "127.0.0.1"),
        ("for=_hidden, for=10.1.1.1", "10.1.1.1"),
        ("proto=https", "127.0.0.1"),
        ("for", "127.0.0.1"),
        ("for=1;for=2", "127.0.0.1"),
    ],
)
def test_rfc_7239_4_what_forwarded_says(value: str, expected: str) -> None:
    assert client(value, field=FORWARDED) == expected


def test_the_field_that_is_not_meant_says_nothing() -> None:
    fields = Fields([("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "192.0.2.7")])
    assert TrustedProxies(INNER, FORWARDED_FOR).client_of("127.0.0.1", fields) == "192.0.2.7"


def test_addresses_of_ipv4_in_those_of_ipv6_are_the_same() -> None:
    assert TrustedProxies(INNER, FORWARDED_FOR).trusts("::ffff:10.1.1.1")


@pytest.mark.parametrize("sent", ['"', '"6.6.6.6', '6.6.6.6, "\\'])
def test_quotes_of_a_client_do_not_hide_what_the_proxy_wrote(sent: str) -> None:
    assert client(f"{sent}, 192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize("text", ['fe80::1%" 200 "-', "[fe80::1%eth0 x]:80"])
def test_what_stands_behind_the_zone_of_an_address_gets_nowhere(text: str) -> None:
    assert client(text) == "127.0.0.1"


def test_no_more_proxies_are_looked_at_than_the_bound() -> None:
    assert client(", ".join(["192.0.2.7", *["10.1.1.1"] * HOPS_MAX])) == "10.1.1.1"


@given(st.text(st.sampled_from('for="\\,;.:[]1290af \t'), max_size=40), st.sampled_from(["", "x"]))
def test_whatever_a_field_says_somebody_asks(value: str, end: str) -> None:
    for field in (FORWARDED, FORWARDED_FOR):
        assert client((value + end).strip(), field=field)


@pytest.mark.parametrize("word", ["proxy.example", "10.0.0.0/33", "", "10.0.0"])
def test_what_is_no_address_cannot_be_named(word: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|[Nn]etwork|address"):
        TrustedProxies((word,), FORWARDED_FOR)


@pytest.mark.parametrize("sent", ['for="', 'for="6.6.6.6', "for=a b", '"', 'for="x\\', ",,;"])
def test_what_a_client_leaves_open_does_not_hide_what_the_proxy_wrote(sent: str) -> None:
    for written in ("for=192.0.2.7", 'for="192.0.2.7:80";host="a,b"', 'host="\\"";for=192.0.2.7'):
        assert client(f"{sent}, {written}", field=FORWARDED) == "192.0.2.7"


def test_a_text_within_quotes_is_no_element() -> None:
    written = 'for=192.0.2.7;host="x, for=6.6.6.6"'
    assert client(written, field=FORWARDED) == "192.0.2.7"


def protocol(*fields: tuple[str, str], field: str = FORWARDED_FOR, reads: bool = True) -> str:
    """Which protocol the client of a proxy speaks."""
    return TrustedProxies(INNER, field, reads).protocol_of("127.0.0.1", Fields(list(fields)))


@pytest.mark.parametrize(
    ("clients", "said", "expected"),
    [
        ("192.0.2.7", "https", "https"),
        ("192.0.2.7", "HTTP", "http"),
        ("192.0.2.7", "https, http", "http"),
        ("192.0.2.7, 10.1.1.1", "https, http", "https"),
        ("192.0.2.7, 10.1.1.1", "https", "https"),
        ("192.0.2.7", "wss", ""),
        ("192.0.2.7", "", ""),
    ],
)
def test_the_proxy_says_which_protocol_its_client_speaks(
    clients: str, said: str, expected: str
) -> None:
    fields = ("X-Forwarded-For", clients), ("X-Forwarded-Proto", said)
    assert protocol(*fields) == expected


def test_a_field_that_the_proxy_does_not_write_is_the_clients() -> None:
    assert protocol(("X-Forwarded-Proto", "https"), reads=False) == ""


def test_rfc_7239_5_4_the_element_that_names_the_client_names_its_protocol() -> None:
    value = "for=6.6.6.6;proto=https, for=192.0.2.7;proto=http, for=10.1.1.1;proto=https"
    assert protocol(("Forwarded", value), field=FORWARDED, reads=False) == "http"


def test_who_is_no_proxy_speaks_what_it_speaks() -> None:
    fields = Fields([("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Proto", "https")])
    assert TrustedProxies(INNER, FORWARDED_FOR, True).protocol_of("192.0.2.9", fields) == ""
