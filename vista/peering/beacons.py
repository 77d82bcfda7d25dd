"""Beacons: how the nodes of a mesh find one another by datagrams to all of them.

A sans-io core: ``handle(event, now) -> effects`` and ``next_deadline()``. The rules:

1. A node announces itself when it starts, when it hears a node it did not know, and then each
   interval. So two nodes know one another after one datagram each way, whoever came first.
2. An announcement proves nothing: whoever sends to the group can repeat or invent one. It is only
   a place to try. Whether there is a link is decided there, by the keys, or on ``ipc:`` by the
   directory of the socket. So only such are believed that could come to a link, and a tcp address
   only from the host that it names: nobody can have nodes knock at the door of a third one.
3. Of two nodes the one of the smaller identity connects. If no link comes of it, since it hears
   nothing or cannot get through, the other one does so too. Where both get through, one link stays
   (see `vista.peering.rivals`).
4. As long as there is a link, what is announced cannot end it. Only a node without one is
   forgotten, after a few of its intervals without a word.

An announcement is one array of msgpack::

    ["vista-mesh", version, domain, node, epoch, number, interval in ms, key, URL without the key]

Where a node is reached at several addresses it sends one for each, at that interface. ``number``
counts up, so that a datagram that comes twice, or late, is known as such. What stands behind the
URL is passed over, so that a later version may add something.

After the original's AutomaticIPCMesh, whose ``localSecret`` the keys replace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from vista.errors import BadValueError, PeerAddressError, RemoteProtocolError
from vista.ids import NODE_BYTES
from vista.limits import Limits
from vista.peering.paths import EPOCH_BYTES, is_bytes
from vista.peering.urls import KEY_BYTES, PeerUrl
from vista.wire.codec import pack_plain, unpack_plain

MARK: Final = "vista-mesh"
VERSION: Final = 1
DOMAIN_CHARACTERS_MAX: Final = 64
"""Characters of the name of a domain: a word for people."""

URLS_MAX: Final = 8
"""Addresses of one node that are kept in mind: those heard last."""

_URL_CHARACTERS_MAX: Final = 120
_NUMBER_MAX: Final = 2**53
_FIELDS: Final = 9

_REASONS = "garbage oversize flood version domain identity address socket stranger repeated run"

REASONS: Final = (*_REASONS.split(), "full")
"""Why announcements are ignored.

``garbage``: it is none. ``oversize``: it has more bytes than one has. ``flood``: more came in a
second than are looked at. ``version``: of a protocol not known here. ``domain``: of another domain.
``identity``: in the name of this node, by another run. ``address``: the host that sent it is not
the one it names. ``socket``: no such socket is in the directory of this user. ``stranger``: its key
is not to be let in. ``repeated``: heard before. ``run``: of another run of a node that is linked,
or the second one within a moment. ``full``: as many nodes are known as may be.
"""


@dataclass(frozen=True, slots=True)
class Started:
    """This node can be reached at these URLs from now on, one for each interface by its address."""

    urls: Mapping[str, PeerUrl]


@dataclass(frozen=True, slots=True)
class Heard:
    """A datagram came from the host ``source``, an IP address."""

    data: bytes
    source: str


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Messages can cross a link to this run of the node (10 and 8 bytes), whoever opened it."""

    node: bytes
    epoch: bytes


@dataclass(frozen=True, slots=True)
class LinkDown:
    """There is no link to the node any more."""

    node: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """The time that ``next_deadline()`` named has come."""


Event = Started | Heard | LinkUp | LinkDown | Tick


@dataclass(frozen=True, slots=True)
class Announce:
    """Send the datagram to the group, at the interface that has the address ``place``."""

    place: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Met:
    """A node is known that was not."""

    node: bytes


@dataclass(frozen=True, slots=True)
class Connect:
    """Try for a link to the node at this URL, and at no other one, until it is forgotten."""

    node: bytes
    url: PeerUrl


