"""What ``vista keygen`` and ``vista authorize`` do, each in the words it prints.

Everything here takes the directory of the keys and raises `KeyFileError` or `PeerAddressError` for
what is wrong with a file or with an argument.
"""

from __future__ import annotations

from pathlib import Path

from vista.errors import KeyFileError, PeerAddressError
from vista.peering.keys import SECRET_FILE, load_key, make_key
from vista.peering.trust import (
    PEERS_FILE,
    AuthorizedPeer,
    authorize_peer,
    parse_rights,
    read_peers,
    remove_peer,
    rights_text,
)
from vista.peering.urls import key_text, parse_key


def new_key(directory: Path, *, force: bool) -> str:
    """Make a key pair, with ``force`` also in place of the one there is."""
    pair = make_key(directory, replace=force)
    return (
        f"public key, for others: {key_text(pair.public)}\n"
        f"secret key, for nobody: kept in {directory / SECRET_FILE}"
    )


def authorize(directory: Path, key: str, user: str, rights: str) -> str:
    """Let the peer of a public key in as ``user`` with ``rights``, or change both."""
    path = directory / PEERS_FILE
    number, allowed = _parse_argument(key), parse_rights(rights)
    own = load_key(directory)
    if own is not None and own.public == number:
        raise KeyFileError(
            f"this is the key of {directory} itself; nodes that share a key trust each other"
        )
    old = authorize_peer(path, number, user, allowed)
    done = f"{key_text(number)} may link as {user} with {rights_text(allowed)}"
    if old is None:
        return f"{done}, says {path}"
    if (old.user, old.rights) == (user, allowed):
        return f"{done}, says {path} already"
    return f"{done}, says {path}; before that {_words(old)}"


def remove(directory: Path, key: str) -> str:
    """Take the peer of a public key out of the list."""
    path = directory / PEERS_FILE
    number = _parse_argument(key)
    old = remove_peer(path, number)
    if old is None:
        raise KeyFileError(f"{key_text(number)} is not in {path}")
    return f"{key_text(number)} is out of {path}; before that {_words(old)}"


def list_peers(directory: Path) -> list[str]:
    """A line for each peer in the list: key, user, rights."""
    peers = read_peers(directory / PEERS_FILE)
    width = max((len(peer.user) for peer in peers), default=0)
    return [
        f"{key_text(peer.key)}  {peer.user:<{width}}  {rights_text(peer.rights)}" for peer in peers
    ]


def _words(peer: AuthorizedPeer) -> str:
    return f"{peer.user} with {rights_text(peer.rights)}"


def _parse_argument(text: str) -> bytes:
    try:
        return parse_key(text)
    except PeerAddressError as error:
        raise PeerAddressError(f"KEY: {error}") from None
