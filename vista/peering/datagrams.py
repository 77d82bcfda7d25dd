"""Datagrams to a group: what carries the announcements of a mesh, on this machine or in a LAN.

IPv4 or IPv6 multicast. Two rules. Nothing leaves the LAN, as packets live for one hop, and a mesh
on loopback leaves the machine neither, nor does it hear what comes from outside. And each interface
has a socket of its own: so an announcement goes out by the interface whose address it names, and
what it names is where it comes from.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final, Protocol, Self

from vista.errors import KeyFileError, PeerAddressError
from vista.peering.keys import check_socket_directory, socket_directory
from vista.peering.urls import PORT_MAX, shown

EVERYWHERE: Final = frozenset({"*", "0.0.0.0", "::"})
"""Hosts that stand for each interface of this machine, the last one for those of IPv6."""

LOOPBACK: Final = "127.0.0.1"

_PORTION_DATAGRAMS: Final = 64
"""Datagrams read before other callbacks of the loop get their turn."""

_IFREQ_ADDRESS: Final = slice(20, 24)
_SIOCGIFADDR: Final = 0x8915 if sys.platform == "linux" else 0xC0206921
_IP_MULTICAST_ALL: Final = 49
_IPV6_MULTICAST_ALL: Final = 29
# Python names the options of RFC 3542 only where the headers had them.
_IPV6_PKTINFO: Final = 50 if sys.platform == "linux" else 46

_INTERFACES_IPV6: Final = Path("/proc/net/if_inet6")
_TENTATIVE_OR_DOUBLE: Final = 0x40 | 0x08
"""Flags of an address that is not to be used: nobody knows yet that it is unique, or it is not."""

_NO_ADDRESS: Final = "; write an address of this machine, or 0.0.0.0 for all"
_HINTS: Final = {
    errno.EADDRINUSE: "; another program keeps the port to itself: name a group with another one",
    errno.EADDRNOTAVAIL: _NO_ADDRESS,
    errno.ENODEV: _NO_ADDRESS,
    errno.ENETUNREACH: (
        "; this interface carries no IPv6 multicast, as loopback does not by itself: write "
        "127.0.0.1 there"
    ),
}

_log = logging.getLogger("vista.peering")


@dataclass(frozen=True, slots=True)
class Group:
    """A multicast group: an IPv4 or IPv6 ``address`` and a UDP ``port``.

    Its text is ``ADDRESS:PORT``, or ``[ADDRESS]:PORT`` for one of IPv6.
    """

    address: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``ADDRESS:PORT``. Raises `PeerAddressError` saying what is wrong."""
        address, _, port = text.rpartition(":")
        try:
            found = _ipv6_or_ipv4(address)
        except ValueError:
            raise _mistake(
                text, f"{shown(address)} is not of 224.0.0.0 to 239.255.255.255, nor of [ff00::]/8"
            ) from None
        if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= PORT_MAX):
            raise _mistake(text, f"a port lies in 1..{PORT_MAX}, not {shown(port)}")
        return cls(str(found), int(port))

    @property
    def is_ipv6(self) -> bool:
        """Whether its address is one of IPv6."""
        return ":" in self.address

    def __str__(self) -> str:
        address = f"[{self.address}]" if self.is_ipv6 else self.address
        return f"{address}:{self.port}"


def _ipv6_or_ipv4(text: str) -> IPv4Address | IPv6Address:
    """Read the address of a group, in brackets if it is of IPv6. Raises ValueError."""
    in_brackets = text.startswith("[") and text.endswith("]")
    found = ip_address(text[1:-1] if in_brackets else text)
    if not found.is_multicast or isinstance(found, IPv6Address) is not in_brackets:
        raise ValueError
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        raise ValueError
    return found


def _mistake(text: str, wrong: str) -> PeerAddressError:
    return PeerAddressError(
        f"multicast group {shown(text)}: {wrong}; write {GROUP}, or another address of 239.0.0.0/8"
    )


GROUP: Final = Group("239.255.86.73", 8673)
"""Where meshes meet when nothing else is said. 239.255.0.0/16 is for one site (RFC 2365, 6.1): no
router passes it on. The port lies below those that systems give out by themselves, from 32768 or
49152 on, so it is not taken by chance; 86 and 73 are the letters V and I."""

GROUP_IPV6: Final = Group("ff12::5649", 8673)
"""Where meshes of IPv6 meet when nothing else is said: of one link, and not one of the registered
groups (RFC 4291, 2.7)."""


