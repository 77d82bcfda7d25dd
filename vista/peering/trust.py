"""Whom a node trusts: its own key, and the peers that the file ``authorized_peers`` lists.

One line for each peer: ``KEY USER RIGHTS``. RIGHTS are ``call``, ``create`` and ``code``, joined by
commas, or ``all``; a ``#`` at the start of a word begins a comment. Nodes with the same key trust
each other without being listed. The file is read again when it changed, so nodes that run see what
``vista authorize`` writes; one with a mistake leaves in force what was read before.
"""

from __future__ import annotations

import difflib
import fcntl
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TypeVar

from vista.errors import KeyFileError, PeerAddressError
from vista.limits import Limits
from vista.peering.keys import (
    BOUNDS,
    KeyFileBounds,
    check_config_directory,
    config_directory,
    make_config_directory,
    read_guarded,
    write_whole,
)
from vista.peering.urls import key_text, parse_key, shown

PEERS_FILE = "authorized_peers"

RIGHTS = ("call", "create", "code")
"""What a peer may be allowed: to send messages to objects, to create objects of classes that are
known here, and to bring classes, which is to run any code as the user of the node."""

ALL_RIGHTS = frozenset(RIGHTS)
ALL = "all"

USER_CHARACTERS_MAX = Limits().name_characters_max

_HEADER = """\
# Who else may link to this user's vista nodes, one line each: KEY USER RIGHTS
# RIGHTS are call, create and code, joined by commas, or all.
"""
_WORD = re.compile(r"\S+")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
# Nothing that means something in an access rule or to a shell.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_LOCK_PAUSE_SECONDS = 0.02

