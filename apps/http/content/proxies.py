"""Who asks, where a proxy stands between the client and the server.

All connections come from the proxy then, which says in a field who its client is. Two rules. What a
field says counts only where the connection comes from a proxy that the operator has named: anybody
can send such a field. And of a list of addresses the last one counts that is no proxy of the
operator's: each proxy adds to the end, and what stands before may be the client's invention.
"""

from __future__ import annotations

import functools
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from apps.http.errors import FieldSyntaxError
from apps.http.syntax.fields import Fields, parse_parameters, split_list

FORWARDED_FOR = "x-forwarded-for"
"""The field that nearly all proxies write: addresses, with commas between them."""
FORWARDED = "forwarded"
"""The field of RFC 7239, as in ``for=192.0.2.60;proto=http``."""
FORWARDED_FIELDS = (FORWARDED_FOR, FORWARDED)
"""The fields there are. One of them is read: a proxy that writes the one hands on the other as its
client has sent it."""
HOPS_MAX = 16
"""Proxies one behind the other that are looked at: more of them are a loop, or nonsense."""
UNIX = "unix:"
"""The address of whoever comes over a Unix socket, who may be a trusted proxy as well."""


class TrustedProxies:
    """The proxies that are believed, and the field in which they say who their client is.

    ``words`` are addresses, networks such as ``10.0.0.0/8``, or ``unix:``. Raises ValueError for
    anything else.

    >>> proxies = TrustedProxies(("127.0.0.1", "10.0.0.0/8"), FORWARDED_FOR)
    >>> fields = Fields([("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.1.2.3")])
    >>> proxies.client_of("127.0.0.1", fields), proxies.client_of("192.0.2.9", fields)
    ('192.0.2.7', '192.0.2.9')
    """

    def __init__(self, words: tuple[str, ...], field: str) -> None:
        self._field = field
        self._unix = UNIX in words
        networks = [ip_network(word, strict=False) for word in words if word != UNIX]
        self._networks: list[IPv4Network | IPv6Network] = networks

    def trusts(self, address: str) -> bool:
        """Tell whether an address is that of a trusted proxy."""
        if address == UNIX:
            return self._unix
        try:
            found = ip_address(address)
        except ValueError:
            return False
        own = getattr(found, "ipv4_mapped", None) or found
        return any(own in network for network in self._networks if network.version == own.version)

    def client_of(self, peer: str, fields: Fields) -> str:
        """Return the address of the client of a request that came from ``peer``.

        Where the field says nothing that is an address, it is that of the proxy that wrote it.
        """
        client = peer
        value = fields.combined.get(self._field)
        if value is None:
            return peer
        for hop in reversed(_hops_of(self._field, value)[-HOPS_MAX:]):
            if not self.trusts(client):
                break
            found = _address(hop if self._field == FORWARDED_FOR else _for_of(hop))
            if found is None:
                break
            client = found
        return client


@functools.lru_cache(maxsize=64)
def proxies_of(words: tuple[str, ...], field: str) -> TrustedProxies:
    """Return the proxies for words and a field; the same for the same ones."""
    return TrustedProxies(words, field)


def _hops_of(field: str, value: str) -> list[str]:
    """Return what each proxy wrote, the last one last; nothing where that cannot be told."""
    if field == FORWARDED_FOR:
        # It has no quotes: one that a client sends must not hide what the proxy wrote behind it.
        return [hop for part in value.split(",") if (hop := part.strip(" \t"))]
    try:
        return list(split_list(value))
    except FieldSyntaxError:
        return []


def _for_of(element: str) -> str:
    """Return who an element of Forwarded says the client is, ``""`` if it says nothing."""
    try:
        return parse_parameters(";" + element)[1].get("for", "")
    except FieldSyntaxError:
        return ""


def _address(text: str) -> str | None:
    """Return an address that may have a port, in its usual form; None for what is none."""
    text = text.strip()
    if "%" in text:  # what stands behind it may be anything, and would get into the log
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