class Datagrams(Protocol):
    """This node's part in a group. Everything is called on the node's loop."""

    receive: Callable[[bytes, str], None]
    """Called with each datagram that comes, also one's own, and the IP address of who sent it.
    What is longer than ``limits.mesh_datagram_bytes_max`` arrives cut off, one byte longer."""

    @property
    def places(self) -> list[str]:
        """The addresses of the interfaces at which the group is joined."""

    def refresh(self) -> bool:
        """Join at interfaces that came, leave those that went; return whether any did."""

    def send(self, place: str, data: bytes) -> None:
        """Send a datagram by the interface of this address. It may be lost, as any may."""

    def has_socket(self, path: str) -> bool:
        """Whether a Unix socket of this user is there, in the directory for them."""

    def close(self) -> None:
        """Leave the group."""


class DatagramNetwork(Protocol):
    """What joins groups: ``kernel.settings["datagrams"]``, where that is set."""

    def join(self, group: Group, host: str, bytes_max: int) -> Datagrams:
        """Join a group at the interface that has the address ``host``, or at each.

        ``bytes_max`` bounds a datagram. Raises `PeerAddressError` when that cannot be.
        """


class MulticastNetwork:
    """The real network; a `DatagramNetwork`.

    ``addresses`` are asked for where a group is to be joined at each interface.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        addresses: Callable[[], list[str]] | None = None,
    ) -> None:
        self._loop = loop
        self._addresses = addresses

    def join(self, group: Group, host: str, bytes_max: int) -> MulticastDatagrams:
        """Join a group; see `DatagramNetwork.join`."""
        addresses = None
        if host in EVERYWHERE:
            of_family = interface_addresses_ipv6 if group.is_ipv6 else interface_addresses
            addresses = self._addresses or of_family
        return MulticastDatagrams(self._loop, group, host, bytes_max, addresses)


class MulticastDatagrams:
    """A socket for each interface; a `Datagrams`.

    Without ``addresses`` it is the one that has the address ``host``.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        group: Group,
        host: str,
        bytes_max: int,
        addresses: Callable[[], list[str]] | None,
    ) -> None:
        self.receive: Callable[[bytes, str], None] = _ignore
        self._loop = loop
        self._group = group
        self._host = host
        self._addresses = addresses
        self._bytes_max = bytes_max
        self._sockets: dict[str, socket.socket] = {}
        self._troubled: set[str] = set()
        self.refresh()
        if not self._sockets:
            raise PeerAddressError(f"{self._failure('any interface')}: none can be used")

    @property
    def places(self) -> list[str]:
        """The addresses of the interfaces at which the group is joined."""
        return list(self._sockets)

    def refresh(self) -> bool:
        """Join at interfaces that came; see `Datagrams.refresh`."""
        if self._addresses is None:
            if not self._sockets:
                self._sockets[self._host] = self._open(self._host)
            return False
        before, present = self.places, self._addresses()
        for place in before:
            if place not in present:
                self._shut(self._sockets.pop(place))
        for place in present:
            if place not in self._sockets:
                try:
                    self._sockets[place] = self._open(place)
                    self._troubled.discard(place)
                except PeerAddressError as error:
                    self._complain(place, str(error))
        return self.places != before

    def _open(self, place: str) -> socket.socket:
        is_ipv6 = self._group.is_ipv6
        made = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._set_up_ipv6(made, place) if is_ipv6 else self._set_up(made, place)
        except OSError as error:
            made.close()
            hint = _HINTS.get(error.errno or 0, "")
            if is_ipv6:
                hint = hint.replace("0.0.0.0", "::")
            why = f"{error.strerror or error}{hint}"
            raise PeerAddressError(f"{self._failure(place)}: {why}") from None
        # In nobody's name: not in that of the thread which joins.
        Context().run(self._loop.add_reader, made.fileno(), partial(self._read, made))
        return made

    def _set_up(self, made: socket.socket, place: str) -> None:
        made.setblocking(False)
        # Several nodes of a machine, also of different users, share the port.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            # Else it would hear what any socket of the machine has joined, from the LAN too.
            made.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # To the group and not to every address: what is sent to this host alone is not for it.
        made.bind((self._group.address, self._group.port))
        interface = socket.inet_aton(place)
        joined = socket.inet_aton(self._group.address) + interface
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        hops = 0 if place.startswith("127.") else 1
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, hops)

    def _set_up_ipv6(self, made: socket.socket, place: str) -> None:
        """As `_set_up`. What it sends has to name its source, or the system takes another one."""
        index = _interface_of(place)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        group = (self._group.address, self._group.port, 0, index)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            # Whether there is a way at all: to learn it from the first datagram is too late.
            probe.connect(group)
        made.bind(group)
        joined = socket.inet_pton(socket.AF_INET6, self._group.address) + struct.pack("@I", index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joined)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
        hops = 0 if place == "::1" else 1
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)

    def _put(self, outlet: socket.socket, place: str, data: bytes) -> None:
        to = (self._group.address, self._group.port)
        if not self._group.is_ipv6:
            outlet.sendto(data, to)
            return
        index = _interface_of(place)
        source = socket.inet_pton(socket.AF_INET6, place) + struct.pack("@I", index)
        named = [(socket.IPPROTO_IPV6, _IPV6_PKTINFO, source)]
        outlet.sendmsg([data], named, 0, (*to, 0, index))

    def _failure(self, place: str) -> str:
        return f"the multicast group {self._group} cannot be joined at {place}"

    def _complain(self, place: str, words: str) -> None:
        """Log what is wrong with an interface, once until it works again."""
        if place not in self._troubled:
            self._troubled.add(place)
            _log.warning("%s", words)

    def send(self, place: str, data: bytes) -> None:
        """Send a datagram; see `Datagrams.send`."""
        found = self._sockets.get(place)
        if found is None:
            return
        try:
            self._put(found, place, data)
        except BlockingIOError:
            # The next announcement says the same.
            return
        except OSError as error:
            why = error.strerror or str(error)
            self._complain(place, f"nothing can be sent to {self._group} at {place}: {why}")
            return
        self._troubled.discard(place)

    def _read(self, source: socket.socket) -> None:
        for _ in range(_PORTION_DATAGRAMS):
            try:
                data, address = source.recvfrom(self._bytes_max + 1)
            except BlockingIOError:
                return
            except OSError:
                # The answer of some host to what was sent: there is nothing to read.
                continue
            self.receive(data, address[0])
            if source.fileno() < 0:
                return

    def has_socket(self, path: str) -> bool:
        """Whether a socket of this user is there; see `Datagrams.has_socket`."""
        directory = socket_directory()
        if Path(path).parent != directory:
            return False
        try:
            check_socket_directory(directory)
            found = os.lstat(path)
        except (KeyFileError, OSError):
            return False
        return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid()

    def _shut(self, found: socket.socket) -> None:
        if found.fileno() >= 0:
            self._loop.remove_reader(found.fileno())
            found.close()

    def close(self) -> None:
        """Leave the group."""
        for found in self._sockets.values():
            self._shut(found)
        self._sockets.clear()


