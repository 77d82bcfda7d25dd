"""TLS: certificates as a profile names them, handshakes good and bad, and reloading."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

import vista
from apps.http.content.resources import Request
from apps.http.errors import ProfileError
from apps.http.objects.certificates import default_directory, expiry, self_signed
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.profile import Profile, parse_profile, read_profile
from apps.http.objects.tls import CHECK_SECONDS, CertificateFiles, identity_of, read_identity
from tests.http.objects.served import (
    Answer,
    Site,
    at_last,
    get,
    read_all,
    read_until,
    served,
    wait_until,
)

TLS = "tls:127.0.0.1:0"


class HttpSecurePage(vista.Object):
    """Says whether the request came over TLS."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> str:
        return f"secure={request.secure}"


class HttpDueDaemon(HTTPdaemon):
    """A daemon whose certificates are to be looked at when the next client comes."""

    def make_due(self) -> None:
        assert self._certificate is not None
        self._certificate._checked = -CHECK_SECONDS


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for localhost and its key."""
    return self_signed(tmp_path_factory.mktemp("certificates"), "localhost")


def written(tmp_path: Path, *lines: str) -> str:
    """The name of a profile with these lines."""
    path = tmp_path / "tls.profile"
    path.write_text("\n".join(lines))
    return str(path)


def trusting(pem: Path, *protocols: str, **versions: ssl.TLSVersion) -> ssl.SSLContext:
    """A client's context that trusts this certificate and no other."""
    context = ssl.create_default_context(cafile=str(pem))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    for name, version in versions.items():
        setattr(context, name, version)
    return context


@contextmanager
def secured(
    site: Site, context: ssl.SSLContext, name: str = "localhost"
) -> Iterator[ssl.SSLSocket]:
    """A connection of a client that speaks TLS."""
    with site.connect() as plain, context.wrap_socket(plain, server_hostname=name) as client:
        yield client


def fetch(site: Site, pem: Path, path: str = "/a.txt", name: str = "localhost") -> Answer:
    """The answer to one request over TLS."""
    with secured(site, trusting(pem), name) as client:
        client.sendall(get(path, name, "Connection: close"))
        return Answer(read_all(client))


@pytest.fixture
def secure_site(tree: Path, tmp_path: Path, pem: Path) -> Iterator[Site]:
    """A site that speaks TLS."""
    with served(tree, written(tmp_path, f"certificate {pem}"), address=TLS) as site:
        yield site


# --- requests ------------------------------------------------------------------------------


def test_a_page_is_served_over_tls(secure_site: Site, pem: Path) -> None:
    assert fetch(secure_site, pem).body == b"abcdefghij"
    assert secure_site.daemon.get_url().startswith("https://localhost:")


def test_requests_over_tls_are_answered_one_after_another(secure_site: Site, pem: Path) -> None:
    with secured(secure_site, trusting(pem)) as client:
        for _ in range(3):
            client.sendall(get("/a.txt") + get("/a.txt"))
            data = b""
            while data.count(b"abcdefghij") < 2:
                data += read_until(client, b"abcdefghij")
            assert data.count(b"HTTP/1.1 200 ") == 2
            assert data.endswith(b"abcdefghij")


def test_a_handler_learns_whether_the_request_was_secure(secure_site: Site, pem: Path) -> None:
    secure_site.directory.register_object("/secure", vista.create(HttpSecurePage))
    assert fetch(secure_site, pem, "/secure").body == b"secure=True"


def test_a_handler_learns_that_plain_http_is_not_secure(site: Site) -> None:
    site.directory.register_object("/secure", vista.create(HttpSecurePage))
    assert site.get("/secure").body == b"secure=False"


def test_a_large_file_arrives_whole_over_tls(tree: Path, tmp_path: Path, pem: Path) -> None:
    data = os.urandom(3_000_000)
    (tree / "large").write_bytes(data)
    profile = written(tmp_path, f"certificate {pem}")
    with served(tree, profile, address=TLS) as site:
        assert fetch(site, pem, "/large").body == data


def test_a_client_that_reads_nothing_over_tls_is_dropped(
    tree: Path, tmp_path: Path, pem: Path
) -> None:
    (tree / "large").write_bytes(bytes(40_000_000))
    profile = written(tmp_path, f"certificate {pem}", "write_idle_seconds 0.3")
    with served(tree, profile, address=TLS) as site, secured(site, trusting(pem)) as client:
        client.sendall(get("/large"))
        read_until(client, b"\r\n\r\n")
        assert at_last(site.daemon.get_connections, 0) == 0


