"""Forms as their handlers get them: values and files, of either type."""

from __future__ import annotations

import pytest

from apps.http.content.forms import Form, UploadedFile
from apps.http.content.resources import Request
from apps.http.errors import RequestRejected

BODY = (
    b'--b\r\nContent-Disposition: form-data; name="ship"\r\n\r\nEnterprise\r\n'
    b'--b\r\nContent-Disposition: form-data; name="log"; filename="log.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nstardate\r\n"
    b'--b\r\nContent-Disposition: form-data; name="none"; filename=""\r\n\r\n\r\n--b--\r\n'
)
MULTIPART = "multipart/form-data; boundary=b"


def posted(content_type: str, body: bytes) -> Request:
    return Request("POST", "/", "", "content-type", content_type, body)


def test_an_urlencoded_form_has_values() -> None:
    form = posted("application/x-www-form-urlencoded; charset=utf-8", b"a=1&b=%C3%BC&a=2").form()
    assert (form.get("b"), form.get_all("a"), form.files()) == ("\u00fc", ("1", "2"), ())


def test_a_multipart_form_has_values_and_files() -> None:
    form = posted(MULTIPART, BODY).form()
    assert form.items() == (("ship", "Enterprise"),)
    file = form.file("log")
    assert file is not None
    assert (file.filename, file.content_type, file.size) == ("log.txt", "text/plain", 8)
    assert file.read() == b"stardate"
    assert list(file.pieces(3)) == [b"sta", b"rda", b"te"]


def test_a_field_for_a_file_that_nobody_put_in_is_none() -> None:
    form = posted(MULTIPART, BODY).form()
    assert form.file("none") is None and len(form.files()) == 1


def test_files_are_found_by_name() -> None:
    files = tuple(UploadedFile(name, "f", "t", 0, b"") for name in "aba")
    form = Form((), files)
    assert len(form.files("a")) == 2 and form.files("c") == () and form.files() == files


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("", b"a=1", 415),
        ("application/json", b"{}", 415),
        (MULTIPART, BODY[:-9], 400),
        (MULTIPART, b"", 400),
        ("multipart/form-data", BODY, 400),
        ("application/x-www-form-urlencoded", b"&" * 1000, 413),
    ],
    ids=["none", "json", "cut", "empty", "boundary", "many"],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes, status: int) -> None:
    with pytest.raises(RequestRejected) as caught:
        posted(content_type, body).form()
    assert caught.value.status == status


def test_a_body_on_the_disk_is_no_form() -> None:
    upload = UploadedFile("", "", "application/x-www-form-urlencoded", 5_000_000)
    with pytest.raises(RequestRejected) as caught:
        Request("POST", "/", upload=upload).form()
    assert caught.value.status == 413
