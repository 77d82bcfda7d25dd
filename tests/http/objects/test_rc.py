"""rc/http.rc as an operator runs it, and the lines of the original as they were written."""

from __future__ import annotations

import http.client
import shutil
import signal
from contextlib import closing
from pathlib import Path

import vista
from apps.http.content.passwords import make_account, write_passwords
from tests.http.objects.served import Site
from tests.http.objects.test_protected import basic
from tests.live.process import ROOT
from tests.live.process import vista as command


def copied(directory: Path) -> Path:
    """A copy of rc/http.rc that takes a free port."""
    text = (ROOT / "rc" / "http.rc").read_text()
    assert "tcp:127.0.0.1:4321" in text
    (directory / "http.rc").write_text(text.replace(":4321", ":0"))
    shutil.copy(ROOT / "rc" / "http_page.py", directory)
    return directory / "http.rc"


def site_of(node: vista.Node, name: str) -> Site:
    """The site that an rc file has made."""
    rows = node.call(vista.objects)
    daemon = next(row.id for row in rows if "HTTPdaemon" in row.class_name)
    return Site(node, node.call(lambda: vista.ref_of(daemon)), name)


def test_the_rc_file_serves_a_tree_and_a_page(tree: Path, tmp_path: Path) -> None:
    with command(str(copied(tmp_path)), str(tree)) as process:
        process.expect("is served at http://localhost:")
        line = next(line for line in process.errors + process.output if "is served at" in line)
        port = int(line.rstrip("/").rpartition(":")[2])
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
            client.request("GET", "/")
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, b"<h1>index</h1>")
            assert answer.getheader("ETag")
            client.request("GET", "/hello?name=%3Cyou%3E")
            assert b"Hello &lt;you&gt;, visit 1." in client.getresponse().read()
        process.expect('"GET / HTTP/1.1" 200 14')
        process.signal(signal.SIGTERM)
        assert process.end() == 0


def test_the_lines_of_the_original_boot_as_written(tree: Path, tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text(f"ServerName www.domain.com\ndirectoryRoot {tree}\n")
    (tmp_path / "web.rc").write_text(
        "PeerRegistry\n"
        "AnnounceServices\n"
        f"HTTPcommonLogFormat {tmp_path}/http.log www.domain.com\n"
        f"HTTPdaemon {profile} tcp:127.0.0.1:0\n"
        "HTTPpurgeCache 30 www.domain.com\n"
    )
    with vista.run(str(tmp_path / "web.rc")) as node:
        found = node.call(lambda: [row.name for row in vista.services()])
        assert "URLdirectory:www.domain.com" in found and "HTTPlogger:www.domain.com" in found
        site = site_of(node, "www.domain.com")
        assert site.get("/").body == b"<h1>index</h1>"
    assert '"GET / HTTP/1.1" 200 14' in (tmp_path / "http.log").read_text()


def test_guards_and_sessions_are_lines_of_an_rc_file(tree: Path, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    write_passwords(passwords, {"kim": make_account("kim", "secret", None)})
    (tmp_path / "bridge.py").write_text(
        "import vista\n\n"
        "class RcBridgeSession(vista.Object):\n"
        "    def create(self, url_directory, session_id, registry, address) -> None:\n"
        "        pass\n\n"
        "    def get_request(self, request) -> str:\n"
        "        return request.session\n"
    )
    (tmp_path / "web.rc").write_text(
        "LoadClassFile bridge.py\n"
        "daemon = HTTPdaemon - tcp:127.0.0.1:0 localhost\n"
        f"URLfileLoader localhost HTTPcachedFile / nil {tree}\n"
        f'HTTPprotectedDirectory localhost /docs "the harbour" {passwords}\n'
        "URLprotectedFile localhost /a.txt nil digest kim secret\n"
        "URLprotectedFile localhost /more URLfileLoader harbour\n"
        "HTTPcreateApplicationSession localhost /bridge RcBridgeSession\n"
        "AllocateSessionID\n"
    )
    with vista.run(str(tmp_path / "web.rc")) as node:
        site = site_of(node, "localhost")
        assert site.get("/docs/").fields["www-authenticate"].startswith('Basic realm="the harbour"')
        assert site.get("/docs/", basic()).status == 200
        assert site.get("/a.txt").fields["www-authenticate"].startswith('Digest realm="localhost"')
        assert site.get("/more/").status == 401
        started = site.get("/bridge")
        cookie = "Cookie: " + started.fields["set-cookie"].partition(";")[0]
        assert len(site.get(started.fields["location"], cookie).body) == 32
