"""Transport addresses: the one string that names what an IOobject opens, and how.

======================  =====================================================================
``file:PATH,OPTION``    a file; OPTION is ``r`` (the default), ``w``, ``a`` or ``rw``
``tcp:HOST:PORT``       a TCP connection to HOST; an IPv6 address stands in brackets
``tcp:HOST:PORT,l``     listens there; port 0 takes any free one. An address nobody can connect
                        to (``0.0.0.0``, ``[::]``, ``*``) listens without the ``,l``
``unix:PATH``           a connection to a Unix-domain stream socket
``unix:PATH,l``         listens there
======================  =====================================================================

A text with no scheme is a file. Reading an address opens nothing and asks nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vista.errors import BadValueError

FILE_OPTIONS = ("r", "w", "a", "rw")
LISTEN_OPTION = "l"
PORT_MAX = 65_535
UNIX_PATH_BYTES_MAX = 107

_EVERY_HOST = {"*": "", "": "", "0.0.0.0": "0.0.0.0", "::": "::"}
_TCP = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """What one address text says.

    ``scheme`` is ``file``, ``tcp`` or ``unix``. ``path`` belongs to files and ``unix``, ``host``
    (empty: every interface) and ``port`` to ``tcp``. ``option`` is one of `FILE_OPTIONS`
    for a file, and ``l`` or nothing for a socket.
    """

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0
    option: str = ""

    @property
    def listens(self) -> bool:
        """Whether opening it waits for others to connect."""
        return self.option == LISTEN_OPTION

    def __str__(self) -> str:
        option = f",{self.option}" if self.option else ""
        if self.scheme != "tcp":
            return f"{self.scheme}:{self.path}{option}"
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"tcp:{host}:{self.port}{option}"


def parse_address(text: str, *, listens: bool = False) -> Address:
    """Read an address text; with ``listens`` one to listen on, whether or not it ends in ``,l``.

    Raises `BadValueError` that says what was wrong and what such an address looks like.
    """
    if not isinstance(text, str):
        raise BadValueError(f"an address is a text such as tcp:localhost:4321, not {text!r}")
    if "\0" in text:
        raise BadValueError(f"{text!r}: an address holds no NUL character")
    scheme, colon, rest = text.partition(":")
    if not colon or "/" in scheme:
        scheme, rest = "file", text
    if scheme == "file":
        if listens:
            raise BadValueError(f"{text!r}: a file cannot be listened on; use tcp: or unix:")
        return _parse_file(text, rest)
    option = LISTEN_OPTION if listens else ""
    if scheme == "tcp":
        return _parse_tcp(text, rest, option)
    if scheme == "unix":
        return _parse_unix(text, rest, option)
    raise BadValueError(
        f"{text!r}: no transport {scheme!r}; an address begins with file:, tcp: or unix:"
    )


def _split_option(rest: str, options: tuple[str, ...]) -> tuple[str, str]:
    before, comma, option = rest.rpartition(",")
    return (before, option) if comma and option in options else (rest, "")


def _parse_file(text: str, rest: str) -> Address:
    path, option = _split_option(rest, FILE_OPTIONS)
    if not path:
        raise BadValueError(f"{text!r}: the path is missing; a file is file:PATH or file:PATH,w")
    return Address("file", path=path, option=option or "r")


def _parse_unix(text: str, rest: str, wanted: str) -> Address:
    path, option = _split_option(rest, (LISTEN_OPTION,))
    if not path:
        raise BadValueError(f"{text!r}: the path is missing; a Unix-domain socket is unix:PATH")
    if len(path.encode(errors="surrogateescape")) > UNIX_PATH_BYTES_MAX:
        raise BadValueError(
            f"{text!r}: the path of a Unix-domain socket has at most {UNIX_PATH_BYTES_MAX} bytes"
        )
    return Address("unix", path=path, option=option or wanted)


def _parse_tcp(text: str, rest: str, wanted: str) -> Address:
    place, option = _split_option(rest, (LISTEN_OPTION,))
    option = option or wanted
    match = _TCP.fullmatch(place)
    if match is None:
        raise BadValueError(
            f"{text!r}: a TCP address is tcp:HOST:PORT, with an IPv6 address in brackets"
        )
    host, port = match["bracketed"] or match["host"] or "", int(match["port"])
    if host in _EVERY_HOST:
        host, option = _EVERY_HOST[host], LISTEN_OPTION
    lowest = 0 if option == LISTEN_OPTION else 1
    if not lowest <= port <= PORT_MAX:
        raise BadValueError(f"{text!r}: the port lies in {lowest}..{PORT_MAX}, not {port}")
    return Address("tcp", host=host, port=port, option=option)