_log = logging.getLogger("vista.peering")

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a link may do: the user its messages run as, and its rights, of `RIGHTS`.

    ``kin`` says that the peer has the node's own key, or came through the socket directory, and so
    is the same user's.
    """

    user: str
    rights: frozenset[str]
    kin: bool


@dataclass(frozen=True, slots=True)
class AuthorizedPeer:
    """One line of ``authorized_peers``: public key (32 bytes), user, rights, line from 1."""

    key: bytes
    user: str
    rights: frozenset[str]
    line: int

    def __str__(self) -> str:
        return f"{key_text(self.key)} {self.user} {rights_text(self.rights)}"


def parse_user(text: str) -> str:
    """Return ``text`` if it can be the user of a peer. Raises `KeyFileError` otherwise."""
    if len(text) > USER_CHARACTERS_MAX:
        raise KeyFileError(f"a user name has at most {USER_CHARACTERS_MAX} characters")
    if _USER.fullmatch(text) is None:
        raise KeyFileError(
            f"{shown(text)} is no user name: use letters, digits and _ . @ + -, none of "
            ". @ + - first"
        )
    return text


def parse_rights(text: str) -> frozenset[str]:
    """Read rights joined by commas, such as ``call,create``. Raises `KeyFileError`."""
    words = text.split(",")
    for word in words:
        if word not in (*RIGHTS, ALL):
            near = difflib.get_close_matches(word.lower(), (*RIGHTS, ALL), n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; write {', '.join(RIGHTS)} or {ALL}"
            raise KeyFileError(f"{shown(word)} is no right{hint}")
    return ALL_RIGHTS if ALL in words else frozenset(words)


def rights_text(rights: frozenset[str]) -> str:
    """Return rights as the file has them: in the order of `RIGHTS`, ``all`` for all of them."""
    return ALL if rights == ALL_RIGHTS else ",".join(right for right in RIGHTS if right in rights)


def parse_peers(text: str, file_name: str) -> list[AuthorizedPeer]:
    """Read the text of ``authorized_peers``.

    Raises `KeyFileError` with ``file_name:line:column`` for the first mistake.
    """
    peers: dict[bytes, AuthorizedPeer] = {}
    for number, line in enumerate(text.split("\n"), 1):
        peer = _parse_line(line, f"{file_name}:{number}", number)
        if peer is None:
            continue
        if peer.key in peers:
            column = len(line) - len(line.lstrip()) + 1
            raise KeyFileError(
                f"{file_name}:{number}:{column}: the key is in line {peers[peer.key].line} already;"
                " write one line for each key"
            )
        peers[peer.key] = peer
    return list(peers.values())


def _parse_line(line: str, where: str, number: int) -> AuthorizedPeer | None:
    text = _COMMENT.sub("", line)
    words = list(_WORD.finditer(text))
    if not words:
        return None
    if len(words) > 3:
        extra = words[3]
        raise KeyFileError(
            f"{where}:{extra.start() + 1}: {shown(extra[0])} is one word too many; expected KEY "
            "USER RIGHTS, and rights joined by commas without blanks"
        )
    key = _parsed(words[0], where, parse_key)
    if len(words) < 3:
        missing = "USER and RIGHTS are" if len(words) == 1 else "RIGHTS are"
        column = len(text.rstrip()) + 1
        raise KeyFileError(f"{where}:{column}: {missing} missing; expected KEY USER RIGHTS")
    user = _parsed(words[1], where, parse_user)
    return AuthorizedPeer(key, user, _parsed(words[2], where, parse_rights), number)


def _parsed(word: re.Match[str], where: str, parse: Callable[[str], Parsed]) -> Parsed:
    try:
        return parse(word[0])
    except (KeyFileError, PeerAddressError) as error:
        raise KeyFileError(f"{where}:{word.start() + 1}: {error}") from None


class AuthorizedPeers:
    """The peers that a file lists, as it is at the moment of asking.

    ``path`` is that of ``authorized_peers``, which may be missing; None stands for no file ever.
    Raises `KeyFileError` when the file has a mistake or others can change it. When that happens
    later, it is logged once and what was read before stays in force.
    """

    def __init__(self, path: Path | None, bounds: KeyFileBounds = BOUNDS) -> None:
        self.path = path
        self._bounds = bounds
        self._state: object = None
        self._peers: dict[bytes, AuthorizedPeer] = {}
        if path is not None:
            self._state = _file_state(path)
            self._peers = {peer.key: peer for peer in read_peers(path, bounds)}

    def find(self, key: bytes) -> AuthorizedPeer | None:
        """Return the line of the public key (32 bytes), None when it is not listed."""
        if self.path is not None:
            self._refresh(self.path)
        return self._peers.get(key)

    def allows(self, user: str, right: str) -> bool:
        """Whether peers of a user are listed, and each of them with a right."""
        if self.path is not None:
            self._refresh(self.path)
        listed = [peer.rights for peer in self._peers.values() if peer.user == user]
        return bool(listed) and all(right in rights for rights in listed)

    def lists(self, user: str) -> bool:
        """Whether there is a line for a user."""
        if self.path is not None:
            self._refresh(self.path)
        return any(peer.user == user for peer in self._peers.values())

    def _refresh(self, path: Path) -> None:
        # Looked at before it is read: what changes in between is found the next time.
        state = _file_state(path)
        if state == self._state:
            return
        self._state = state
        try:
            self._peers = {peer.key: peer for peer in read_peers(path, self._bounds)}
        except KeyFileError as error:
            _log.error("%s; the peers read before stay authorized", error)


def _file_state(path: Path) -> object:
    """What differs when the file was changed, replaced, removed, or its protection mended."""
    try:
        above, found = path.parent.stat(), path.stat()
    except OSError as error:
        return error.errno
    return (
        (above.st_mode, above.st_uid, found.st_mode, found.st_uid),
        (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns),
    )


def read_peers(path: Path, bounds: KeyFileBounds = BOUNDS) -> list[AuthorizedPeer]:
    """Return the peers that the file lists, in its order; none when it is missing.

    Raises `KeyFileError` when it has a mistake or others can change it.
    """
    try:
        text = _read_text(path, bounds)
    except FileNotFoundError:
        return []
    return parse_peers(text, str(path))


def _read_text(path: Path, bounds: KeyFileBounds) -> str:
    check_config_directory(path.parent)
    return read_guarded(path, 0o022, "go-w", bounds.authorized_peers_bytes_max)


def authorize_peer(
    path: Path, key: bytes, user: str, rights: frozenset[str], bounds: KeyFileBounds = BOUNDS
) -> AuthorizedPeer | None:
    """List a peer in the file, in place of the line it has, and return the latter.

    Comments and the order of lines stay. Raises `KeyFileError` when the file has a mistake or
    cannot be written.
    """
    peer = AuthorizedPeer(key, parse_user(user), rights, 0)

    def edit(lines: list[str], old: AuthorizedPeer | None) -> None:
        if old is None:
            # The text after the last line end, mostly empty, is the last of the lines.
            lines.insert(len(lines) if lines[-1] else len(lines) - 1, str(peer))
            return
        comment = _COMMENT.search(lines[old.line - 1])
        lines[old.line - 1] = f"{peer} {comment[0]}".rstrip() if comment else str(peer)

    return _edit_file(path, key, edit, bounds)


def remove_peer(path: Path, key: bytes, bounds: KeyFileBounds = BOUNDS) -> AuthorizedPeer | None:
    """Remove the line of a key from the file and return it, None when there is none.

    Raises `KeyFileError` when the file has a mistake or cannot be written.
    """

    def edit(lines: list[str], old: AuthorizedPeer | None) -> None:
        if old is not None:
            del lines[old.line - 1]

    return _edit_file(path, key, edit, bounds)


def _edit_file(
    path: Path,
    key: bytes,
    edit: Callable[[list[str], AuthorizedPeer | None], None],
    bounds: KeyFileBounds,
) -> AuthorizedPeer | None:
    make_config_directory(path.parent)
    # A file that lies elsewhere and is linked here stays there.
    path = path.resolve()
    with _alone(path, bounds.authorize_seconds):
        try:
            text, mode = _read_text(path, bounds), path.stat().st_mode & 0o777
        except FileNotFoundError:
            text, mode = _HEADER, 0o600
        old = next((peer for peer in parse_peers(text, str(path)) if peer.key == key), None)
        lines = text.split("\n")
        edit(lines, old)
        edited = "\n".join(lines) if lines[-1] == "" else "\n".join([*lines, ""])
        if edited == text:
            return old
        if len(edited.encode()) > bounds.authorized_peers_bytes_max:
            raise KeyFileError(
                f"{path} would have more than {bounds.authorized_peers_bytes_max} bytes"
            )
        write_whole(path, edited, mode, replace=True)
    return old


@contextmanager
def _alone(path: Path, seconds: float) -> Iterator[None]:
    """Keep other processes from changing the file between its being read and written."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise KeyFileError(f"{lock}: {error.strerror}") from None
    try:
        _lock(number, path, time.monotonic() + seconds)
        yield
    finally:
        os.close(number)