# --- the handshake -------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(secure_site: Site, pem: Path, version: ssl.TLSVersion) -> None:
    context = trusting(pem, minimum_version=version, maximum_version=version)
    with secured(secure_site, context) as client:
        assert client.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_tls_1_1_is_refused(secure_site: Site, pem: Path) -> None:
    context = trusting(pem)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), secured(secure_site, context):
        pass


def test_a_cipher_without_forward_secrecy_is_refused(secure_site: Site, pem: Path) -> None:
    context = trusting(pem, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA")
    with pytest.raises(ssl.SSLError), secured(secure_site, context):
        pass


def test_a_client_that_offers_http_1_1_gets_it(secure_site: Site, pem: Path) -> None:
    with secured(secure_site, trusting(pem, "http/1.1")) as client:
        assert client.selected_alpn_protocol() == "http/1.1"


def test_a_client_that_knows_none_of_the_protocols_gets_http_1_1(
    secure_site: Site, pem: Path
) -> None:
    with secured(secure_site, trusting(pem, "spdy/1")) as client:
        client.sendall(get("/a.txt", "localhost", "Connection: close"))
        assert Answer(read_all(client)).status == 200


def test_plain_http_to_a_port_of_tls_is_closed(secure_site: Site, pem: Path) -> None:
    with secure_site.connect() as client:
        client.sendall(get("/a.txt"))
        assert b"HTTP/" not in read_all(client)
    wait_until(lambda: secure_site.daemon.get_connections() == 0)
    assert fetch(secure_site, pem).status == 200


def test_a_handshake_that_comes_too_slowly_is_ended(tree: Path, tmp_path: Path, pem: Path) -> None:
    profile = written(tmp_path, f"certificate {pem}", "handshake_seconds 0.2")
    with served(tree, profile, address=TLS) as site, site.connect() as client:
        client.sendall(b"\x16\x03\x01")
        assert read_all(client) == b""
        wait_until(lambda: site.daemon.get_connections() == 0)


def test_a_client_that_goes_in_the_handshake_leaves_nothing(secure_site: Site) -> None:
    for _ in range(5):
        with secure_site.connect() as client:
            client.sendall(b"\x16\x03\x01")
    wait_until(lambda: secure_site.daemon.get_connections() == 0)
    assert not [row for row in vista.objects() if "HTTPfastReceive" in str(row)]


def test_a_node_stops_while_a_handshake_is_under_way(tree: Path, tmp_path: Path, pem: Path) -> None:
    profile = written(tmp_path, f"certificate {pem}")
    with served(tree, profile, address=TLS) as site:
        client = site.connect()
        client.sendall(b"\x16\x03\x01")
        wait_until(lambda: site.daemon.get_connections() == 1)
    with client:
        assert read_all(client) == b""


def test_draining_ends_a_connection_whose_handshake_is_under_way(
    tree: Path, tmp_path: Path, pem: Path
) -> None:
    profile = written(tmp_path, f"certificate {pem}")
    with served(tree, profile, address=TLS) as site, site.connect() as plain:
        wait_until(lambda: site.daemon.get_connections() == 1)
        vista.post(site.daemon, "system_shutdown")
        with trusting(pem).wrap_socket(plain, server_hostname="localhost") as client:
            assert read_all(client) == b""
        wait_until(lambda: site.daemon.get_connections() == 0)


def test_a_client_that_ends_its_side_ends_the_connection(secure_site: Site, pem: Path) -> None:
    with secured(secure_site, trusting(pem)) as client:
        client.sendall(get("/a.txt"))
        read_until(client, b"abcdefghij")
        plain = client.unwrap()
        assert read_all(plain) == b""
    wait_until(lambda: secure_site.daemon.get_connections() == 0)


# --- names ---------------------------------------------------------------------------------


def test_a_further_site_has_its_own_certificate(tree: Path, tmp_path: Path, pem: Path) -> None:
    other = self_signed(tmp_path, "harbour.example")
    with served(tree, written(tmp_path, f"certificate {pem}"), address=TLS) as site:
        (tmp_path / "more").mkdir()
        profile = written(tmp_path / "more", f"certificate {other}")
        further = vista.create(
            HTTPdaemon, profile, site.daemon.get_address(), "harbour.example", True
        )
        assert fetch(site, other, name="harbour.example").status == 404
        assert fetch(site, pem).status == 200
        vista.delete(further)
        wait_until(lambda: site.daemon.site_of("harbour.example") is None)
        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(site, other, name="harbour.example")


def test_a_further_site_without_a_certificate_has_that_of_the_address(
    secure_site: Site, pem: Path
) -> None:
    vista.create(HTTPdaemon, "-", secure_site.daemon.get_address(), "harbour.example", True)
    with secured(secure_site, trusting(pem)) as client:
        client.sendall(get("/a.txt", "harbour.example", "Connection: close"))
        assert Answer(read_all(client)).status == 404


# --- reloading -----------------------------------------------------------------------------


def serial_seen(site: Site, pem: Path) -> int:
    """The serial number of the certificate that a client is shown."""
    with secured(site, trusting(pem)) as client:
        data = client.getpeercert(binary_form=True)
    assert data is not None
    return x509.load_der_x509_certificate(data).serial_number


def test_reload_shows_the_certificate_of_this_moment(tmp_path: Path, tree: Path) -> None:
    first = self_signed(tmp_path / "first", "localhost")
    second = self_signed(tmp_path / "second", "localhost")
    used = tmp_path / "used.pem"
    shutil.copy(first, used)
    with served(tree, written(tmp_path, f"certificate {used}"), address=TLS) as site:
        before = serial_seen(site, first)
        with secured(site, trusting(first)) as old:
            shutil.copy(second, used)
            assert serial_seen(site, first) == before
            site.daemon.reload_certificate()
            assert serial_seen(site, second) != before
            old.sendall(get("/a.txt"))
            assert b"200 OK" in read_until(old, b"abcdefghij")


def test_a_bad_reload_keeps_what_there_is(tmp_path: Path, tree: Path) -> None:
    used = tmp_path / "used.pem"
    kept = self_signed(tmp_path, "localhost")
    shutil.copy(kept, used)
    with served(tree, written(tmp_path, f"certificate {used}"), address=TLS) as site:
        used.write_text("nothing")
        with pytest.raises(ProfileError, match=r"certificate .*used.pem: there is no certificate"):
            site.daemon.reload_certificate()
        assert fetch(site, kept).status == 200


def test_a_site_without_tls_has_nothing_to_reload(site: Site) -> None:
    with pytest.raises(vista.BadValueError, match=r"has no certificate of its own"):
        site.daemon.reload_certificate()


def test_files_that_have_changed_are_noticed_once_in_a_while(tmp_path: Path) -> None:
    used = self_signed(tmp_path, "localhost")
    files = CertificateFiles(parse_profile("p", f"certificate {used}"), "localhost")
    assert files.is_due(CHECK_SECONDS) and not files.has_changed()
    used.write_bytes(used.read_bytes() + b"\n")
    assert not files.is_due(CHECK_SECONDS * 1.5)
    assert files.is_due(CHECK_SECONDS * 2) and files.has_changed()
    files.reload()
    assert not files.has_changed()


def test_a_further_site_shows_its_changed_certificate_by_itself(tmp_path: Path, pem: Path) -> None:
    name = "harbour.example"
    first = self_signed(tmp_path / "first", name)
    second = self_signed(tmp_path / "second", name)
    used = tmp_path / "used.pem"
    shutil.copy(first, used)
    (tmp_path / "more").mkdir()
    with vista.Node("http") as node:
        listener = vista.create(HttpDueDaemon, written(tmp_path, f"certificate {pem}"), TLS)
        site = Site(node, listener, "localhost")
        profile = written(tmp_path / "more", f"certificate {used}")
        vista.create(HTTPdaemon, profile, listener.get_address(), name, True)
        assert fetch(site, first, name=name).status == 404
        shutil.copy(second, used)
        listener.make_due()
        wait_until(lambda: is_trusted(site, second, name))


def is_trusted(site: Site, pem: Path, name: str) -> bool:
    """Whether a client that trusts one certificate only gets on with the site."""
    try:
        return fetch(site, pem, name=name).status == 404
    except ssl.SSLCertVerificationError:
        return False


# --- what a profile may say ----------------------------------------------------------------


def test_an_address_of_tls_needs_a_certificate() -> None:
    with vista.Node("tls"), pytest.raises(ProfileError, match=r"needs the attribute certificate"):
        vista.create(HTTPdaemon, "-", TLS)


def parts(pem: Path) -> tuple[str, str]:
    """The key and the certificate of a file that holds both."""
    key, middle, rest = pem.read_text().partition("-----END PRIVATE KEY-----\n")
    return key + middle, rest


def named(tmp_path: Path, certificate: str, key: str) -> Profile:
    """A profile that names two files with these texts."""
    (tmp_path / "c.pem").write_text(certificate)
    (tmp_path / "k.pem").write_text(key)
    return parse_profile("p", f"certificate {tmp_path}/c.pem\nprivateKey {tmp_path}/k.pem")


def test_certificate_and_key_may_stand_in_two_files(tmp_path: Path, pem: Path) -> None:
    key, certificate = parts(pem)
    identity = read_identity(named(tmp_path, certificate, key), "localhost")
    assert identity[:3] == ("localhost", f"{tmp_path}/c.pem", f"{tmp_path}/k.pem")


def test_relative_names_begin_at_the_profile(tmp_path: Path, pem: Path) -> None:
    key, certificate = parts(pem)
    (tmp_path / "c.pem").write_text(certificate)
    (tmp_path / "k.pem").write_text(key)
    profile = read_profile(written(tmp_path, "certificate c.pem", "privateKey k.pem"))
    assert read_identity(profile, "localhost")[1:3] == (f"{tmp_path}/c.pem", f"{tmp_path}/k.pem")


def test_a_certificate_that_is_not_there_is_named() -> None:
    with pytest.raises(ProfileError, match=r"^p: certificate /nothing/c.pem: No such file"):
        read_identity(parse_profile("p", "certificate /nothing/c.pem"), "localhost")


def test_a_key_that_is_not_there_is_named(pem: Path) -> None:
    profile = parse_profile("p", f"certificate {pem}\nprivateKey /nothing/k.pem")
    with pytest.raises(ProfileError, match=r"^p: privateKey /nothing/k.pem: No such file"):
        read_identity(profile, "localhost")


def test_a_certificate_without_its_key_says_so(tmp_path: Path, pem: Path) -> None:
    _, certificate = parts(pem)
    with pytest.raises(ProfileError, match=r"k.pem: there is no private key in PEM"):
        read_identity(named(tmp_path, certificate, certificate), "localhost")


def test_the_key_of_another_certificate_is_refused(tmp_path: Path, pem: Path) -> None:
    other, _ = parts(self_signed(tmp_path, "localhost"))
    _, certificate = parts(pem)
    with pytest.raises(ProfileError, match=r"the key does not belong to the certificate"):
        read_identity(named(tmp_path, certificate, other), "localhost")


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path, pem: Path) -> None:
    _, certificate = parts(pem)
    key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    with pytest.raises(ProfileError, match=r"the key is encrypted"):
        read_identity(named(tmp_path, certificate, key), "localhost")


