"""Parts of a site that ask for a name and a password.

The directory of the site asks the guard about each request below its path, and gives away who
answers only through it; so there is no way to a page that forgets to ask. What is decided about
passwords, nonces and attempts is decided in `apps.http.content`; here it gets its clock, its dice
and its disk.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import vista
from apps.http.content.attempts import Attempts
from apps.http.content.nonces import SALT_BYTES, Nonces
from apps.http.content.passwords import (
    SCRYPT_BLOCK,
    SCRYPT_COST,
    USUAL_METHODS,
    Account,
    PasswordFile,
    Scrypt,
    format_account,
    make_account,
    parse_passwords,
    parse_scrypt,
)
from apps.http.content.resources import Request, Response, error_response
from apps.http.errors import FieldSyntaxError, RequestRejected
from apps.http.objects.found import Found, service_name
from apps.http.syntax.authentication import (
    ALGORITHMS,
    AUTH_INT,
    BasicCredentials,
    DigestCredentials,
    basic_challenge,
    check_realm,
    digest_challenge,
    digest_response,
    normal,
    parse_credentials,
)
from apps.http.syntax.targets import place_target

_log = logging.getLogger("vista.http")

CHECKS_MAX = 2
"""Passwords that are checked at once; each takes 16 MiB and a core for 50 ms. The next get 503: a
flood of guesses from many addresses must leave something for those who are in."""
PROVEN_MAX = 1_024
"""Passwords that were right and need not be hashed again for the same address, about 150 bytes
each."""
DIGEST = "digest"
"""The realm that selects Digest, as in the original; ``digest:NAME`` says the realm's name too."""

_KEY_BYTES = 32
# Who does not exist takes as long as who does, or the names of users could be found out.
_NOBODY = Scrypt(SCRYPT_COST, SCRYPT_BLOCK, 1, b"nobody is called", b"so")