def _lock(number: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise KeyFileError(f"{path} is being changed by another command") from None
            time.sleep(_LOCK_PAUSE_SECONDS)
        except OSError as error:
            raise KeyFileError(f"{path} cannot be locked: {error.strerror}") from None


class Trust:
    """What a node lets its peers do.

    ``own_key`` is the node's public key (32 bytes), ``user`` the name its own threads run under.
    """

    def __init__(self, own_key: bytes, user: str, peers: AuthorizedPeers) -> None:
        self.own_key = own_key
        self.user = user
        self.peers = peers
        # As many as the operator has lines, one after the other, while the node runs.
        self._granted: set[str] = set()

    def grant_of(self, key: bytes | None) -> Grant | None:
        """Return what a peer may do that proved to have ``key``, None when it is to be refused.

        ``key`` is None on an ``ipc:`` link, which only this user can open.
        """
        if key is None or key == self.own_key:
            return Grant(self.user, ALL_RIGHTS, kin=True)
        peer = self.peers.find(key)
        if peer is None:
            return None
        self._granted.add(peer.user)
        return Grant(peer.user, peer.rights, kin=False)

    def is_peers_user(self, user: str) -> bool:
        """Tell whether a peer with a key of its own may send in the name of a user, or did.

        One whose line is gone may have sent what is carried out yet.
        """
        return user in self._granted or self.peers.lists(user)

    def refusal(self, key: bytes, where: str) -> str:
        """Return why a peer is refused, for the log, and what to type to let it in.

        ``where`` says in words where the peer is.
        """
        text = key_text(key)
        command = f"vista authorize {text} USER call,create"
        path = self.peers.path
        if path is not None and path.parent != config_directory():
            command += f" --directory {quote(str(path.parent))}"
        return f"{where} has the unknown key {text}; to let it in: {command}"
