"""Uploads: what is too large for memory lies on the disk until somebody keeps it or it is gone."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.http.content.forms import UploadedFile
from apps.http.content.resources import Request
from apps.http.objects.protected import URLprotectedFile
from apps.http.objects.uploads import status_of
from tests.http.objects.served import (
    Answer,
    Site,
    at_last,
    read_all,
    read_until,
    served,
    wait_until,
)
from tests.http.objects.test_protected import basic, digest_field
from tests.http.objects.test_remote import two_nodes

DATA = bytes(range(256)) * 40
PROFILE = """
uploads spool
keptUploads kept
uploadBytes 40000
body_memory_bytes_max 2000
form_memory_bytes_max 1000
form_files_max 2
urlencoded_bytes_max 5000
"""


class HttpUploadPage(vista.Object):
    """Takes uploads and tells what came; ``?keep=NAME`` keeps the first file."""

    def create(self) -> None:
        self.last: Any = None

    def post_request(self, request: Request) -> str:
        if request.query.startswith("raw"):
            return self._raw(request)
        form = request.form()
        files = [f"{file.name}:{file.filename}:{_digest(file)}" for file in form.files()]
        values = [f"{name}={value}" for name, value in form.items()]
        if name := request.parameter("keep"):
            replace = request.parameter("replace") == "yes"
            values.append(form.files()[0].keep(name, replace))
        return " ".join([*values, *files])

    def _raw(self, request: Request) -> str:
        upload = request.upload
        if upload is None:
            return f"{len(request.body)} in memory"
        self.last = upload.source
        return f"{len(request.body)} {_digest(upload)} {upload.content_type}"

    def get_last(self) -> Any:
        return self.last


def _digest(file: UploadedFile) -> str:
    where = "memory" if file.data is not None else "disk"
    right = file.read() == (DATA * 9)[: file.size]
    return f"{file.size} {'right' if right else 'wrong'} on {where}"


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    more = "" if filename is None else f'; filename="{filename}"'
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


FORM = "Content-Type: multipart/form-data; boundary=b"


@contextmanager
def uploading(directory: Path, profile: str = PROFILE) -> Iterator[Site]:
    path = directory / "http.profile"
    path.write_text(profile)
    with served(profile=str(path)) as site:
        site.directory.register_object("/up", vista.create(HttpUploadPage))
        yield site


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Site]:
    """A site with tight bounds, whose uploads go to ``spool`` and ``kept`` in ``tmp_path``."""
    with uploading(tmp_path) as site:
        yield site


def post(site: Site, query: str, body: bytes, *fields: str) -> Answer:
    return site.get(f"/up?{query}", *fields, method="POST", body=body)


def assert_nothing_left(tmp_path: Path) -> None:
    """Every file is gone and its room is given back; files are removed aside."""
    uploads = vista.service("HTTPuploads:localhost")
    wait_until(lambda: uploads.get_bytes() == 0)
    wait_until(lambda: not list((tmp_path / "spool").glob("upload-*")))
    wait_until(lambda: not [row for row in vista.objects() if row.class_name == "HTTP.HTTPupload"])


# --- bodies ----------------------------------------------------------------------------------


def test_a_body_within_the_bound_stays_in_memory(up: Site, tmp_path: Path) -> None:
    assert post(up, "raw", DATA[:2000]).body == b"2000 in memory"
    assert not (tmp_path / "spool").exists()


def test_a_body_beyond_it_is_a_file(up: Site) -> None:
    answer = post(up, "raw", DATA, "Content-Type: image/png")
    assert answer.body == b"0 10240 right on disk image/png"


def test_a_body_in_chunks_is_a_file(up: Site) -> None:
    head = b"POST /up?raw HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n" + DATA[n : n + 1] + b"\r\n" for n in range(5000))
    answer = Answer(up.talk(head + chunks + b"0\r\n\r\n"))
    assert b"5000 right on disk" in answer.body


def test_a_file_that_nobody_keeps_goes_with_its_request(up: Site, tmp_path: Path) -> None:
    post(up, "raw", DATA)
    assert_nothing_left(tmp_path)


def test_a_file_cannot_be_read_after_its_request(up: Site, tmp_path: Path) -> None:
    page = up.directory.find("POST", "/up").target
    post(up, "raw", DATA)
    assert_nothing_left(tmp_path)
    error = vista.future(page.get_last(), "get_size").exception()
    assert isinstance(error, vista.ObjectDeleted | vista.NoSuchObject)


def test_requests_on_one_connection_have_their_own_files(up: Site, tmp_path: Path) -> None:
    lines = f"POST /up?raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(DATA)}\r\n\r\n"
    data = up.talk((lines.encode() + DATA) * 3)
    assert data.count(b"10240 right on disk") == 3
    assert_nothing_left(tmp_path)


def test_a_client_that_breaks_off_leaves_nothing(up: Site, tmp_path: Path) -> None:
    with up.connect() as client:
        client.sendall(b"POST /up?raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
        client.sendall(DATA[:5000])
        wait_until(lambda: bool(list((tmp_path / "spool").glob("upload-*"))))
    assert_nothing_left(tmp_path)


def test_a_client_that_resets_the_connection_leaves_nothing(up: Site, tmp_path: Path) -> None:
    client = up.connect()
    client.sendall(b"POST /up?raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
    client.sendall(DATA[:5000])
    wait_until(lambda: bool(list((tmp_path / "spool").glob("upload-*"))))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    assert_nothing_left(tmp_path)


def test_a_site_that_ends_leaves_nothing(tmp_path: Path) -> None:
    with uploading(tmp_path) as site, site.connect() as client:
        client.sendall(b"POST /up?raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
        client.sendall(DATA[:5000])
        wait_until(lambda: bool(list((tmp_path / "spool").glob("upload-*"))))
        vista.delete(site.daemon)
        assert at_last(lambda: list((tmp_path / "spool").glob("upload-*")), []) == []


def test_what_an_earlier_process_left_is_removed_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    left = tmp_path / "spool" / "upload-left"
    left.write_bytes(DATA)
    with uploading(tmp_path):
        assert at_last(lambda: list((tmp_path / "spool").iterdir()), []) == []


def test_a_body_beyond_the_bound_of_bodies_gets_413(tmp_path: Path) -> None:
    with uploading(tmp_path, PROFILE + "body_bytes_max 9000\n") as site:
        assert post(site, "raw", DATA).status == 413
        assert not (tmp_path / "spool").exists()


def test_without_uploads_in_the_profile_a_body_has_a_mebibyte(tmp_path: Path) -> None:
    with uploading(tmp_path, "") as site:
        assert post(site, "raw", bytes(1024 * 1024)).body == b"1048576 in memory"
        assert post(site, "raw", bytes(1024 * 1024 + 1)).status == 413


# --- forms -----------------------------------------------------------------------------------


def test_a_small_form_stays_in_memory(up: Site) -> None:
    body = form(part("ship", b"kim"), part("log", DATA[:500], "log.bin"))
    assert post(up, "", body, FORM).body == b"ship=kim log:log.bin:500 right on memory"


def test_large_files_of_a_form_are_files(up: Site, tmp_path: Path) -> None:
    body = form(
        part("ship", b"kim"), part("a", DATA, "a.bin"), part("b", DATA[:3000], "b.bin"),
        part("c", DATA[:400], "c.bin"),
    )  # fmt: skip
    answer = post(up, "", body, FORM)
    assert answer.body == (
        b"ship=kim a:a.bin:10240 right on disk b:b.bin:3000 right on disk "
        b"c:c.bin:400 right on memory"
    )
    assert_nothing_left(tmp_path)


def test_small_files_that_together_are_large_go_to_disk(up: Site) -> None:
    body = form(part("ship", b"x" * 1500), *(part("a", DATA[:600], "a") for _ in range(3)))
    got = post(up, "", body, FORM).body
    assert got.count(b"on memory") == 1 and got.count(b"on disk") == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(*(part("a", DATA[:2000], "a") for _ in range(3))), 413),
        (form(part("a", DATA[:6000])), 413),
        (part("a", DATA, "a"), 400),
        (form(part("a", DATA, "a"), part("", b"\r\n--b\r\nContent-Disposition: x\r\n\r\n")), 400),
    ],
    ids=["files", "values", "cut", "head"],
)
def test_a_form_that_cannot_be_is_refused_and_leaves_nothing(
    up: Site, tmp_path: Path, body: bytes, status: int
) -> None:
    assert post(up, "", body, FORM).status == status
    assert_nothing_left(tmp_path)


def test_a_small_form_that_cannot_be_is_refused_like_a_large_one(up: Site) -> None:
    assert post(up, "", part("a", b"b"), FORM).status == 400
    assert post(up, "", b"a=b").status == 415


# --- keeping ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [500, 9000])
def test_a_file_that_is_kept_stays(up: Site, tmp_path: Path, size: int) -> None:
    body = form(part("a", DATA[:size], "a.bin"), part("ship", b"x" * 2000))
    answer = post(up, "keep=ships/a.bin", body, FORM)
    place = tmp_path / "kept" / "ships" / "a.bin"
    assert str(place).encode() in answer.body
    assert place.read_bytes() == DATA[:size]
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize("size", [500, 9000])
def test_no_kept_file_is_replaced_unless_asked(up: Site, tmp_path: Path, size: int) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").write_text("before")
    body = form(part("a", DATA[:size], "a.bin"))
    assert post(up, "keep=a", body, FORM).status == 500
    assert (tmp_path / "kept" / "a").read_text() == "before"
    assert post(up, "keep=a&replace=yes", body, FORM).status == 200
    assert (tmp_path / "kept" / "a").read_bytes() == DATA[:size]
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize("size", [500, 9000])
def test_no_file_is_kept_outside(up: Site, tmp_path: Path, size: int) -> None:
    body = form(part("a", DATA[:size], "a.bin"))
    assert post(up, "keep=../a", body, FORM).status == 500
    assert not (tmp_path / "a").exists()
    assert_nothing_left(tmp_path)


def test_a_page_on_another_node_reads_and_keeps(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text(PROFILE)
    with two_nodes(str(profile)) as (site, _, creator):
        site.directory.register_object("/up", vista.create(HttpUploadPage, at=creator))
        assert post(site, "raw", DATA).body.startswith(b"0 10240 right on disk")
        for size in (500, 9000):
            post(site, f"keep={size}", form(part("a", DATA[:size], "a.bin")), FORM)
            assert (tmp_path / "kept" / str(size)).read_bytes() == DATA[:size]
        assert_nothing_left(tmp_path)


# --- bounds and faults -----------------------------------------------------------------------


def test_all_uploads_together_are_bounded_with_507(up: Site, tmp_path: Path) -> None:
    assert post(up, "raw", DATA * 5).status == 507
    assert_nothing_left(tmp_path)
    assert post(up, "raw", DATA).status == 200


def test_a_directory_that_cannot_be_used_gets_500_and_nothing_else_suffers(
    up: Site, tmp_path: Path
) -> None:
    (tmp_path / "spool").write_text("a file is in the way")
    assert post(up, "raw", DATA).status == 500
    assert post(up, "raw", DATA[:100]).body == b"100 in memory"


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EFBIG, 507), (errno.EIO, 500),
        (errno.EMFILE, 503), (errno.ENFILE, 503),
    ],
)  # fmt: skip
def test_a_full_disk_is_told_from_a_broken_one_and_from_too_many_files(
    number: int, status: int
) -> None:
    assert status_of(OSError(number, "")) == status


def test_a_disk_that_is_slow_is_told_from_a_broken_one() -> None:
    assert status_of(vista.CallTimeout("slow")) == status_of(vista.Overloaded("busy")) == 503
    assert status_of(vista.NoSuchService("gone")) == 500


def test_a_body_that_nobody_takes_is_not_put_on_the_disk(up: Site, tmp_path: Path) -> None:
    answer = up.get("/nothing", method="POST", body=DATA)
    assert (answer.status, (tmp_path / "spool").exists()) == (404, False)


def test_who_may_not_send_does_not_fill_the_disk(up: Site, tmp_path: Path) -> None:
    guard = vista.create(URLprotectedFile, "localhost", "/up", None, "harbour")
    guard.add_user("kim", "secret", "POST")
    answer = post(up, "raw", DATA)
    assert answer.status == 401 and "www-authenticate" in answer.fields
    assert not (tmp_path / "spool").exists()
    assert b"right on disk" in post(up, "raw", DATA, basic()).body


def test_a_large_upload_by_digest_is_one_use_of_its_nonce(up: Site) -> None:
    guard = vista.create(URLprotectedFile, "localhost", "/up", None, "digest")
    guard.add_user("kim", "secret", "POST")
    challenged = up.get("/up?raw", method="POST", body=b"x").fields["www-authenticate"]
    nonce = challenged.partition('nonce="')[2].partition('"')[0]
    field = digest_field(nonce, path="/up?raw", method="POST")
    assert b"right on disk" in post(up, "raw", DATA, field).body
    assert post(up, "raw", DATA, field).status == 401


def test_rfc_9110_10_1_1_who_asks_first_is_told_before_he_sends(up: Site) -> None:
    vista.create(URLprotectedFile, "localhost", "/up", None, "harbour", "kim", "secret")
    head = b"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
    with up.connect() as client:
        client.sendall(head + b"Expect: 100-continue\r\n\r\n")
        data = read_all(client)
    assert data.startswith(b"HTTP/1.1 401 ") and b"100 Continue" not in data


def test_rfc_9110_10_1_1_who_asks_first_and_may_is_told_to_go_on(up: Site) -> None:
    head = b"POST /up?raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10240\r\n"
    with up.connect() as client:
        client.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(DATA)
        assert b"right on disk" in read_until(client, b"disk")


def test_a_handler_says_by_an_error_what_the_client_gets(site: Site) -> None:
    site.directory.register_object("/up", vista.create(HttpUploadPage))
    assert site.get("/up", method="POST", body=b"x").status == 415
