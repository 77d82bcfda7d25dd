"""Peer URLs: where a node can be reached, and by which public key it is known.

``tcp://KEY@HOST:PORT`` and ``ipc:PATH``. The key is the node's CURVE public key (32 bytes) as 52
characters of base32 in lower case, which a person can read out and a shell does not touch.
Messages about a URL never repeat its key: whoever took the secret key for the public one must not
find it in a log.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, Self

from vista.errors import PeerAddressError

KEY_BYTES = 32
KEY_CHARACTERS = 52
PORT_MAX = 65535
SOCKET_PATH_BYTES_MAX = 107
"""Bytes in the path of a Unix socket: ``sun_path`` has 108 with the zero byte that ends it."""

SECRET_WORD = "vista-secret-1"
"""What stands before the secret key in its file, so that nobody takes it for the public one."""

_CONNECT_EXAMPLE = "tcp://KEY@host.example:4500 or ipc:/run/user/1000/vista/hub"
_LISTEN_EXAMPLE = "tcp:4500, tcp://10.0.0.7:4500, ipc or ipc:hub"
_EVERYWHERE = frozenset({"*", "0.0.0.0", "::"})
_SHOWN_CHARACTERS_MAX = 100

_KEY = re.compile(f"[A-Za-z2-7]{{{KEY_CHARACTERS}}}")
_NO_KEY_CHARACTER = re.compile(r"[^A-Za-z2-7]")
_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_HOST_CHARACTERS_MAX = 253
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_SOCKET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# Half a key, as one mistyped character leaves it at least: messages leave it out.
_LIKE_A_KEY = re.compile(r"[A-Za-z2-7]{24,}")


def key_text(key: bytes) -> str:
    """Return a public key (32 bytes) as people see it: 52 characters of base32 in lower case."""
    if len(key) != KEY_BYTES:
        raise PeerAddressError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return base64.b32encode(key).decode("ascii").rstrip("=").lower()


def parse_key(text: str) -> bytes:
    """Read a public key (32 bytes) from its 52 characters, of either case.

    Raises `PeerAddressError` for anything else, without repeating the text.
    """
    if text.startswith(SECRET_WORD):
        raise PeerAddressError("this is a secret key, which nobody else may see; give the public")
    wrong = _NO_KEY_CHARACTER.search(text)
    if wrong is not None:
        raise PeerAddressError(
            f"character {wrong.start() + 1} of the key is {wrong[0]!r}; a key has letters and the "
            "digits 2 to 7 only"
        )
    if _KEY.fullmatch(text) is None:
        raise PeerAddressError(f"a key has {KEY_CHARACTERS} characters, not {len(text)}")
    # 52 characters hold four bits more than a key. They are zero: a key has one text only.
    if text[-1] not in "aAqQ":
        raise PeerAddressError(f"the last character of a key is a or q, not {text[-1]!r}")
    return base64.b32decode(text.upper() + "====")


@dataclass(frozen=True, slots=True)
class PeerUrl:
    """Where a node can be reached: what `ConnectToPeer` and ``vista repl --connect`` take.

    ``scheme`` is ``"tcp"`` or ``"ipc"``. Of tcp there are ``host`` (a name, an IPv4 or an IPv6
    address without brackets, or ``*`` for every interface when listening), ``port`` (0 for any free
    one when listening) and ``key``, the node's public key (32 bytes), None when listening. Of ipc
    there is ``path``, the absolute path of a Unix socket. What belongs to the other scheme is
    empty. Host names are kept in lower case and IP addresses in their shortest form.

    ``str(url)`` is the text that `PeerUrl.parse` reads. Raises `PeerAddressError` for parts that
    make no URL.
    """

    scheme: Literal["tcp", "ipc"]
    host: str = ""
    port: int = 0
    path: str = ""
    key: bytes | None = None

    def __post_init__(self) -> None:
        if self.scheme == "tcp":
            _check_tcp(self)
            object.__setattr__(self, "host", _canonical_host(self.host))
        elif self.scheme == "ipc":
            _check_ipc(self)
        else:
            raise PeerAddressError(f"the scheme is tcp or ipc, not {shown(str(self.scheme))}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL: ``tcp://KEY@HOST:PORT``, ``tcp://HOST:PORT`` or ``ipc:PATH``.

        An IPv6 address stands in brackets; ``ipc://PATH`` is taken too. Raises
        `PeerAddressError` saying what is wrong.
        """
        try:
            return cls._split(text)
        except PeerAddressError as error:
            raise _mistake("peer URL", text, str(error), _CONNECT_EXAMPLE) from None

    @classmethod
    def _split(cls, text: str) -> Self:
        _check_characters(text)
        scheme, colon, rest = text.partition(":")
        match scheme.lower():
            case "tcp" if colon and rest.startswith("//"):
                return cls._split_tcp(rest[2:])
            case "tcp":
                raise PeerAddressError("tcp: is followed by //")
            case "ipc" if colon:
                path = rest[2:] if rest.startswith("//") else rest
                # Two slashes would read as the start of a host when the URL is read back.
                return cls("ipc", path="/" + path.lstrip("/") if path.startswith("/") else path)
            case _:
                raise PeerAddressError("it begins with neither tcp:// nor ipc:")

    @classmethod
    def _split_tcp(cls, text: str) -> Self:
        key, at, address = text.rpartition("@")
        host, colon, port = address.rpartition(":")
        if not colon or (host.startswith("[") and not host.endswith("]")):
            raise PeerAddressError("the port is missing after the host")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            if ":" not in host:
                raise PeerAddressError(f"{shown(host)} in brackets is no IPv6 address")
        elif ":" in host:
            raise PeerAddressError("an IPv6 address stands in brackets, as in [::1]:4500")
        return cls("tcp", host, _parse_port(port), key=parse_key(key) if at else None)

    def check_connectable(self) -> None:
        """Raise `PeerAddressError` unless a node can connect to this: a listening address has no
        key, any port or every host."""
        if self.scheme == "ipc":
            return
        if self.host in _EVERYWHERE:
            what = f"{self.host} is every host of the listening side; name one"
        elif self.port == 0:
            what = "port 0 is for listening only"
        elif self.key is None:
            what = "the key of the peer is missing before the host; the peer prints its whole URL"
        else:
            return
        raise _mistake("peer URL", str(self), what, _CONNECT_EXAMPLE)

    def __str__(self) -> str:
        if self.scheme == "ipc":
            return f"ipc:{self.path}"
        key = "" if self.key is None else f"{key_text(self.key)}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{key}{host}:{self.port}"

    def __repr__(self) -> str:
        return f"PeerUrl({str(self)!r})"


