"""The daemon of a site: listens, and makes an object for each connection."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import logging
import os
import socket
from pathlib import Path
from typing import Any

import vista
from apps.http.errors import ProfileError
from apps.http.objects.compression import COMPRESSIONS, FILES
from apps.http.objects.directory import CACHE_BYTES_MAX
from apps.http.objects.listening import BACKLOG, name_of, open_listener, parse_address
from apps.http.objects.loader import URLfileLoader
from apps.http.objects.profile import Profile, read_profile, terms_of
from apps.http.objects.protected import HTTPprotectedDirectory
from apps.http.objects.receive import HTTPfastReceive
from apps.http.objects.tls import CertificateFiles, Identity
from apps.http.objects.uploads import UPLOAD_BYTES_MAX, HTTPuploads, uploads_directory

_log = logging.getLogger("vista.http")

ACCEPTS_MAX = 64
"""Connections that are accepted at once, before those that are open get their turn."""
CONNECTIONS_MAX = 10_000
"""Connections open at once, unless the profile says otherwise; the next ones wait in the system."""
PAUSE_SECONDS = 0.2
"""How long nothing is accepted when the process has no descriptor left, or too many are open."""
ERROR_PAGE_BYTES_MAX = 256 * 1024
"""Bytes of an error page: it is kept in memory and sent to whoever asks for nonsense."""

MADE_OF = (
    "ServerName", "SERVER_PORT", "directoryRoot", "defaultFiles", "showHidden", "cacheBytes",
    "compress", "protected", "uploads", "uploadBytes", "keptUploads",
)  # fmt: skip
"""The attributes of a profile that `HTTPdaemon.reload` leaves as they were."""

_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class HTTPdaemon(vista.Object, namespace="HTTP"):
    """Serves a site: listens at an address and makes an `HTTPfastReceive` for each connection.

    rc line: ``HTTPdaemon http.profile tcp:0.0.0.0:4321``

    ``create(server_profile, address=None, override_name=None, dont_do_listen=False)``:
    ``server_profile`` is a file of attributes (see docs/http.rst) or ``-`` for none; ``address`` is
    ``tcp:HOST:PORT``, with an IPv6 address in brackets, ``tls:HOST:PORT`` or ``unix:PATH``, and by
    default the profile's SERVER_NAME and SERVER_PORT. ``override_name`` replaces the profile's
    ServerName; in both ``-`` means the name of this machine. ``dont_do_listen`` makes a further
    site at an address at which another HTTPdaemon of this node listens already: which site a
    request is for, its field Host says. A request for any other host goes to the site that listens.
    With ``tls:`` the profile names the certificate; a further site may have one of its own.

    The directory of the site is the service ``URLdirectory:NAME``. The daemon itself is the service
    ``HTTPdaemon:ADDRESS`` if it listens.

    Creating raises `ProfileError`, `BadLimitError`, or OSError when it cannot listen there.

    The original's HTTPdaemon.
    """

    def create(
        self,
        server_profile: str,
        address: str | None = None,
        override_name: str | None = None,
        dont_do_listen: bool = False,
    ) -> None:
        """Make the site, then listen."""
        profile = self._profile = read_profile(server_profile)
        self.site = _host_name(override_name or profile.text("ServerName", "localhost"))
        self.limits = profile.limits()
        self.http2 = profile.http2()
        self.proxies = profile.proxies()
        self.connections_max = profile.number("connectionsMax", CONNECTIONS_MAX)
        self.address = address or _default_address(profile)
        self.connections_accepted = 0
        self.receive_class: Any = HTTPfastReceive
        self.sites: dict[str, tuple[str, vista.Ref]] = {}
        self._socket: socket.socket | None = None
        self._guards: list[vista.Ref] = []
        self._open: dict[int, vista.Ref] = {}
        self._all_ended: asyncio.Future[None] | None = None
        self._identities: dict[str, Identity] = {}
        self._joined: dict[str, vista.Ref] = {}
        self._listener: vista.Ref | None = None
        self._until_stop: asyncio.Task[None] | None = None
        # What can fail before anything exists, fails first.
        settings, protected = _directory_settings(profile), profile.protected()
        kind, family, place = parse_address(self.address)
        self._certificate = self._read_certificate(profile, not dont_do_listen)
        listener = vista.service(f"HTTPdaemon:{self.address}") if dont_do_listen else None
        if listener is None:
            self._socket = open_listener(family, place)
            self.address = name_of(self._socket, kind)
        try:
            self._make_site(profile, settings, protected)
            if listener is not None:
                self._listener = listener
                self._join(listener)
            else:
                self._announce()
        except BaseException:
            self.delete()  # or the next one would find the address and the name taken
            raise

    def _make_site(
        self, profile: Profile, settings: dict[str, Any], protected: list[tuple[str, str, str]]
    ) -> None:
        self.url_directory = vista.create("URLdirectory", self.site, **settings)
        self.url_directory.set_websocket_origins(tuple(profile.texts("webSocketOrigins")))
        # Before there is anything to protect.
        for path, realm, passwords in protected:
            place = (self.url_directory, path, realm, passwords)
            self._guards.append(vista.create(HTTPprotectedDirectory, *place))
        self.loader = self._make_loader(profile)
        self.uploads = _make_uploads(profile, self.site)

    def _announce(self) -> None:
        """Be found by further sites and told of the end, then begin to accept."""
        me = vista.self_ref(self)
        self.add_site(self.site, self.url_directory, self._identity())
        vista.register_service(f"HTTPdaemon:{self.address}", me)
        with contextlib.suppress(vista.NoSuchService):
            vista.send("ShutdownService", "register", me)
        me.listen.post()
        _log.info("%s is served at %s", self.site, self.get_url())

    def delete(self) -> None:
        """Stop listening and drop every connection."""
        self._stop_listening()
        if self._until_stop is not None:
            self._loop.call_soon(self._until_stop.cancel)
        for receiver in self._open.values():
            vista.post(receiver, "daemon_deleted")
        if self._listener is not None:
            # In flight and not waited for: the listener may be gone, which is nobody's mistake.
            vista.future(self._listener, "remove_site", self.site)
        made = [getattr(self, name, None) for name in ("uploads", "loader", "url_directory")]
        for each in (*made, *self._guards):
            if each is not None:
                vista.post(each, "delete_yourself")

    def get_url(self) -> str:
        """Return the URL of the site, with the port that was taken for port 0."""
        kind, _, place = self.address.partition(":")
        if kind == "unix":
            return f"http+unix://{place}"
        host, _, port = place.rpartition(":")
        shown = "localhost" if host in ("0.0.0.0", "127.0.0.1", "[::]", "[::1]") else host
        return f"{'https' if kind == 'tls' else 'http'}://{shown}:{port}/"

    def get_address(self) -> str:
        """Return the address it listens at, with the port that was taken for port 0."""
        return self.address

    def get_connections(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    def get_figures(self) -> dict[str, int]:
        """Return how many ``connections`` are open, and ``connections_accepted`` so far."""
        return {
            "connections": len(self._open),
            "connections_accepted": self.connections_accepted,
        }

    def add_site(
        self,
        name: str,
        url_directory: vista.Ref,
        identity: Identity | None = None,
        daemon: vista.Ref | None = None,
    ) -> None:
        """Serve a further site at this address; a daemon that does not listen sends it.

        ``identity`` says where its certificate is; without one it has that of the site that
        listens. ``daemon`` is then posted ``check_certificate``. Sent again it replaces what it
        said.
        """
        self.sites[name.lower()] = (name, url_directory)
        if identity is None:
            self._identities.pop(name.lower(), None)
        else:  # in its place: the first one is shown to who asks for no site
            self._identities[name.lower()] = identity
        if daemon is not None:
            self._joined[name.lower()] = daemon

    def remove_site(self, name: str) -> None:
        """Serve a site no more; a daemon that does not listen posts it when it is deleted."""
        self.sites.pop(name.lower(), None)
        self._identities.pop(name.lower(), None)
        self._joined.pop(name.lower(), None)

    def reload_certificate(self) -> None:
        """Read the site's certificate and key again: connections that come from here on get them.

        It happens by itself within a minute after the files have changed. Raises `ProfileError`
        when they cannot be used, and goes on with what it has; `BadValueError` where the site has
        no certificate of its own.
        """
        if self._certificate is None:
            raise vista.BadValueError(
                f"{self.site} has no certificate of its own at {self.address}"
            )
        self._certificate.reload()
        if self._listener is None:
            self.add_site(self.site, self.url_directory, self._identity())
        else:
            self._join(self._listener)

    def reload(self) -> None:
        """Read the profile again, and the certificate; `HTTPreload` has it sent at SIGHUP.

        Error pages, ``actAs``, ``listings`` and ``webSocketOrigins`` count at once, certificate,
        bounds, ``http2`` and the proxies for connections that come from here on. What a site is
        made of (`MADE_OF`) stays as it is, which the log says where it was changed. Raises
        `ProfileError` or `BadLimitError` for a profile that cannot be used: then all stays.
        """
        profile = read_profile(self._profile.name if self._profile.is_file else "-")
        settings, limits, http2 = _directory_settings(profile), profile.limits(), profile.http2()
        proxies = profile.proxies()
        connections_max = profile.number("connectionsMax", CONNECTIONS_MAX)
        self._certificate = self._read_certificate(profile, self._listener is None)
        for attribute in MADE_OF:
            if profile.texts(attribute) != self._profile.texts(attribute):
                words = "%s: %s takes effect when the site is started again"
                _log.warning(words, profile.name, attribute)
        self._profile, self.limits, self.http2 = profile, limits, http2
        self.proxies, self.connections_max = proxies, connections_max
        self.url_directory.reconfigure(
            settings["error_pages"], settings["acting_users"], settings["listings"]
        )
        self.url_directory.set_websocket_origins(tuple(profile.texts("webSocketOrigins")))
        if self._listener is None:
            self.add_site(self.site, self.url_directory, self._identity())
        else:
            self._join(self._listener)
        _log.info("%s: its profile was read again", self.site)

    def get_joined(self) -> list[vista.Ref]:
        """Return the daemons of the further sites at this address."""
        return list(self._joined.values())

    def _read_certificate(self, profile: Profile, listens: bool) -> CertificateFiles | None:
        """The certificate of a profile; a further site may do with that of who listens."""
        if not self.address.startswith("tls:") or not (listens or profile.texts("certificate")):
            return None
        return CertificateFiles(profile, self.site)

    def _identity(self) -> Identity | None:
        return None if self._certificate is None else self._certificate.identity

    def _join(self, listener: vista.Ref) -> None:
        me = vista.self_ref(self)
        listener.add_site(self.site, self.url_directory, self._identity(), me)

    def site_of(self, host: str) -> Any:
        """Return name and directory of the site of a host, None when there is none."""
        return self.sites.get(host.lower())

    async def listen(self) -> None:
        """Begin to accept; the daemon sends it to itself."""
        if self._socket is not None:
            self._loop = asyncio.get_running_loop()
            # What the loop calls runs in this context, which may post.
            self._context = contextvars.copy_context()
            self._watch()
            # Not this thread: a node that stops waits for its threads, and cancels its tasks.
            self._until_stop = self._loop.create_task(self._close_at_stop())

    async def _close_at_stop(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self._stop_listening()

    def system_shutdown(self) -> None:
        """Accept no more, have requests answered, and return when all connections are closed.

        Those that last longer than ``stop_seconds`` are cut off. ``ShutdownService`` sends it.
        """
        if self._socket is not None and hasattr(self, "_loop"):
            # Closed with the socket, those that wait in the system would get a reset.
            for _ in range(BACKLOG // ACCEPTS_MAX + 1):
                self.accept_waiting()
        self._stop_listening()
        for receiver in self._open.values():
            # In flight and not waited for: its end is, below, and it may be gone already.
            vista.future(receiver, "drain")
        if not self._open:
            return
        self._all_ended = self._loop.create_future()
        try:
            vista.wait(self._all_ended, terms_of(self.limits).limits.stop_seconds)
        except TimeoutError:
            _log.warning("%s: connections cut off: %d", self.address, len(self._open))
            for receiver in self._open.values():
                vista.post(receiver, "delete_yourself")

    def connection_ended(self, number: int) -> None:
        """Take note that a connection is closed; its object posts it."""
        self._open.pop(number, None)
        ended = self._all_ended
        if ended is not None and not self._open and not ended.done():
            ended.set_result(None)

    # --- accepting -------------------------------------------------------------------------

    def accept_waiting(self) -> None:
        """Accept the connections that wait; the loop has it posted."""
        if self._certificate is not None and self._certificate.is_due(self._loop.time()):
            self.check_certificate()
            for daemon in self._joined.values():
                daemon.check_certificate.post()
        for _ in range(ACCEPTS_MAX):
            if self._socket is None:
                return
            if len(self._open) >= self.connections_max:
                self._pause()
                return
            try:
                sock, _address = self._socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _FULL:
                    _log.warning("%s: cannot accept for now: %s", self.address, error)
                    self._pause()
                    return
                continue  # that client went away while it waited
            try:
                self._take(sock)
            except (vista.VistaError, OSError) as error:
                # That one is lost; the next ones come when there is room for an object again.
                _log.error("%s: a connection cannot be served: %s", self.address, error)
                self._pause()
                return
        self._loop.call_soon(self._watch, context=self._context)

    def check_certificate(self) -> None:
        """Read the certificate again if its files have changed; one that is bad is only logged.

        The daemon that listens posts it to those of further sites.
        """
        if self._certificate is None or not self._certificate.has_changed():
            return
        try:
            self.reload_certificate()
        except ProfileError as error:
            _log.error("the certificate that was read before stays in use: %s", error)

    def _take(self, sock: socket.socket) -> None:
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = self.connections_accepted = self.connections_accepted + 1
        descriptor = sock.detach()
        try:
            self._open[number] = vista.create(
                self.receive_class,
                descriptor,
                vista.self_ref(self),
                self.url_directory,
                self.site,
                self.limits,
                number,
                tuple(self._identities.values()),
                self.http2,
                self.proxies,
            )
        except BaseException:
            os.close(descriptor)
            raise

    def _watch(self) -> None:
        """Have the loop tell of the next connection, once."""
        if self._socket is not None:
            self._loop.add_reader(self._socket.fileno(), self._connections_wait)

    def _connections_wait(self) -> None:
        assert self._socket is not None, "what is closed is not watched"
        self._loop.remove_reader(self._socket.fileno())
        vista.self_ref(self).accept_waiting.post()

    def _pause(self) -> None:
        self._loop.call_later(PAUSE_SECONDS, self._watch, context=self._context)

    def _stop_listening(self) -> None:
        sock, self._socket = self._socket, None
        if sock is None:
            return
        if hasattr(self, "_loop"):
            self._loop.remove_reader(sock.fileno())
        name = sock.getsockname()
        sock.close()
        if isinstance(name, str) and name:
            Path(name).unlink(missing_ok=True)

    def _make_loader(self, profile: Profile) -> vista.Ref | None:
        roots = profile.paths("directoryRoot")
        if not roots:
            return None
        made = vista.create(
            URLfileLoader,
            self.url_directory,
            "HTTPcachedFile",
            "/",
            None,
            *roots,
            default_files=tuple(profile.texts("defaultFiles")),
            hidden=profile.text("showHidden") == "yes",
        )
        return made


def _host_name(name: str) -> str:
    return socket.gethostname() if name == "-" else name


def _default_address(profile: Profile) -> str:
    """The original's: SERVER_NAME, which is ServerName, and SERVER_PORT."""
    host = _host_name(profile.text("ServerName", "0.0.0.0"))
    kind, port = ("tls", 443) if profile.texts("certificate") else ("tcp", 80)
    return f"{kind}:{host}:{profile.number('SERVER_PORT', port)}"