def interface_addresses() -> list[str]:
    """Return the IPv4 addresses of the interfaces that have one, the first of each."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", os.fsencode(name)[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                # It has none.
                continue
            found.append(socket.inet_ntoa(answer[_IFREQ_ADDRESS]))
    return found


def interface_addresses_ipv6() -> list[str]:
    """Return the IPv6 addresses by which interfaces are reached from the LAN, one of each.

    Those of one link are left out: what they mean depends on the host. None where the system does
    not list them as Linux does.
    """
    first: dict[int, str] = {}
    for address, (index, scope) in _addresses_ipv6().items():
        if scope == 0:
            first.setdefault(index, address)
    return list(first.values())


def _interface_of(place: str) -> int:
    """Return the number of the interface that has an IPv6 address. Raises OSError."""
    found = _addresses_ipv6().get(place)
    if found is None:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return found[0]


def _addresses_ipv6() -> dict[str, tuple[int, int]]:
    """Return the IPv6 addresses of this machine, with interface and scope (0 for global ones)."""
    try:
        lines = _INTERFACES_IPV6.read_text("ascii").splitlines()
    except OSError:
        # No IPv6, or no Linux.
        return {}
    found = {}
    for line in lines:
        address, index, _, scope, flags, _ = line.split(maxsplit=5)
        if not int(flags, 16) & _TENTATIVE_OR_DOUBLE:
            found[str(IPv6Address(bytes.fromhex(address)))] = int(index, 16), int(scope, 16)
    return found


def _ignore(_: bytes, __: str) -> None:
    """What nobody has set yet."""
