"""Where keys and sockets live, and what protects them: owners and modes of files, as with ssh.

The secret key is made at first use and is whole or absent at any instant: processes that start at
once agree on one. A file that others could have read or changed is refused, and the message holds
the command that mends it. No message and no ``repr`` ever holds a secret key.

``$VISTA_CONFIG_DIR``, else ``$XDG_CONFIG_HOME/vista``, else ``~/.config/vista`` holds

- ``secret_key``, mode 0600: a comment and ``vista-secret-1 KEY``;
- ``public_key``, mode 0644: the key to give to others, for reading only;
- ``authorized_peers``: see `vista.peering.trust`.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from vista.errors import KeyFileError, PeerAddressError
from vista.peering.urls import SECRET_WORD, key_text, parse_key

SECRET_FILE = "secret_key"
PUBLIC_FILE = "public_key"

_SECRET_TEXT = """\
# The secret key of this user's vista nodes. Whoever has it is this user to every peer: show it to
# nobody, send it nowhere. The key to give to others is in the file public_key.
"""
_USE_OTHER_SOCKETS = "use a directory of your own: export XDG_RUNTIME_DIR=PATH"
_SECRET_LINE = re.compile(f"{SECRET_WORD} ([a-z2-7]{{52}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileBounds:
    """The bounds of reading and writing key files."""

    key_file_bytes_max: int = 4096
    """Bytes of ``secret_key``, which has about 300: another file in its place is not read in."""

    authorized_peers_bytes_max: int = 1024 * 1024
    """Bytes of ``authorized_peers``: about 10,000 peers, read at once when the file changed."""

    authorize_seconds: float = 5.0
    """How long ``vista authorize`` waits for another one that changes the same file."""


BOUNDS = KeyFileBounds()


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The keys of a node, 32 bytes each; ``secret`` is never shown."""

    public: bytes
    secret: bytes = field(repr=False)