def parse_connect(text: str, *, socket_directory: str) -> PeerUrl:
    """Read the URL of a peer to connect to.

    Takes what `PeerUrl.parse` does and ``ipc:NAME``, the socket of that name in
    ``socket_directory`` (an absolute path). Raises `PeerAddressError`, also for a URL that serves
    for listening only.
    """
    scheme, _, name = text.partition(":")
    if scheme.lower() == "ipc" and _SOCKET_NAME.fullmatch(name):
        text = f"ipc:{socket_directory}/{name}"
    url = PeerUrl.parse(text)
    url.check_connectable()
    return url


def parse_listen(text: str, *, socket_directory: str, name: str) -> PeerUrl:
    """Read the address at which a node is to accept peers.

    ``tcp:PORT`` listens on every interface, ``tcp:HOST:PORT`` and ``tcp://HOST:PORT`` on one;
    ``ipc:NAME`` is a socket in ``socket_directory`` (an absolute path), ``ipc`` alone the one
    called ``name`` there, and ``ipc:PATH`` any other. Raises `PeerAddressError` saying what is
    wrong.
    """
    try:
        url = PeerUrl._split(_expand_listen(text, socket_directory, name))
        if url.key is not None:
            raise PeerAddressError("the key is left out: a node listens with its own")
    except PeerAddressError as error:
        raise _mistake("listening address", text, str(error), _LISTEN_EXAMPLE) from None
    return url


