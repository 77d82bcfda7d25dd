"""Certificates: what one says, and one that a site signs itself so that TLS can be tried.

The only module that uses the cryptography library, and the only one that writes a private key.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 90
"""Days for which a certificate is good that a site signs itself: enough to try, and a reminder."""
RENEW_DAYS = 7
"""Days before its end when such a certificate is made anew."""

_NAME_CHARACTERS_MAX = 64  # of a common name (RFC 5280, appendix A.1)


def expiry(pem: bytes) -> datetime.datetime:
    """Return until when the first certificate of a PEM text is good, in UTC.

    Raises ValueError when it holds none.
    """
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def default_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the configuration directory of this user, where vista keeps its keys too."""
    if named := environment.get("VISTA_CONFIG_DIR"):
        return Path(named).absolute()
    parent = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not parent.is_absolute():
        parent = Path.home() / ".config"
    return parent / "vista"


def self_signed(directory: Path, site: str) -> Path:
    """Return the file of a certificate of this site's own with its key; it is made if need be.

    It is good for the site's name, ``localhost``, the name of the machine and the loopback
    addresses. One that is there is taken while it is good for as much and for `RENEW_DAYS` more.
    The file can be read by its owner alone. Raises OSError when it cannot be written.
    """
    names = list(dict.fromkeys((site.lower(), "localhost", socket.gethostname().lower())))
    path = directory / f"http-{site.lower().replace('/', '_')}.pem"
    if not _good(path, names):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(path, _make(names))
    return path


def _good(path: Path, names: list[str]) -> bool:
    """Tell whether the file is the owner's alone, and its certificate serves for a while yet."""
    try:
        if path.stat().st_mode & 0o077:
            return False
        found = x509.load_pem_x509_certificate(path.read_bytes())
        wanted = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    left = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    covered = set(wanted.get_values_for_type(x509.DNSName))
    return left > datetime.timedelta(days=RENEW_DAYS) and covered >= _dns_names(names)


def _dns_names(names: list[str]) -> set[str]:
    return {name for name in names if not _is_address(name) and name.isascii()}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _make(names: list[str]) -> bytes:
    """Key and certificate as PEM: P-256, which every client of TLS 1.2 and 1.3 knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_NAME_CHARACTERS_MAX])])
    now = datetime.datetime.now(datetime.UTC)
    addresses = {"127.0.0.1", "::1", *filter(_is_address, names)}
    alternatives: list[x509.GeneralName] = [
        x509.DNSName(each) for each in sorted(_dns_names(names))
    ]
    alternatives += [x509.IPAddress(ipaddress.ip_address(each)) for each in sorted(addresses)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A clock that is a little behind must not find it in the future.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        # Whoever trusts it trusts this server, and no further certificate that its key would sign.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


def _write_private(path: Path, data: bytes) -> None:
    """Write a file as a whole, readable by its owner alone from its first byte on."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