def _directory_settings(profile: Profile) -> dict[str, Any]:
    """Return what the directory of the site is made with besides its name."""
    return {
        "cache_bytes": profile.number("cacheBytes", CACHE_BYTES_MAX),
        "error_pages": _error_pages(profile),
        "acting_users": profile.pairs("actAs"),
        "compression": profile.one_of("compress", FILES, COMPRESSIONS),
        "listings": profile.one_of("listings", "no", ("no", "yes")) == "yes",
    }


def _make_uploads(profile: Profile, site: str) -> vista.Ref:
    bytes_max = profile.number("uploadBytes", UPLOAD_BYTES_MAX)
    kept = next(iter(profile.paths("keptUploads")), "")
    made: vista.Ref = vista.create(HTTPuploads, site, uploads_directory(profile), bytes_max, kept)
    return made


def _error_pages(profile: Profile) -> dict[int, str]:
    """Read the pages that the profile names: ``errorPage 404 FILE``, any number of pairs."""
    words = profile.texts("errorPage")
    pages = {}
    for code, name in zip(words[::2], words[1::2], strict=False):
        if not (code.isdecimal() and 400 <= int(code) <= 599):
            raise ProfileError(f"{profile.name}: errorPage takes a code and a file, not {code!r}")
        try:
            with Path(profile.path(name)).open("rb") as file:
                pages[int(code)] = file.read(ERROR_PAGE_BYTES_MAX).decode("utf-8", "replace")
        except OSError as error:
            raise ProfileError(f"{profile.name}: errorPage {name}: {error.strerror}") from error
    if len(words) % 2:
        raise ProfileError(f"{profile.name}: errorPage takes a code and a file for each")
    return pages