def config_directory(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Path:
    """Return the directory of the keys, whether it exists or not.

    ``home`` is the user's home directory, asked of the system if None.
    """
    if named := environment.get("VISTA_CONFIG_DIR"):
        return Path(named).absolute()
    # The XDG rules have relative paths ignored.
    parent = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not parent.is_absolute():
        parent = (Path.home() if home is None else home) / ".config"
    return parent / "vista"


def socket_directory(
    environment: Mapping[str, str] = os.environ,
    temporary: Path | None = None,
    uid: int | None = None,
) -> Path:
    """Return the directory of the sockets of ``ipc:`` links, whether it exists or not.

    ``$XDG_RUNTIME_DIR/vista``, or a directory named with the user's number (``uid``) in the
    temporary directory where that is not set. Call `make_socket_directory` before using it.
    """
    runtime = Path(environment.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():
        return runtime / "vista"
    parent = Path(tempfile.gettempdir()) if temporary is None else temporary
    return parent / f"vista-{os.geteuid() if uid is None else uid}"


def make_socket_directory(directory: Path) -> Path:
    """Make the directory of the sockets when it is missing, check it and return it.

    Raises `KeyFileError` as `check_socket_directory` does.
    """
    try:
        # Somebody may have made it first, to be the one who owns it: the check is after.
        directory.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        pass  # No directory: the check says what it is.
    except OSError as error:
        raise KeyFileError(
            f"{directory} cannot be made: {error.strerror}; {_USE_OTHER_SOCKETS}"
        ) from None
    check_socket_directory(directory)
    return directory


def check_socket_directory(directory: Path) -> None:
    """Check that nobody but this user can reach a socket in ``directory``, or put one there.

    To be called before listening and before connecting: whoever talks through an ``ipc:`` link is
    trusted for this alone. Raises `KeyFileError` with the command that mends it.
    """
    try:
        found = directory.lstat()
    except OSError as error:
        raise KeyFileError(f"{directory}: {error.strerror}") from None
    if stat.S_ISLNK(found.st_mode):
        raise KeyFileError(f"{directory} is a symbolic link; remove it: rm {_quoted(directory)}")
    if not stat.S_ISDIR(found.st_mode):
        raise KeyFileError(f"{directory} is no directory; remove it: rm {_quoted(directory)}")
    if found.st_uid != os.geteuid():
        raise KeyFileError(
            f"{directory} belongs to {_owner(found)}, not to this one; {_USE_OTHER_SOCKETS}"
        )
    if found.st_mode & 0o077:
        raise _too_open(directory, found, "700")
    # 1. Above lies a directory others may write to. 2. They rename ours and put theirs in its
    # place, after the check. Only the sticky bit, as /tmp has it, keeps them from it.
    trusted = {os.geteuid(), 0, os.stat("/").st_uid}
    for parent in directory.resolve().parents:
        above = parent.stat()
        if above.st_uid not in trusted:
            raise KeyFileError(
                f"{directory}: {parent} above it belongs to {_owner(above)}; {_USE_OTHER_SOCKETS}"
            )
        if above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX:
            raise _too_open(parent, above, "go-w")


def load_key(directory: Path, bounds: KeyFileBounds = BOUNDS) -> KeyPair | None:
    """Return the key pair kept in ``directory``, None when there is none.

    Raises `KeyFileError` when others could read or change it or when it is damaged.
    """
    path = directory / SECRET_FILE
    try:
        check_config_directory(directory)
        text = read_guarded(path, 0o077, "600", bounds.key_file_bytes_max)
    except FileNotFoundError:
        return None
    return _pair(_parse_secret(text, path))


def load_or_make_key(directory: Path, bounds: KeyFileBounds = BOUNDS) -> KeyPair:
    """Return the key pair kept in ``directory``, made when there is none.

    Of several processes that find none, one makes the key and all return that one. Raises
    `KeyFileError` when it cannot be read, made, or trusted.
    """
    pair = load_key(directory, bounds)
    if pair is None:
        _store_secret(directory, replace=False)
        pair = load_key(directory, bounds)
        if pair is None:
            raise KeyFileError(f"{directory / SECRET_FILE} was removed as soon as it was made")
    _publish(directory, pair.public)
    return pair


def make_key(directory: Path, *, replace: bool) -> KeyPair:
    """Make a key pair in ``directory`` and return it; ``replace`` also when there is one.

    Raises `KeyFileError` when there is one already, or when it cannot be written.
    """
    path = directory / SECRET_FILE
    if not _store_secret(directory, replace=replace):
        raise KeyFileError(
            f"{path} exists, and {directory / PUBLIC_FILE} is the key to give to others; --force "
            "puts another key in its place, and peers that know this one will refuse it"
        )
    pair = load_key(directory)
    if pair is None:
        raise KeyFileError(f"{path} was removed as soon as it was made")
    _publish(directory, pair.public)
    return pair


def check_config_directory(directory: Path) -> None:
    """Check that nobody but this user and the system can put other files into ``directory``.

    Raises `KeyFileError` with the command that mends it, `FileNotFoundError` when it is missing.
    """
    with _reported(directory):
        found = directory.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise KeyFileError(f"{directory} is no directory; remove it: rm {_quoted(directory)}")
    if found.st_uid not in (os.geteuid(), 0):
        raise _owned_by_other(directory, found)
    if found.st_mode & 0o022:
        raise _too_open(directory, found, "700")


def read_guarded(path: Path, forbidden: int, mend: str, bytes_max: int) -> str:
    """Return the text of a file whose mode has none of the ``forbidden`` bits.

    ``mend`` is what ``chmod`` is to be given otherwise. A file that others may not even read must
    belong to this user, any other one may belong to the system too. Raises `KeyFileError`,
    `FileNotFoundError` when it is missing.
    """
    with _reported(path):
        # Without waiting: a pipe put in its place would be waited for without bound.
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(number, "rb") as file:
            found = os.fstat(number)
            _check_guarded(path, found, forbidden, mend)
            data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise KeyFileError(f"{path} has more than {bytes_max} bytes; is it the right file?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise KeyFileError(f"{path}:{line}:{column}: not a text in UTF-8") from None


def _check_guarded(path: Path, found: os.stat_result, forbidden: int, mend: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyFileError(f"{path} is no file; remove it: rm -r {_quoted(path)}")
    owners = (os.geteuid(),) if forbidden & 0o044 else (os.geteuid(), 0)
    if found.st_uid not in owners:
        raise _owned_by_other(path, found)
    if found.st_mode & forbidden:
        raise _too_open(path, found, mend)


def write_whole(path: Path, text: str, mode: int, *, replace: bool) -> bool:
    """Write a file so that at any instant, also when the machine fails, it is whole or absent.

    Returns False, and changes nothing, when it exists and ``replace`` is False. Raises
    `KeyFileError`.
    """
    with _reported(path):
        number, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(number, "w", encoding="utf-8") as file:
                os.fchmod(number, mode)
                file.write(text)
                file.flush()
                os.fsync(number)
            if replace:
                os.replace(temporary, path)
            else:
                os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            Path(temporary).unlink(missing_ok=True)
        _sync_directory(path.parent)
    return True


def _sync_directory(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _store_secret(directory: Path, *, replace: bool) -> bool:
    # ZeroMQ is loaded when a key is made or read, not by whoever wants to know where files are.
    from vista.peering.curve import make_key_pair

    make_config_directory(directory)
    path = directory / SECRET_FILE
    if not replace and path.exists():
        return False
    _, secret = make_key_pair()
    text = f"{_SECRET_TEXT}{SECRET_WORD} {key_text(secret)}\n"
    return write_whole(path, text, 0o600, replace=replace)


def make_config_directory(directory: Path) -> None:
    """Make the directory of the keys when it is missing and check it. Raises `KeyFileError`."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(
            f"{directory} cannot be made: {error.strerror}; name another one: "
            "export VISTA_CONFIG_DIR=PATH"
        ) from None
    check_config_directory(directory)


def _publish(directory: Path, public: bytes) -> None:
    """Keep ``public_key`` right: a secret key may have been copied here without it."""
    path = directory / PUBLIC_FILE
    text = f"{key_text(public)}\n"
    with _reported(path):
        if path.exists() and path.read_bytes() == text.encode():
            return
        # Keys may be mounted for reading only; the file is a convenience.
        if os.access(directory, os.W_OK):
            write_whole(path, text, 0o644, replace=True)


def _parse_secret(text: str, path: Path) -> bytes:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    match = _SECRET_LINE.fullmatch(lines[0]) if len(lines) == 1 else None
    try:
        return parse_key(match[1] if match else "")
    except PeerAddressError:
        raise KeyFileError(
            f"{path} is damaged: besides comments it has one line, {SECRET_WORD} and 52 "
            "characters; put a copy of it back, or make another key: vista keygen --force "
            f"--directory {_quoted(path.parent)}"
        ) from None


def _pair(secret: bytes) -> KeyPair:
    from vista.peering.curve import public_key_of

    return KeyPair(public_key_of(secret), secret)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Errors of the system as `KeyFileError`, but a missing file as itself."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error


def _too_open(path: Path, found: os.stat_result, mend: str) -> KeyFileError:
    mode = stat.S_IMODE(found.st_mode)
    return KeyFileError(
        f"{path} has mode {mode:04o}: others than its owner can use it; mend it: "
        f"chmod {mend} {_quoted(path)}"
    )


def _owned_by_other(path: Path, found: os.stat_result) -> KeyFileError:
    return KeyFileError(
        f"{path} belongs to {_owner(found)}, not to this one; mend it: "
        f"sudo chown {os.geteuid()} {_quoted(path)}"
    )


def _owner(found: os.stat_result) -> str:
    return f"user {found.st_uid}"


def _quoted(path: Path) -> str:
    return quote(str(path))