def _expand_listen(text: str, socket_directory: str, name: str) -> str:
    scheme, colon, rest = text.partition(":")
    match scheme.lower():
        case "tcp" if not rest.startswith("//"):
            return f"tcp://{rest}" if ":" in rest else f"tcp://*:{rest}"
        case "ipc" if not colon:
            return f"ipc:{socket_directory}/{name}"
        case "ipc" if "/" not in rest:
            if _SOCKET_NAME.fullmatch(rest) is None:
                raise PeerAddressError(
                    f"{shown(rest)} is no name: use letters, digits and _ . -, none of . - first"
                )
            return f"ipc:{socket_directory}/{rest}"
    if _PORT.fullmatch(text):
        raise PeerAddressError(f"the scheme is missing before the port, as in tcp:{text}")
    return text


def _check_characters(text: str) -> None:
    if not text.isprintable() or text != text.strip():
        raise PeerAddressError("it has white space around it or characters that cannot be printed")


def _check_tcp(url: PeerUrl) -> None:
    if url.path:
        raise PeerAddressError("a tcp URL has no path")
    if not 0 <= url.port <= PORT_MAX:
        raise PeerAddressError(f"a port lies in 0..{PORT_MAX}, not {url.port}")
    if url.key is not None and len(url.key) != KEY_BYTES:
        raise PeerAddressError(f"a key has {KEY_BYTES} bytes, not {len(url.key)}")


def _check_ipc(url: PeerUrl) -> None:
    if url.host or url.port or url.key is not None:
        raise PeerAddressError("an ipc URL has a path and neither host, port nor key")
    _check_characters(url.path)
    if not url.path.startswith("/"):
        raise PeerAddressError("the path of an ipc URL is absolute: it begins with one /")
    if url.path.startswith("//") or url.path.rpartition("/")[2] in ("", ".", ".."):
        raise PeerAddressError("the path of an ipc URL ends with the name of the socket")
    size = len(url.path.encode())
    if size > SOCKET_PATH_BYTES_MAX:
        raise PeerAddressError(
            f"the path has {size} bytes; that of a socket has at most {SOCKET_PATH_BYTES_MAX}"
        )


def _parse_port(text: str) -> int:
    if _PORT.fullmatch(text) is None:
        raise PeerAddressError(f"a port is a number in 0..{PORT_MAX}, not {shown(text)}")
    return int(text)


def _canonical_host(host: str) -> str:
    if host == "*":
        return host
    if not host:
        raise PeerAddressError("the host is missing")
    try:
        if ":" in host:
            address = ipaddress.IPv6Address(host)
            if address.scope_id is not None and _SCOPE.fullmatch(address.scope_id) is None:
                raise ValueError
            return str(address)
        # What ends in a number is an address to every resolver, 127.1 among them.
        if host.rpartition(".")[2].isdecimal():
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise PeerAddressError(f"{shown(host)} is no IP address") from None
    if not host.isascii():
        raise PeerAddressError(f"{shown(host)}: write a host name in its xn-- form")
    if len(host) > _HOST_CHARACTERS_MAX or not all(map(_LABEL.fullmatch, host.split("."))):
        raise PeerAddressError(f"{shown(host)} is no host name")
    return host.lower()


def _mistake(what: str, text: str, wrong: str, example: str) -> PeerAddressError:
    return PeerAddressError(f"{what} {shown(text)}: {wrong}; write {example}")


def shown(text: str) -> str:
    """The text as a message repeats it: in quotes, without a key, and not all of a long one."""
    head, at, tail = text.rpartition("@")
    if at and ":" in head:
        text = f"{head.partition(':')[0]}://...@{tail}"
    text = _LIKE_A_KEY.sub("...", text)
    if len(text) > _SHOWN_CHARACTERS_MAX:
        text = f"{text[:_SHOWN_CHARACTERS_MAX]}..."
    return f'"{text}"' if text.isprintable() else repr(text)
