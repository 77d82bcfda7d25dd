"""Files of passwords: a line for each user, with what is kept in the place of his password.

::

    alice  scrypt$16384$8$1$c2Fs...$aGFz...  digest$harbour$SHA-256$9f86...  GET HEAD POST

For Basic that is a key made by scrypt (RFC 7914), from which nobody finds the password. Digest
needs a hash that is as good as the password for its realm, so such a line is a secret. The words
after it are the methods the user may send, GET and HEAD if there are none, ``*`` for all. Two
rules. One line that cannot be read makes the whole file useless: it may be the one that locks
somebody out. Nothing here shows a password or a hash in an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from apps.http.errors import FieldSyntaxError, PasswordFileError
from apps.http.syntax.authentication import ALGORITHMS, check_realm, normal, secret_hash

PASSWORD_FILE_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of a file of passwords, about 20,000 users: it is read whole, by a kernel thread."""
USER_CHARACTERS_MAX = 255
"""Characters of a user's name."""
PASSWORD_CHARACTERS_MAX = 1_024
"""Characters of a password: what is longer was not typed, and hashing it takes time."""
CHECK_SECONDS = 1.0
"""How long a file is taken to be what it was; then the disk is asked again."""

SCRYPT_COST = 16_384
SCRYPT_BLOCK = 8
"""The cost of a password: 16 MiB and 30 to 50 ms of CPU (OWASP's cheat sheet on password storage
has this among the least that will do). More would let a few wrong passwords fill the machine."""
_SCRYPT_MEMORY_MAX = 128 * 1024 * 1024
_KEY_BYTES = 32
_SALT_BYTES = 16

# What has nothing to be quoted: shlex takes each character by itself, 30 us for a line.
_PLAIN = re.compile(r"[!$%&(-\[\]-~ \t]*")

USUAL_METHODS = frozenset({"GET", "HEAD"})
"""What a user may send for whom nothing else is said, as in the original."""
ALL_METHODS = "*"


@dataclass(frozen=True, slots=True)
class Scrypt:
    """What is kept of a password for Basic."""

    cost: int
    block: int
    parallel: int
    salt: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def fits(self, password: str) -> bool:
        """Tell whether this is the password. Takes about 50 ms of CPU, without Python's lock."""
        made = _derived(password, self.salt, self.cost, self.block, self.parallel)
        return hmac.compare_digest(made, self.key)

    def __str__(self) -> str:
        parts = (_text_of(self.salt), _text_of(self.key))
        return "$".join(("scrypt", str(self.cost), str(self.block), str(self.parallel), *parts))


@dataclass(frozen=True, slots=True)
class Account:
    """A user: what is kept of the password, and the methods he may send.

    ``digests`` are hashes by (realm, algorithm).
    """

    user: str
    scrypt: Scrypt | None = None
    digests: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    methods: frozenset[str] = USUAL_METHODS

    def allows(self, method: str) -> bool:
        """Tell whether the user may send a method."""
        return method in self.methods or ALL_METHODS in self.methods


def make_account(
    user: str, password: str, realm: str | None, methods: frozenset[str] = USUAL_METHODS
) -> Account:
    """Return an account for a password; with ``realm`` one for Digest too.

    Takes about 50 ms. Raises `PasswordFileError` for a name or password that cannot be one.
    """
    user, password = _check_user(user), _check_password(password)
    salt = os.urandom(_SALT_BYTES)
    key = _derived(password, salt, SCRYPT_COST, SCRYPT_BLOCK, 1)
    digests = {}
    if realm is not None:
        for algorithm in ALGORITHMS:
            digests[realm, algorithm] = secret_hash(algorithm, user, realm, password)
    return Account(user, Scrypt(SCRYPT_COST, SCRYPT_BLOCK, 1, salt, key), digests, methods)


def parse_passwords(name: str, text: str) -> dict[str, Account]:
    """Return the accounts of a file by user; ``name`` stands in errors.

    Raises `PasswordFileError` with the line of the first mistake.
    """
    accounts: dict[str, Account] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = line.split() if _PLAIN.fullmatch(line) else shlex.split(line, comments=True)
            if not words:
                continue
            account = _parse_account(words)
        except (PasswordFileError, FieldSyntaxError, ValueError) as error:
            raise PasswordFileError(f"{name}:{number}: {error}") from None
        if account.user in accounts:
            raise PasswordFileError(f"{name}:{number}: user {account.user!r} stands twice")
        accounts[account.user] = account
    return accounts