def test_a_damaged_certificate_is_refused(tmp_path: Path, pem: Path) -> None:
    key, certificate = parts(pem)
    lines = certificate.splitlines()
    lines[2] = lines[2][::-1]
    with pytest.raises(ProfileError, match=r"^p: certificate .*c.pem"):
        read_identity(named(tmp_path, "\n".join(lines), key), "localhost")


def test_an_identity_changes_with_its_files(tmp_path: Path) -> None:
    path = str(self_signed(tmp_path, "localhost"))
    first = identity_of("p", "localhost", path, path)
    assert identity_of("p", "localhost", path, path) == first
    Path(path).unlink()
    self_signed(tmp_path, "localhost")
    assert identity_of("p", "localhost", path, path) != first


# --- the site's own certificate ------------------------------------------------------------


def test_self_makes_a_certificate_that_only_its_owner_can_read(tmp_path: Path, tree: Path) -> None:
    made = tmp_path / "made"
    with served(tree, written(tmp_path, f"certificate self {made}"), address=TLS) as site:
        (path,) = made.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert fetch(site, path).status == 200


def test_a_certificate_of_its_own_is_kept(tmp_path: Path) -> None:
    first = self_signed(tmp_path, "localhost").read_bytes()
    assert self_signed(tmp_path, "localhost").read_bytes() == first