class URLprotectedFile(vista.Object, namespace="HTTP"):
    """Guards a part of a site: who asks for anything there must know a name and its password.

    rc line: ``URLprotectedFile localhost /staff nil harbour alice "a secret"``

    ``create(url_directory, dir_name, loader, realm, user_name=None, password=None)``:
    ``url_directory`` is the directory of a site or the site's name. ``dir_name`` is the address
    that is guarded with all that is below it; a page's own address guards that page. ``loader`` is
    nil, or the class of a loader that serves ``dir_name`` from the same directories on the disk as
    they are served until then, or such a loader. ``realm`` is shown to people when they are asked;
    ``digest`` or ``digest:REALM`` selects Digest in the place of Basic.

    With Basic the password travels readable, so it belongs behind TLS. With Digest it does not, but
    what it protects does.

    Who logged in is `Request.user` of every page below ``dir_name``. Users may send GET and HEAD
    unless `add_user` says otherwise.

    A password that is wrong five times makes its address wait ever longer, up to a minute. A file
    of passwords that cannot be read lets nobody in. When the guard is deleted, what it guards stays
    closed until ``unprotect`` is sent to the directory, or another guard takes its place.

    The original's URLprotectedFile.
    """

    def initialize(
        self,
        url_directory: Any,
        dir_name: str,
        loader: str | vista.Ref | None,
        realm: str,
        user_name: str | None = None,
        password: str | None = None,
    ) -> None:
        """Guard a part of a site; a derived class calls it from ``create``."""
        self.url_directory = vista.ref_of(service_name(url_directory))
        self.dir_name = dir_name
        self.using_digest_mode = realm == DIGEST or realm.startswith(f"{DIGEST}:")
        if self.using_digest_mode:
            realm = realm.partition(":")[2] or self.url_directory.get_site_name()
        try:
            self.realm_name = check_realm(realm)
        except FieldSyntaxError as error:
            raise vista.BadValueError(str(error)) from None
        self._added: dict[str, Account] = {}
        self._file: PasswordFile | None = None
        self._said: str | None = None
        self._warned = False
        self._attempts = Attempts()
        self._nonces = Nonces(secrets.token_bytes(_KEY_BYTES))
        self._proven = _Proven()
        self._checking = 0
        if (user_name is None) != (password is None):
            raise vista.BadValueError("a guard takes a user's name and the password, or neither")
        # First of all: to hash the password takes a while in which requests are answered.
        me = vista.self_ref(self)
        self.url_directory.protect(dir_name, me)
        try:
            if user_name is not None and password is not None:
                self.add_user(user_name, password)
            self._make_loader(loader)
        except BaseException:
            self.url_directory.unprotect(dir_name, me)
            raise

    create = initialize

    # --- users -----------------------------------------------------------------------------

    def add_user(self, user: str, password: str, *commands: str) -> None:
        """Let a user in, or give him another password.

        ``commands`` are the methods he may send, ``*`` for all; GET and HEAD if none is named.
        Raises `PasswordFileError` for a name or password that cannot be one.
        """
        methods = frozenset(command.upper() for command in commands) or USUAL_METHODS
        line = vista.self_ref(self).hash_password(user, password)
        account = next(iter(parse_passwords("the user", line).values()))
        self._added[account.user] = Account(account.user, account.scrypt, account.digests, methods)

    def remove_user(self, user: str) -> bool:
        """Let a user in no longer; return whether he was one of `add_user`."""
        return self._added.pop(normal(user), None) is not None

    def load_password_file(self, file_name: str) -> None:
        """Let in the users of a file too, which ``python -m apps.http.passwords`` makes.

        It is read again when it changes. As long as it cannot be, nobody is let in at all.
        """
        self._file = PasswordFile(Path(file_name).absolute())
        self._said = None
        self._is_readable()

    def get_users(self) -> list[str]:
        """Return the names of the users, those of the file included."""
        self._is_readable()
        accounts = None if self._file is None else self._file.known
        return sorted({*self._added, *(accounts or ())})

    @vista.native
    @vista.preemptable
    def read_password_file(self) -> None:
        """Read the file of passwords again; the guard sends it to itself, since it takes long.

        Until it is read, those are let in who were before; at first nobody is.
        """
        if self._file is not None:
            self._file.read()

    @vista.native
    @vista.preemptable
    def hash_password(self, user: str, password: str) -> str:
        """Return a line of a password file; the guard sends it to itself, since it takes long."""
        realm = self.realm_name if self.using_digest_mode else None
        return format_account(make_account(user, password, realm))

    @vista.native
    @vista.preemptable
    def verify_password(self, kept: str, password: str) -> bool:
        """Tell whether a password is the one of which ``kept`` was made; ``""`` for nobody's.

        The guard sends it to itself, since it takes long.
        """
        if not kept:
            return _NOBODY.fits(password)
        return parse_scrypt(kept).fits(password)

    # --- requests --------------------------------------------------------------------------

    def admit_request(self, request: Request, method: str) -> Found | Response:
        """Say who answers a request, or why it is not let in; the server sends it.

        ``method`` is what the directory is asked for, nearly always the request's own.
        """
        if not self._is_readable():
            return error_response(503, "Nobody can be let in here at the moment.")
        account = self._identify(request)
        if isinstance(account, Response):
            return account
        if not account.allows(request.method):
            return error_response(403, "You may not do this.")
        found: Found = self.url_directory.find_admitted(method, request.path, account.user)
        return found

    def _identify(self, request: Request) -> Account | Response:
        text = request.field("authorization")
        try:
            credentials = parse_credentials(text) if text else None
        except FieldSyntaxError:
            credentials = None
        if isinstance(credentials, DigestCredentials) and self.using_digest_mode:
            return self._identify_digest(credentials, request)
        if isinstance(credentials, BasicCredentials) and not self.using_digest_mode:
            return self._identify_basic(credentials, request)
        return self._challenge()

    def _identify_basic(
        self, credentials: BasicCredentials, request: Request
    ) -> Account | Response:
        account = self._account(credentials.user)
        kept = "" if account is None or account.scrypt is None else str(account.scrypt)
        if account is not None and self._proven.has(kept, credentials.password, request.client):
            return account
        refused = self._begin_attempt(request)
        if refused is not None:
            return refused
        if self._checking >= CHECKS_MAX:
            self._attempts.forgive(request.client)
            explain = "Too many passwords are being checked."
            return error_response(503, explain, (("Retry-After", "1"),))
        self._checking += 1
        try:
            right = vista.self_ref(self).verify_password(kept, credentials.password)
        finally:
            self._checking -= 1
        if not right or account is None:
            return self._failed(request, account)
        self._attempts.forgive(request.client)
        self._proven.add(kept, credentials.password, request.client)
        return account

    def _identify_digest(
        self, credentials: DigestCredentials, request: Request
    ) -> Account | Response:
        if not _is_target(credentials.uri, request):
            return error_response(400, "The credentials are for another address.")
        if credentials.qop == AUTH_INT and not _is_whole(request):
            return error_response(413, "This body cannot be checked: send it with qop=auth.")
        account, nonce = self._account(credentials.user), credentials.nonce
        known = self._nonces.is_owner(nonce, credentials.user)
        refused = None if known else self._begin_attempt(request)
        if refused is not None:
            return refused
        digests = {} if account is None else account.digests
        kept = digests.get((self.realm_name, credentials.algorithm), "")
        wanted = digest_response(credentials, kept, request.method, request.body)
        right = hmac.compare_digest(wanted.encode(), credentials.response.encode())
        if not right or not kept or account is None or credentials.realm != self.realm_name:
            if known:
                self._nonces.drop(nonce)
                self._attempts.begin(request.client, time.monotonic())
            return self._failed(request, account)
        if not known:
            self._attempts.forgive(request.client)
        if not self._nonces.take(nonce, credentials.count, account.user, time.time()):
            return self._challenge(stale=True)
        return account

    def _account(self, user: str) -> Account | None:
        found = self._added.get(user)
        if found is None and self._file is not None:
            found = (self._file.known or {}).get(user)
        return found

    def _begin_attempt(self, request: Request) -> Response | None:
        """Count an attempt; return the refusal if it comes too soon."""
        wait = self._attempts.begin(request.client, time.monotonic())
        if wait <= 0:
            return None
        retry = (("Retry-After", str(math.ceil(wait))),)
        return error_response(429, "Too many wrong passwords came from your address.", retry)

    def _failed(self, request: Request, account: Account | None) -> Response:
        # Not what was given as a name, which now and then is the password.
        who = "nobody" if account is None else repr(account.user)
        _log.warning("%s: %s gave a wrong password, for %s", self.dir_name, request.client, who)
        return self._challenge()

    def _challenge(self, stale: bool = False) -> Response:
        if self.using_digest_mode:
            nonce = self._nonces.issue(time.time(), secrets.token_bytes(SALT_BYTES))
            lines = [
                digest_challenge(self.realm_name, algorithm, nonce, stale)
                for algorithm in ALGORITHMS
            ]
        else:
            lines = [basic_challenge(self.realm_name)]
        fields = tuple(("WWW-Authenticate", line) for line in lines)
        explain = "This part of the site asks for a name and a password."
        return error_response(401, explain, (*fields, ("Cache-Control", "no-store")))

    def _is_readable(self) -> bool:
        """Tell whether the file of passwords can be used, and say once if not."""
        if self._file is None:
            return True
        if self._file.look(time.monotonic()):
            try:
                vista.self_ref(self).read_password_file()
            except BaseException:  # whoever waited for it was ended before it began
                self._file.look_again()
                raise
        usable = self._file.known is not None
        if self._file.error != self._said:
            self._said = self._file.error
            if self._said is None:
                _log.info("%s: %s is read again", self.dir_name, self._file.path)
            else:
                _log.error("%s: nobody is let in: %s", self.dir_name, self._said)
        if self._file.open_to_others and not self._warned:
            self._warned = True
            _log.warning("%s can be read by other users; chmod 600 it", self._file.path)
        return usable

    # --- files -----------------------------------------------------------------------------

    def _make_loader(self, loader: str | vista.Ref | None) -> None:
        if loader is None:
            return
        if not isinstance(loader, str):
            self.url_directory.register_directory_handler(self.dir_name, vista.ref_of(loader))
            return
        handler = self.url_directory.get_directory_handler(self.dir_name.rstrip("/") + "/")
        if handler is None:
            raise vista.BadValueError(
                f"nothing serves files at {self.dir_name}: make its loader first, or give nil"
            )
        beginning, parent = handler
        below = self.dir_name[len(beginning) :].strip("/")
        roots = [str(Path(root, below)) for root in parent.get_directory_roots()]
        names = tuple(parent.get_default_files())
        vista.create(
            loader, self.url_directory, "HTTPcachedFile", self.dir_name, None, *roots,
            default_files=names,
        )  # fmt: skip