@dataclass(frozen=True, slots=True)
class Forget:
    """The node is known no more: try for no link to it."""

    node: bytes


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody announces himself with a key that is not to be let in; said once for each key."""

    key: bytes
    url: PeerUrl


Effect = Announce | Met | Connect | Forget | Stranger


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a node says of itself to the group.

    ``node`` (10 bytes) is its identity, ``epoch`` (8 bytes) that of its run, ``number`` counts what
    it announced in this run. It announces itself each ``interval_ms`` milliseconds. It can be
    reached at ``url``, where it proves ``key`` (32 bytes) if that is a tcp one.
    """

    domain: str
    node: bytes
    epoch: bytes
    number: int
    interval_ms: int
    key: bytes
    url: PeerUrl

    def pack(self) -> bytes:
        """Return it as a datagram."""
        address = str(replace(self.url, key=None))
        who = (self.domain, self.node, self.epoch)
        return pack_plain([MARK, VERSION, *who, self.number, self.interval_ms, self.key, address])


class _OtherVersionError(RemoteProtocolError):
    """An announcement in a version of the protocol that is not known here."""


def read_announcement(data: bytes, limits: Limits) -> Announcement:
    """Read a datagram. Raises `RemoteProtocolError` for anything but an announcement."""
    told = unpack_plain(data)
    if type(told) is not list or len(told) < 2 or told[0] != MARK:
        raise RemoteProtocolError("no announcement of a mesh")
    if told[1] != VERSION:
        raise _OtherVersionError("an announcement of another version")
    if len(told) < _FIELDS:
        raise RemoteProtocolError(f"an announcement of {len(told)} fields")
    _, _, domain, node, epoch, number, interval, key, text = told[:_FIELDS]
    bounds = limits.mesh_interval_seconds_min * 1000, limits.mesh_interval_seconds_max * 1000
    if not (
        is_domain(domain)
        and is_bytes(node, NODE_BYTES)
        and is_bytes(epoch, EPOCH_BYTES)
        and (type(number) is int and 0 < number <= _NUMBER_MAX)
        and (type(interval) is int and bounds[0] <= interval <= bounds[1])
        and is_bytes(key, KEY_BYTES)
        and (type(text) is str and len(text) <= _URL_CHARACTERS_MAX)
    ):
        raise RemoteProtocolError("an announcement with a wrong field")
    return Announcement(domain, node, epoch, number, interval, key, _read_url(text, key))


def _read_url(text: str, key: bytes) -> PeerUrl:
    try:
        url = PeerUrl.parse(text)
        if url.key is not None:
            raise RemoteProtocolError("a URL in an announcement has no key")
        if url.scheme == "tcp":
            url = replace(url, key=key)
        url.check_connectable()
    except PeerAddressError as error:
        raise RemoteProtocolError(f"an announcement with a wrong URL: {error}") from None
    return url


def is_domain(value: Any) -> bool:
    """Whether the value can be the name of a domain: 1 to 64 printable characters."""
    return type(value) is str and 0 < len(value) <= DOMAIN_CHARACTERS_MAX and value.isprintable()


class Contact:
    """A node that was heard: one run of it, and where it can be reached.

    ``urls`` are the last ones it was heard from, each with the number of the last announcement;
    ``trying`` is the one that this node tries to connect to, or None.
    """

    def __init__(self, said: Announcement, now: float) -> None:
        self.node = said.node
        self.epoch = said.epoch
        self.urls: dict[PeerUrl, int] = {}
        self.interval_seconds = said.interval_ms / 1000
        self.since = now
        self.heard_at = now
        self.waits_since = now
        self.trying: PeerUrl | None = None

    def is_new(self, said: Announcement) -> bool:
        """Whether an announcement of this run was not heard before."""
        return said.number > self.urls.get(said.url, 0)

    def take(self, said: Announcement, now: float) -> None:
        """Keep in mind what the node said of itself."""
        self.urls.pop(said.url, None)
        self.urls[said.url] = said.number
        if len(self.urls) > URLS_MAX:
            del self.urls[next(iter(self.urls))]
        self.interval_seconds = said.interval_ms / 1000
        self.heard_at = now

    def next_url(self) -> PeerUrl:
        """Return the URL to try after the present one: another one, if there is one."""
        known = list(self.urls)
        at = known.index(self.trying) + 1 if self.trying in self.urls else 0
        return known[at % len(known)]


