"""Where the web site of a game is."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from apps.starship.errors import BadAddress


class Address(NamedTuple):
    """Where a site is."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def read_address(url: str) -> Address:
    """Return where a URL leads; ``host:port`` alone is HTTP. Raises `BadAddress`.

    >>> str(read_address("localhost:4321/starshipLogin.html"))
    'http://localhost:4321'
    """
    if url.startswith(("ipc:", "tcp:")):
        raise BadAddress(
            f"{url} is where servers come; players go to the web site, http://HOST:PORT, which the"
            " log of the game tells"
        )
    no_site = BadAddress(f"{url} is no URL of a web site; expected http://HOST:PORT")
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise no_site from None
    if parts.scheme not in ("http", "https") or not host:
        raise no_site
    if any(character <= " " or character == "\x7f" for character in host):
        raise BadAddress(f"{url!r} has a host with blanks")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("names and passwords in URLs are not used here; expected http://HOST:PORT")
    try:
        # As the resolver has it: an empty label, or one of more than 63 characters, is none.
        host.encode("idna")
    except UnicodeError:
        raise BadAddress(f"{url} is no URL: there is no host of the name {host}") from None
    if port == 0:
        raise BadAddress(f"{url} is no URL: nobody listens on port 0")
    return Address(parts.scheme, host, port or (443 if parts.scheme == "https" else 80))