def test_one_that_others_could_read_is_made_anew(tmp_path: Path) -> None:
    path = self_signed(tmp_path, "localhost")
    first = path.read_bytes()
    path.chmod(0o644)
    assert self_signed(tmp_path, "localhost").read_bytes() != first


def test_it_is_good_for_site_localhost_and_machine(tmp_path: Path) -> None:
    path = self_signed(tmp_path, "Harbour.example")
    found = x509.load_pem_x509_certificate(path.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    wanted = {"harbour.example", "localhost", socket.gethostname().lower()}
    assert set(names.get_values_for_type(x509.DNSName)) == wanted
    addresses = [str(each) for each in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "::1"]


def test_its_end_can_be_read(tmp_path: Path) -> None:
    left = expiry(self_signed(tmp_path, "localhost").read_bytes()) - datetime.datetime.now(
        datetime.UTC
    )
    assert datetime.timedelta(days=89) < left < datetime.timedelta(days=91)


def test_self_in_a_directory_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    profile = parse_profile("p", f"certificate self {tmp_path}/file")
    with pytest.raises(ProfileError, match=r"^p: certificate self: .*file"):
        read_identity(profile, "localhost")


def test_the_directory_is_that_of_the_keys(tmp_path: Path) -> None:
    assert default_directory({"VISTA_CONFIG_DIR": str(tmp_path)}) == tmp_path
    assert default_directory({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "vista"
    assert default_directory({"XDG_CONFIG_HOME": "x"}) == Path.home() / ".config" / "vista"