class Beacons:
    """Finds the nodes of a mesh for the node ``node`` (10 bytes) in its run ``epoch`` (8 bytes).

    ``key`` is the node's public key (32 bytes). Announcements of other domains are ignored.
    ``admits(key)`` says whether a peer with this key would be let in, ``has_socket(path)`` whether
    a Unix socket is one of this user's. ``dice`` spread what would else happen everywhere at once.
    Raises `BadValueError` for a domain or an interval that cannot be.

    What was sent by others never raises. ``heard`` counts the announcements that were believed,
    ``ignored`` the others by their reason, see `REASONS`; ``announced`` the own ones.

    >>> beacons.handle(Started({"10.0.0.7": url}), now=0.0)
    [Announce(place='10.0.0.7', data=...)]
    >>> beacons.handle(Heard(data, "10.0.0.8"), now=0.1)
    [Met(node=...), Connect(node=..., url=...)]
    """

    def __init__(
        self,
        node: bytes,
        epoch: bytes,
        key: bytes,
        *,
        domain: str,
        interval_seconds: float,
        limits: Limits,
        admits: Callable[[bytes], bool],
        has_socket: Callable[[str], bool],
        dice: Random,
    ) -> None:
        shortest, longest = limits.mesh_interval_seconds_min, limits.mesh_interval_seconds_max
        if type(interval_seconds) not in (int, float) or not (
            shortest <= interval_seconds <= longest
        ):
            raise BadValueError(
                f"a mesh announces itself each {shortest:g} to {longest:g} seconds, not "
                f"{interval_seconds!r} (limits mesh_interval_seconds_min and _max)"
            )
        if not is_domain(domain):
            raise BadValueError(
                f"a domain is a name of 1 to {DOMAIN_CHARACTERS_MAX} printable characters, not "
                f"{domain!r:.80}"
            )
        self.domain = domain
        self.interval_seconds = interval_seconds
        self.contacts: dict[bytes, Contact] = {}
        self.linked: dict[bytes, bytes] = {}
        self.heard = 0
        self.announced = 0
        self.ignored = dict.fromkeys(REASONS, 0)
        self._node = node
        self._epoch = epoch
        self._key = key
        self._limits = limits
        self._admits = admits
        self._has_socket = has_socket
        self._dice = dice
        self._urls: Mapping[str, PeerUrl] = {}
        self._number = 0
        self._announced_at = float("-inf")
        self._due: float | None = None
        self._strangers: set[bytes] = set()
        self._second = float("-inf")
        self._looked_at = 0

    def next_deadline(self) -> float | None:
        """Return when a `Tick` is due; None before `Started`."""
        return self._due

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take note of an event at ``now`` (seconds) and return what is to be done, in order."""
        match event:
            case Heard(data, source):
                return self._hear(data, source, now)
            case Tick():
                return self._tick(now)
            case LinkUp(node, epoch):
                self.linked[node] = epoch
                return []
            case LinkDown(node):
                return self._link_down(node, now)
            case Started(urls):
                self._urls = dict(urls)
                self._announce_soon(now, 0.0)
                return self._tick(now)

    # --- announcing ------------------------------------------------------------------------

    def _announce_soon(self, now: float, pause: float) -> None:
        """Announce this node after ``pause`` seconds, but not too soon after the last time."""
        rested = self._announced_at + self._limits.mesh_answer_seconds
        due = max(now + pause, rested)
        self._due = due if self._due is None else min(self._due, due)

    def _tick(self, now: float) -> list[Effect]:
        if self._due is None or now < self._due:
            return []
        # Not in step with others that heard the same: they would be heard all at once.
        self._due = now + self.interval_seconds * (0.75 + self._dice.random() / 2)
        self._announced_at = now
        effects: list[Effect] = []
        for place, url in self._urls.items():
            self._number += 1
            effects.append(Announce(place, self._words(url)))
        self.announced += len(effects)
        for contact in list(self.contacts.values()):
            if contact.node not in self.linked:
                effects += self._look_after(contact, now)
        return effects

    def _words(self, url: PeerUrl) -> bytes:
        interval = round(self.interval_seconds * 1000)
        return Announcement(
            self.domain, self._node, self._epoch, self._number, interval, self._key, url
        ).pack()

    def _look_after(self, contact: Contact, now: float) -> list[Effect]:
        """Forget a node without a link that fell silent, or try it in another way."""
        patience = contact.interval_seconds * self._limits.mesh_silent_intervals_max
        if now - contact.heard_at > patience:
            del self.contacts[contact.node]
            return [Forget(contact.node)]
        # Half of the time it may be silent: it is still there, and time is left for a link.
        if now - contact.waits_since > patience / 2:
            return self._try(contact, now)
        return []

    def _try(self, contact: Contact, now: float) -> list[Effect]:
        contact.waits_since = now
        url = contact.next_url()
        if url == contact.trying:
            # Who tries does so again and again by himself.
            return []
        contact.trying = url
        return [Connect(contact.node, url)]

    # --- links -----------------------------------------------------------------------------

    def _link_down(self, node: bytes, now: float) -> list[Effect]:
        self.linked.pop(node, None)
        contact = self.contacts.get(node)
        if contact is None:
            return []
        # To have been linked is a word of it.
        contact.heard_at = contact.waits_since = now
        if self._node < node and contact.trying is None:
            return self._try(contact, now)
        return []

    # --- hearing ---------------------------------------------------------------------------

    def _hear(self, data: bytes, source: str, now: float) -> list[Effect]:
        reason = self._refuse_unread(data, now)
        if reason:
            return self._ignore(reason)
        try:
            said = read_announcement(data, self._limits)
        except _OtherVersionError:
            return self._ignore("version")
        except RemoteProtocolError:
            return self._ignore("garbage")
        if said.node == self._node and said.epoch == self._epoch:
            return []
        reason = self._refuse(said, source)
        if reason == "stranger":
            return [*self._ignore(reason), *self._note_stranger(said)]
        return self._ignore(reason) if reason else self._take(said, now)

    def _ignore(self, reason: str) -> list[Effect]:
        self.ignored[reason] += 1
        return []

    def _refuse_unread(self, data: bytes, now: float) -> str:
        if now - self._second >= 1.0:
            self._second, self._looked_at = now, 0
        self._looked_at += 1
        if self._looked_at > self._limits.mesh_datagrams_max:
            return "flood"
        return "oversize" if len(data) > self._limits.mesh_datagram_bytes_max else ""

    def _refuse(self, said: Announcement, source: str) -> str:
        """Return why an announcement is not believed, or nothing."""
        url = said.url
        if said.domain != self.domain:
            return "domain"
        if said.node == self._node:
            return "identity"
        if url.scheme == "ipc":
            is_here = source.startswith("127.") and self._has_socket(url.path)
            return "" if is_here else "socket"
        if url.host != source:
            return "address"
        return "" if self._admits(said.key) else "stranger"

    def _note_stranger(self, said: Announcement) -> list[Effect]:
        known = self._strangers
        if said.key in known or len(known) >= self._limits.mesh_strangers_max:
            return []
        known.add(said.key)
        return [Stranger(said.key, said.url)]

    def _take(self, said: Announcement, now: float) -> list[Effect]:
        contact = self.contacts.get(said.node)
        if contact is None:
            if len(self.contacts) >= self._limits.mesh_contacts_max:
                return self._ignore("full")
            return [Met(said.node), *self._meet(said, now)]
        if contact.epoch == said.epoch:
            if not contact.is_new(said):
                return self._ignore("repeated")
            self.heard += 1
            contact.take(said, now)
            return []
        # 1. A node is linked. 2. Somebody repeats what an earlier run of it announced. 3. Taken at
        # his word, the node would be given up for one that has ended. If it has ended itself, the
        # link does too, and the next announcement of the other run is believed.
        linked = self.linked.get(said.node)
        restless = now - contact.since < self._limits.mesh_answer_seconds
        if linked != said.epoch and (linked is not None or restless):
            return self._ignore("run")
        return self._meet(said, now)

    def _meet(self, said: Announcement, now: float) -> list[Effect]:
        """Know a run of a node from now on."""
        self.heard += 1
        contact = self.contacts[said.node] = Contact(said, now)
        contact.take(said, now)
        # All who hear a newcomer answer: not in one moment.
        self._announce_soon(now, self._dice.random() * self._limits.mesh_answer_seconds / 10)
        if self._node < said.node and said.node not in self.linked:
            return self._try(contact, now)
        return []