class HTTPprotectedDirectory(URLprotectedFile, namespace="HTTP"):
    """Guards a part of a site with a file of passwords.

    rc line: ``HTTPprotectedDirectory localhost /staff harbour /etc/vista/passwords``

    ``create(url_directory, dir_name, realm, password_file)``; the file is made by ``python -m
    apps.http.passwords FILE USER``. Else as `URLprotectedFile`.

    The original's HTTPprotectedDirectory, whose page is lost.
    """

    def create(  # type: ignore[override]
        self, url_directory: Any, dir_name: str, realm: str, password_file: str
    ) -> None:
        """Guard a part of a site."""
        self.initialize(url_directory, dir_name, None, realm)
        self.load_password_file(password_file)


class _Proven:
    """Passwords that were right, as codes under a key that only this process has.

    Each counts for the address that it came from: it is taken from one that has to wait, and others
    would find out by it whether a guess is right as often as they like.
    """

    __slots__ = ("_codes", "_key")

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._codes: OrderedDict[bytes, None] = OrderedDict()

    def has(self, kept: str, password: str, client: str) -> bool:
        """Tell whether a password from an address was right for what is kept of it."""
        code = self._code(kept, password, client)
        if code not in self._codes:
            return False
        self._codes.move_to_end(code)
        return True

    def add(self, kept: str, password: str, client: str) -> None:
        """Remember a password that was right."""
        self._codes[self._code(kept, password, client)] = None
        if len(self._codes) > PROVEN_MAX:
            self._codes.popitem(last=False)

    def _code(self, kept: str, password: str, client: str) -> bytes:
        data = f"{client}\0{kept}\0{password}".encode()
        return hashlib.blake2b(data, key=self._key, digest_size=32).digest()


def _is_target(uri: str, request: Request) -> bool:
    """Tell whether what the credentials are for is what is asked for (RFC 7616, section 3.4.6)."""
    try:
        target = place_target(uri.encode("latin-1"), request.method, None, None)
    except RequestRejected:
        return False
    return ("/" + "/".join(target.path), target.query) == (request.path, request.query)


def _is_whole(request: Request) -> bool:
    """Tell whether the body of a request is at hand: all of it has come, and is in memory."""
    if request.upload is not None or request.parts:
        return False
    header = request.header()
    told = header.get("content-length")
    if told is not None:
        return int(told) == len(request.body)
    if request.version == "2":
        # A body that is yet to come need not be told of: only these are known to have none.
        return bool(request.body) or request.method in ("GET", "HEAD")
    return bool(request.body) or "transfer-encoding" not in header
