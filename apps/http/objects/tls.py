"""TLS of a site: its certificate as the profile names it, and the context of its connections.

Two rules. A certificate is looked at when it is named, so that a mistake is an error of the rc file
and not of every handshake. What a daemon hands to its connections are values, which say where a
certificate is and which state of it is meant: the context itself, a thing of the system's library,
is made once for each state and shared.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import logging
import re
import ssl
from pathlib import Path
from typing import Any

from apps.http.errors import ProfileError
from apps.http.objects.profile import NO_HTTP2, Profile
from apps.http.syntax.limits import HttpLimits

_log = logging.getLogger("vista.http")

PEM_BYTES_MAX = 1024 * 1024
"""Bytes of a file with certificates: a device that never ends must not take the memory."""

SELF_SIGNED = "self"
"""What stands for a certificate that the site makes and signs itself."""

HTTP2 = "h2"
"""The name of HTTP/2 over TLS."""

PROTOCOLS = (HTTP2, "http/1.1")
"""What is offered to clients that ask (ALPN, RFC 7301), the best one first."""

CHECK_SECONDS = 60.0
"""How often it is looked whether the files of a certificate have changed, when clients come."""

# For TLS 1.2; those of 1.3 are all good. Forward secrecy and authenticated encryption only, which
# leaves none of the list of RFC 9113, appendix A.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (ENCRYPTED |[A-Z]+ )?PRIVATE KEY-----")

Identity = tuple[str, str, str, str]
"""Name of a site, the files of its certificate and of its key, and a digest of both."""


def read_identity(profile: Profile, site: str) -> Identity:
    """Return what the profile's ``certificate`` and ``privateKey`` mean.

    ``site`` is the site's name. ``certificate self`` makes a certificate where there is none, in
    the configuration directory or in the one that stands behind it. The key may stand in the file
    of the certificate. Relative names begin at the profile's directory. Raises `ProfileError`
    naming the file and what is wrong with it.
    """
    words = profile.texts("certificate")
    if not words:
        raise ProfileError(
            f"{profile.name}: an address tls: needs the attribute certificate: a PEM file, or "
            f"{SELF_SIGNED!r} to try"
        )
    if words[0] == SELF_SIGNED:
        certificate = _self_signed(profile, site, words[1:])
        key = certificate
    else:
        certificate = profile.path(words[0])
        key = next(iter(profile.paths("privateKey")), certificate)
    return identity_of(profile.name, site, certificate, key)


def identity_of(where: str, site: str, certificate: str, key: str) -> Identity:
    """Return the identity of a site from its files as they are at this moment.

    Raises `ProfileError`, its text beginning with ``where``, for files that cannot be used.
    """
    chain = _read(where, "certificate", certificate)
    secret = _read(where, "privateKey", key)
    if not _CERTIFICATE.search(chain):
        raise ProfileError(f"{where}: certificate {certificate}: there is no certificate in PEM")
    found = _KEY.search(secret)
    if found is None:
        raise ProfileError(f"{where}: privateKey {key}: there is no private key in PEM")
    if found[1] == b"ENCRYPTED " or b"Proc-Type: 4,ENCRYPTED" in secret:
        raise ProfileError(
            f"{where}: privateKey {key}: the key is encrypted, and nobody is there to type its "
            "password; store it without one, readable by its owner alone"
        )
    digest = hashlib.blake2b(chain + b"\0" + secret, digest_size=16).hexdigest()
    identity = (site, certificate, key, digest)
    try:
        for http2 in (True, False):
            _one_context(identity, http2)
    except (ssl.SSLError, OSError) as error:
        raise ProfileError(f"{where}: {_fault(error, certificate, key)}") from error
    _warn_of_expiry(certificate, chain)
    return identity


@functools.lru_cache(maxsize=64)
def context_of(identities: tuple[Identity, ...], http2: bool = True) -> ssl.SSLContext:
    """Return the context of the connections of sites that share an address, the first the default.

    Without ``http2`` HTTP/1.1 is spoken only. The same for the same identities, so that clients can
    resume their sessions. Raises OSError where the files cannot be read any longer, `ssl.SSLError`
    where they cannot be used.
    """
    # Each of one site is kept by itself: its files may be others by the time a site joins.
    contexts = {identity[0].lower(): _one_context(identity, http2) for identity in identities}
    default = contexts[identities[0][0].lower()]
    if len(contexts) == 1:
        return default
    chooser = _bare_context(http2)
    chooser.sni_callback = functools.partial(_choose, contexts, default)
    return chooser


def stamp_of(identity: Identity) -> tuple[object, ...]:
    """Return what changes when the files of an identity do: their times, sizes and inodes."""
    found: list[object] = []
    for name in identity[1:3]:
        try:
            status = Path(name).stat()
        except OSError as error:
            found.append(error.errno)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def _bare_context(http2: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(PROTOCOLS if http2 else PROTOCOLS[1:]))
    return context


@functools.lru_cache(maxsize=256)
def _one_context(identity: Identity, http2: bool) -> ssl.SSLContext:
    context = _bare_context(http2)
    context.load_cert_chain(identity[1], identity[2], password=_no_password)
    return context


def _choose(
    contexts: dict[str, ssl.SSLContext],
    default: ssl.SSLContext,
    connection: ssl.SSLObject | ssl.SSLSocket,
    name: str | None,
    chooser: ssl.SSLContext,
) -> None:
    """Take the certificate of the site that a client names (SNI, RFC 6066, section 3)."""
    connection.context = contexts.get((name or "").lower(), default)


def _no_password() -> str:
    """Stands where OpenSSL would ask at the terminal."""
    raise ssl.SSLError("the key is encrypted")


def _read(where: str, attribute: str, name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            data = file.read(PEM_BYTES_MAX + 1)
    except OSError as error:
        raise ProfileError(f"{where}: {attribute} {name}: {error.strerror}") from error
    if len(data) > PEM_BYTES_MAX:
        raise ProfileError(f"{where}: {attribute} {name}: longer than {PEM_BYTES_MAX} bytes")
    return data


def _fault(error: Exception, certificate: str, key: str) -> str:
    reason = getattr(error, "reason", None) or ""
    if "MISMATCH" in reason:
        return f"privateKey {key}: the key does not belong to the certificate {certificate}"
    if "TOO_SMALL" in reason or "TOO_WEAK" in reason:
        return f"certificate {certificate}: its key or its digest is too weak ({reason})"
    return f"certificate {certificate} with privateKey {key}: {reason or error}"


def _self_signed(profile: Profile, site: str, rest: list[str]) -> str:
    # Looked up when it is asked for: the library takes 50 ms to load, and most sites own one.
    from apps.http.objects.certificates import default_directory, self_signed

    directory = Path(profile.path(rest[0])) if rest else default_directory()
    try:
        path = self_signed(directory, site)
    except OSError as error:
        raise ProfileError(
            f"{profile.name}: certificate {SELF_SIGNED}: {directory}: {error.strerror}"
        ) from error
    _log.warning(
        "%s: its certificate %s is signed by itself: for trying only, since every client warns of "
        "it unless it is told to trust this file",
        site,
        path,
    )
    return str(path)


def _warn_of_expiry(certificate: str, chain: bytes) -> None:
    from apps.http.objects.certificates import expiry

    try:
        end = expiry(chain)
    except ValueError as error:
        _log.warning("certificate %s: until when it is good cannot be read: %s", certificate, error)
        return
    if end <= datetime.datetime.now(datetime.UTC):
        _log.warning("certificate %s is over since %s: clients refuse it", certificate, end)
    else:
        _log.info("certificate %s is good until %s", certificate, end)


class CertificateFiles:
    """The certificate of one site, and whether its files have changed since it was read."""

    def __init__(self, profile: Profile, site: str) -> None:
        self._profile = profile
        self._site = site
        self._checked = 0.0
        self.identity = read_identity(profile, site)
        self._stamp = stamp_of(self.identity)

    def reload(self) -> Identity:
        """Read the files again. Raises `ProfileError`; what was read before then stays in use."""
        self._stamp = stamp_of(self.identity)
        self.identity = read_identity(self._profile, self._site)
        return self.identity

    def is_due(self, now: float) -> bool:
        """Tell once in `CHECK_SECONDS` that it is time to look whether the files have changed.

        ``now`` in seconds of the loop's clock.
        """
        if now - self._checked < CHECK_SECONDS:
            return False
        self._checked = now
        return True

    def has_changed(self) -> bool:
        """Tell whether the files have changed since they were read."""
        return stamp_of(self.identity) != self._stamp


def handshake_of(
    identities: tuple[Identity, ...], http2: str, limits: HttpLimits
) -> dict[str, Any]:
    """Return what asyncio's ``connect_accepted_socket`` is told about TLS; nothing without it.

    Raises as `context_of` does.
    """
    if not identities:
        return {}
    return {
        "ssl": context_of(identities, http2 != NO_HTTP2),
        "ssl_handshake_timeout": limits.handshake_seconds,
        "ssl_shutdown_timeout": limits.drain_seconds,
    }


def peer_protocol(transport: Any) -> str | None:
    """Return the protocol that a client and this side agreed upon in the handshake (ALPN)."""
    found = transport.get_extra_info("ssl_object")
    return None if found is None else found.selected_alpn_protocol()
