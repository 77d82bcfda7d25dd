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
from apps.http.syntax.fields import Fields, parse_parameters

FORWARDED_FOR = "x-forwarded-for"
"""The field that nearly all proxies write: addresses, with commas between them."""
FORWARDED = "forwarded"
"""The field of RFC 7239, as in ``for=192.0.2.60;proto=http``."""
FORWARDED_FIELDS = (FORWARDED_FOR, FORWARDED)
"""The fields there are. One of them is read: a proxy that writes the one hands on the other as its
client has sent it."""
PROTOCOLS = ("http", "https")
"""What a proxy may say that its client speaks."""
HOPS_MAX = 16
"""Proxies one behind the other that are looked at: more of them are a loop, or nonsense."""
FORWARDED_PROTO = "x-forwarded-proto"
"""The field that says beside `FORWARDED_FOR` which protocol the client speaks, where the operator
says that the proxy writes it too; the element of `FORWARDED` says it itself."""
COMMAS_MAX = 64
"""Commas in `FORWARDED` that are looked at, from its end on: some may stand within quotes."""
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

    def __init__(self, words: tuple[str, ...], field: str, reads_protocol: bool = False) -> None:
        self._field = field
        self._reads_protocol = reads_protocol
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
        return self._read(peer, fields)[0]

    def protocol_of(self, peer: str, fields: Fields) -> str:
        """Return which protocol the client speaks with its proxy, ``http`` or ``https``.

        It is ``""`` where the proxy does not say.
        """
        skipped, element = self._read(peer, fields)[1:]
        if self._field == FORWARDED:
            said = _parameter(element, "proto")
        elif self._reads_protocol:
            values = fields.combined.get(FORWARDED_PROTO, "").split(",")
            # Of several, what was said by the proxy that the client came to.
            place = max(-max(skipped, 1), -len(values))
            said = values[place].strip(" \t") if self.trusts(peer) else ""
        else:
            said = ""
        said = said.lower()
        return said if said in PROTOCOLS else ""

    def _read(self, peer: str, fields: Fields) -> tuple[str, int, str]:
        """Return the client, how many proxies told of it, and what the first of them wrote."""
        client, skipped, element = peer, 0, ""
        value = fields.combined.get(self._field)
        if value is None:
            return client, skipped, element
        for hop in _hops_of(self._field, value):
            if not self.trusts(client):
                break
            skipped, element = skipped + 1, hop
            found = _address(hop if self._field == FORWARDED_FOR else _parameter(hop, "for"))
            if found is None:
                break
            client = found
        return client, skipped, element


Believed = tuple[tuple[str, ...], str, bool]
"""The arguments of `TrustedProxies`, as a value that objects pass on."""

NOBODY: Believed = ((), FORWARDED_FOR, False)
"""That no proxy is believed."""


@functools.lru_cache(maxsize=64)
def proxies_of(words: tuple[str, ...], field: str, reads_protocol: bool = False) -> TrustedProxies:
    """Return the proxies for words and a field; the same for the same ones."""
    return TrustedProxies(words, field, reads_protocol)


def _hops_of(field: str, value: str) -> list[str]:
    """Return what each proxy wrote, the last one first, `HOPS_MAX` at most."""
    if field == FORWARDED_FOR:
        # It has no quotes: one that a client sends must not hide what the proxy wrote behind it.
        hops = [hop for part in value.split(",") if (hop := part.strip(" \t"))]
        return hops[::-1][:HOPS_MAX]
    return _elements_from_end(value)


def _elements_from_end(value: str) -> list[str]:
    """Return the elements of Forwarded, the last one first, as far as they are well-formed.

    Read from the end, since what stands at the beginning is the client's: a quote that it leaves
    open would swallow what its proxy wrote behind it. The shortest end that is an element is one:
    the rest of a text within quotes never is, since it has one quote too many.
    """
    found: list[str] = []
    end = start = len(value)
    for _ in range(COMMAS_MAX):
        start = value.rfind(",", 0, start)
        element = value[start + 1 : end].strip(" \t")
        if not element or _is_element(element):
            if element:
                found.append(element)
            end = max(start, 0)
        if start < 0 or len(found) >= HOPS_MAX:
            break
    return found


def _is_element(text: str) -> bool:
    try:
        parse_parameters(";" + text)
    except FieldSyntaxError:
        return False
    return True


def _parameter(element: str, name: str) -> str:
    """Return what an element of Forwarded says of something, ``""`` if it says nothing."""
    try:
        return parse_parameters(";" + element)[1].get(name, "")
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