def read_passwords(path: Path) -> dict[str, Account]:
    """Read a file of passwords. Raises `PasswordFileError` for one that cannot be used."""
    try:
        # A FIFO would have the node wait for a writer.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PasswordFileError(f"{path}: this is no file")
            data = file.read(PASSWORD_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise PasswordFileError(f"{path}: {error.strerror}") from error
    if len(data) > PASSWORD_FILE_BYTES_MAX:
        raise PasswordFileError(f"{path}: longer than {PASSWORD_FILE_BYTES_MAX} bytes")
    try:
        return parse_passwords(str(path), data.decode())
    except UnicodeDecodeError:
        raise PasswordFileError(f"{path}: this is not UTF-8 text") from None


def write_passwords(path: Path, accounts: Mapping[str, Account]) -> None:
    """Write a file of passwords in the place of the one there is, at once and for its owner only.

    Raises `OSError`.
    """
    lines = [format_account(accounts[user]) for user in sorted(accounts)]
    made = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def format_account(account: Account) -> str:
    """Return the line of an account."""
    words = [account.user]
    words += [] if account.scrypt is None else [str(account.scrypt)]
    words += [
        f"digest${quote(realm)}${algorithm}${secret}"
        for (realm, algorithm), secret in account.digests.items()
    ]
    words += [] if account.methods == USUAL_METHODS else sorted(account.methods)
    return shlex.join(words)


class PasswordFile:
    """A file of passwords that is read again when it has changed; looked at once a second.

    `look` says whether it is to be read and `read` reads it, which takes 10 us for each user, and
    may be done in a kernel thread: `known` is what was read last. `accounts` does all at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: str | None = None
        """Why the file cannot be used; None when it can."""
        self.open_to_others = False
        """Whether others than its owner may read it."""
        self._accounts: dict[str, Account] | None = None
        self._seen: object = None
        self._looked = -CHECK_SECONDS

    def accounts(self, now: float) -> Mapping[str, Account] | None:
        """Return the accounts, None while the file cannot be used; ``now`` in seconds."""
        if self.look(now):
            self.read()
        return self.known

    @property
    def known(self) -> Mapping[str, Account] | None:
        """The accounts that were read last; None while the file cannot be used, or was not read."""
        return None if self.error is not None else self._accounts

    def look(self, now: float) -> bool:
        """Look at the file, if it is time, and return whether it is to be read; ``now`` in seconds.

        True comes once for each change: whoever is told reads it.
        """
        if 0 <= now - self._looked < CHECK_SECONDS:
            return False
        self._looked = now
        try:
            found = self.path.stat()
        except OSError as error:
            self._seen, self.error = None, f"{self.path}: {error.strerror}"
            return False
        state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
        if state == self._seen:
            return False
        self._seen = state
        self.open_to_others = bool(found.st_mode & (stat.S_IRGRP | stat.S_IROTH))
        return True

    def look_again(self) -> None:
        """Have the next `look` say that the file is to be read: the last one led to nothing."""
        self._seen = None

    def read(self) -> None:
        """Read the file."""
        try:
            self._accounts, self.error = read_passwords(self.path), None
        except PasswordFileError as error:
            self._accounts, self.error = None, str(error)


def _parse_account(words: list[str]) -> Account:
    user = _check_user(words[0])
    scrypt: Scrypt | None = None
    digests: dict[tuple[str, str], str] = {}
    methods = []
    for word in words[1:]:
        if word.startswith("scrypt$"):
            scrypt = parse_scrypt(word)
        elif word.startswith("digest$"):
            realm, algorithm, secret = _parse_digest(word)
            digests[realm, algorithm] = secret
        elif word == ALL_METHODS or (word.isascii() and word.isupper() and word.isalpha()):
            methods.append(word)
        else:
            raise PasswordFileError(
                "after the user stand scrypt$... or digest$... as `python -m apps.http.passwords` "
                "writes them, and methods in capitals; passwords themselves are not taken"
            )
    if scrypt is None and not digests:
        raise PasswordFileError("nothing is kept of the password: make the line anew")
    return Account(user, scrypt, digests, frozenset(methods) or USUAL_METHODS)


def parse_scrypt(word: str) -> Scrypt:
    """Return what ``str(Scrypt)`` was made of. Raises `PasswordFileError` for what is none."""
    parts = word.split("$")
    if len(parts) != 6 or not all(part.isdecimal() for part in parts[1:4]):
        raise PasswordFileError("scrypt$COST$BLOCK$PARALLEL$SALT$KEY is malformed")
    cost, block, parallel = (int(part[:9]) for part in parts[1:4])
    try:
        salt, key = (base64.b64decode(part, b"-_", validate=True) for part in parts[4:])
    except binascii.Error:
        raise PasswordFileError("salt and key of scrypt are no base64") from None
    costly = 128 * cost * block * parallel > _SCRYPT_MEMORY_MAX // 2
    if cost < 2 or cost & (cost - 1) or not block or not parallel or costly or not key:
        raise PasswordFileError("scrypt's cost is no power of two, or takes more than 64 MiB")
    return Scrypt(cost, block, parallel, salt, key)


def _parse_digest(word: str) -> tuple[str, str, str]:
    parts = word.split("$")
    digits = {"SHA-256": 64, "MD5": 32}
    if len(parts) != 4 or parts[2] not in digits:
        raise PasswordFileError("digest$REALM$ALGORITHM$HASH is malformed")
    secret = parts[3].lower()
    if len(secret) != digits[parts[2]] or secret.strip("0123456789abcdef"):
        raise PasswordFileError(f"the hash of digest must be {digits[parts[2]]} hex digits")
    return check_realm(unquote(parts[1])), parts[2], secret


def _check_user(user: str) -> str:
    user = normal(user)
    if not user or len(user) > USER_CHARACTERS_MAX or ":" in user or not user.isprintable():
        raise PasswordFileError(
            f"a user's name has 1 to {USER_CHARACTERS_MAX} characters, no colon and no controls"
        )
    return user


def _check_password(password: str) -> str:
    password = normal(password)
    if not password or len(password) > PASSWORD_CHARACTERS_MAX or not password.isprintable():
        raise PasswordFileError(
            f"a password has 1 to {PASSWORD_CHARACTERS_MAX} characters and no controls"
        )
    return password


def _derived(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block, p=parallel,
        maxmem=_SCRYPT_MEMORY_MAX, dklen=_KEY_BYTES,
    )  # fmt: skip


def _text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")
