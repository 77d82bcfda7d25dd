"""Protected parts of a site: every way to an address asks for the password."""

from __future__ import annotations

import base64
import gzip
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from apps.http.content.attempts import FREE_ATTEMPTS
from apps.http.content.passwords import make_account, write_passwords
from apps.http.content.resources import Request, Response
from apps.http.errors import PasswordFileError
from apps.http.objects.found import Loaded
from apps.http.objects.loader import URLfileLoader
from apps.http.objects.logs import HTTPcommonLogFormat, HTTPextendedLogFormat
from apps.http.objects.protected import HTTPprotectedDirectory, URLprotectedFile
from apps.http.syntax.authentication import (
    MD5,
    SHA_256,
    DigestCredentials,
    digest_response,
    secret_hash,
)
from tests.http.objects.h2client import h2_client
from tests.http.objects.pages import HttpEchoPage, HttpReplyingPage
from tests.http.objects.served import Answer, Site, read_all, read_until, served

SECRET = b"the pay of everybody"


class HttpUserPage(vista.Object):
    """Tells who logged in, and in whose name it was called."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> str:
        return f"{request.user or '-'} {vista.current_user()}"


class HttpUserReplyingPage(vista.Object):
    """Tells who logged in, in the original's form."""

    def create(self) -> None:
        pass

    def get_request(
        self, request_data: list[str], options: dict[str, str], reply_method: str, reply_dest: str
    ) -> None:
        vista.post(reply_dest, reply_method, 200, "OK", {}, f"for {request_data[6]}")


def basic(user: str = "kim", password: str = "secret") -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def guard(site: Site, tree: Path) -> vista.Ref:
    """A guard before ``/staff`` of ``site``, which has a few files."""
    (tree / "staff" / "more").mkdir(parents=True)
    (tree / "staff" / "index.html").write_bytes(SECRET)
    (tree / "staff" / "pay.txt").write_bytes(SECRET)
    (tree / "staff" / "more" / "pay.txt").write_bytes(SECRET)
    made: vista.Ref = vista.create(
        URLprotectedFile, "localhost", "/staff", None, "harbour", "kim", "secret"
    )
    return made


@pytest.fixture
def digest(site: Site, tree: Path) -> vista.Ref:
    """A guard by Digest before ``/staff``."""
    (tree / "staff").mkdir()
    (tree / "staff" / "pay.txt").write_bytes(SECRET)
    made: vista.Ref = vista.create(
        URLprotectedFile, "localhost", "/staff", None, "digest", "kim", "secret"
    )
    return made


def assert_closed(answer: Answer) -> None:
    assert answer.status == 401, answer.body
    assert SECRET not in answer.body
    assert "www-authenticate" in answer.fields


def tries_until_429(site: Site, fields: list[str]) -> int:
    """How many get 401 before one gets 429; a slow machine needs more, since the waits grow."""
    for count, field in enumerate(fields):
        status = site.get("/staff/pay.txt", field).status
        if status == 429:
            return count
        assert status == 401
    raise AssertionError(f"{len(fields)} tries and no wait")


# --- who may ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("guard")
def test_who_has_the_password_gets_the_file(site: Site) -> None:
    answer = site.get("/staff/pay.txt", basic())
    assert (answer.status, answer.body) == (200, SECRET)


@pytest.mark.usefixtures("guard")
def test_rfc_9110_11_6_1_who_says_nothing_is_told_how_to_say_it(site: Site) -> None:
    answer = site.get("/staff/pay.txt")
    assert_closed(answer)
    assert answer.fields["www-authenticate"] == 'Basic realm="harbour", charset="UTF-8"'


@pytest.mark.parametrize(
    "field",
    [
        basic(password="Secret"),
        basic(user="max"),
        basic(user="", password=""),
        "Authorization: Basic",
        "Authorization: Bearer secret",
        basic().replace("Authorization", "Proxy-Authorization"),
        basic().replace("Basic", "Digest"),
    ],
    ids=["password", "user", "nothing", "empty", "bearer", "proxy", "scheme"],
)
@pytest.mark.usefixtures("guard")
def test_who_has_it_not_gets_401(site: Site, field: str) -> None:
    assert_closed(site.get("/staff/pay.txt", field))


@pytest.mark.usefixtures("guard")
def test_what_is_not_guarded_stays_open(site: Site, tree: Path) -> None:
    (tree / "staffing.txt").write_text("open")
    assert site.get("/a.txt").status == 200
    assert site.get("/staffing.txt").body == b"open"


@pytest.mark.usefixtures("guard")
def test_a_user_may_read_unless_more_is_said(site: Site) -> None:
    vista.create(HttpEchoPage, "localhost", "/staff/echo")
    assert site.get("/staff/echo", basic()).status == 200
    assert site.get("/staff/echo", basic(), method="POST", body=b"x").status == 403


def test_a_user_may_send_what_he_is_given(site: Site, guard: vista.Ref) -> None:
    vista.create(HttpEchoPage, "localhost", "/staff/echo")
    guard.add_user("max", "other", "POST")
    assert site.get("/staff/echo", basic("max", "other"), method="POST", body=b"x").status == 201
    assert site.get("/staff/echo", basic("max", "other")).status == 403


def test_a_user_who_was_removed_is_out_at_once(site: Site, guard: vista.Ref) -> None:
    assert site.get("/staff/pay.txt", basic()).status == 200
    assert guard.remove_user("kim")
    assert_closed(site.get("/staff/pay.txt", basic()))


def test_a_user_with_another_password_has_the_old_one_no_longer(
    site: Site, guard: vista.Ref
) -> None:
    assert site.get("/staff/pay.txt", basic()).status == 200
    guard.add_user("kim", "changed")
    assert_closed(site.get("/staff/pay.txt", basic()))
    assert site.get("/staff/pay.txt", basic(password="changed")).status == 200


@pytest.mark.usefixtures("guard")
def test_wrong_passwords_make_an_address_wait(site: Site) -> None:
    assert site.get("/staff/pay.txt", basic()).status == 200
    assert tries_until_429(site, [basic(password=f"{n}") for n in range(20)]) > FREE_ATTEMPTS
    # Whose password was right before is not locked out by others behind the same address.
    assert site.get("/staff/pay.txt", basic()).status == 200


def test_an_address_that_waits_learns_nothing_of_passwords_that_others_gave(
    guard: vista.Ref,
) -> None:
    def tried(client: str, password: str) -> int:
        name, _, value = basic(password=password).partition(": ")
        request = Request("GET", "/staff/pay.txt", "", name.lower(), value, client=client)
        answer = guard.admit_request(request, "GET")
        return answer.status if isinstance(answer, Response) else 200

    assert tried("192.0.2.1", "secret") == 200
    for number in range(20):
        if tried("192.0.2.2", f"guess {number}") == 429:
            break
    assert tried("192.0.2.2", "secret") == 429
    assert tried("192.0.2.1", "secret") == 200


# --- every way to an address -----------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/staff",
        "/staff/",
        "/staff/index.html",
        "/staff/nothing",
        "/staff/more/pay.txt",
        "/%73taff/pay.txt",
        "/docs/../staff/pay.txt",
        "/docs/%2e%2e/staff/pay.txt",
        "//staff/pay.txt",
        "/staff//pay.txt",
        "/./staff/./pay.txt",
        "/staff/pay.txt?query",
    ],
)
@pytest.mark.usefixtures("guard")
def test_each_spelling_of_an_address_is_guarded(site: Site, path: str) -> None:
    assert_closed(site.get(path))


@pytest.mark.usefixtures("guard")
def test_an_address_as_a_whole_url_is_guarded(site: Site) -> None:
    assert_closed(site.get("http://localhost/staff/pay.txt"))


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.usefixtures("guard")
def test_each_method_is_guarded(site: Site, method: str) -> None:
    answer = site.get("/staff/pay.txt", method=method)
    assert answer.status == 401 and SECRET not in answer.body
    assert answer.fields.get("content-length") != str(len(SECRET))


def test_a_file_that_is_kept_already_is_guarded(site: Site, tree: Path) -> None:
    (tree / "staff").mkdir()
    (tree / "staff" / "pay.txt").write_bytes(SECRET)
    assert site.get("/staff/pay.txt").body == SECRET
    vista.create(URLprotectedFile, "localhost", "/staff", None, "harbour", "kim", "secret")
    assert_closed(site.get("/staff/pay.txt"))
    assert site.get("/staff/pay.txt", basic()).body == SECRET
    assert_closed(site.get("/staff/pay.txt"))


@pytest.mark.usefixtures("guard")
def test_conditional_requests_and_ranges_are_guarded(site: Site) -> None:
    etag = site.get("/staff/pay.txt", basic()).fields["etag"]
    assert_closed(site.get("/staff/pay.txt", f"If-None-Match: {etag}"))
    assert_closed(site.get("/staff/pay.txt", "Range: bytes=0-3"))


@pytest.mark.usefixtures("guard")
def test_precompressed_forms_are_guarded(site: Site, tree: Path) -> None:
    (tree / "staff" / "pay.txt.gz").write_bytes(gzip.compress(SECRET))
    assert_closed(site.get("/staff/pay.txt", "Accept-Encoding: gzip"))
    assert_closed(site.get("/staff/pay.txt.gz"))


def test_the_precompressed_form_of_one_guarded_file_is_guarded(site: Site, tree: Path) -> None:
    (tree / "a.txt.gz").write_bytes(gzip.compress(SECRET))
    vista.create(URLprotectedFile, "localhost", "/a.txt", None, "harbour", "kim", "secret")
    assert_closed(site.get("/a.txt"))
    assert_closed(site.get("/a.txt.gz"))


def test_the_index_of_a_directory_is_guarded_where_its_file_is(site: Site) -> None:
    vista.create(URLprotectedFile, "localhost", "/index.html", None, "harbour", "kim", "secret")
    assert site.get("/").status == 404
    assert_closed(site.get("/index.html"))
    assert site.get("/index.html", basic()).status == 200


@pytest.mark.parametrize("directive", ['virtual="/staff/pay.txt"', 'file="staff/pay.txt"'])
@pytest.mark.usefixtures("guard")
def test_no_page_outside_includes_what_is_guarded(site: Site, tree: Path, directive: str) -> None:
    (tree / "page.shtml").write_text(f"<!--#include {directive} -->")
    assert SECRET not in site.get("/page.shtml").body
    assert SECRET not in site.get("/page.shtml", basic()).body


@pytest.mark.usefixtures("guard")
def test_no_page_outside_includes_an_object_s_page_that_is_guarded(site: Site, tree: Path) -> None:
    vista.create(HttpEchoPage, "localhost", "/staff/echo")
    (tree / "page.shtml").write_text('<!--#include virtual="/staff/echo" -->')
    (tree / "staff" / "page.shtml").write_text('<!--#include virtual="/staff/echo" -->')
    assert b"GET /staff/echo" not in site.get("/page.shtml").body
    assert b"GET /staff/echo" in site.get("/staff/page.shtml", basic()).body


@pytest.mark.usefixtures("guard")
def test_no_page_outside_tells_size_or_date_of_what_is_guarded(site: Site, tree: Path) -> None:
    (tree / "page.shtml").write_text('<!--#fsize virtual="/staff/pay.txt" -->')
    assert str(len(SECRET)).encode() not in site.get("/page.shtml").body


@pytest.mark.usefixtures("guard")
def test_a_guarded_page_includes_what_is_guarded_with_it(site: Site, tree: Path) -> None:
    (tree / "staff" / "page.shtml").write_text('<!--#include virtual="/staff/pay.txt" -->')
    assert SECRET in site.get("/staff/page.shtml", basic()).body
    assert_closed(site.get("/staff/page.shtml"))


def test_a_page_that_showed_what_is_guarded_since_shows_it_no_longer(
    site: Site, tree: Path
) -> None:
    (tree / "staff").mkdir()
    (tree / "staff" / "pay.txt").write_bytes(SECRET)
    (tree / "page.shtml").write_text('<!--#include virtual="/staff/pay.txt" -->')
    assert SECRET in site.get("/page.shtml").body
    vista.create(URLprotectedFile, "localhost", "/staff", None, "harbour", "kim", "secret")
    assert SECRET not in site.get("/page.shtml").body


@pytest.mark.usefixtures("guard")
def test_no_link_leads_into_a_guarded_directory(site: Site, tree: Path) -> None:
    (tree / "docs" / "link").symlink_to(tree / "staff")
    (tree / "link.txt").symlink_to("staff/pay.txt")
    for path in ("/docs/link/pay.txt", "/link.txt", "/docs/link/"):
        answer = site.get(path)
        assert answer.status == 404 and SECRET not in answer.body


@pytest.mark.usefixtures("guard")
def test_a_kept_file_that_becomes_a_link_into_a_guarded_directory_is_gone(
    site: Site, tree: Path
) -> None:
    page = site.directory.find("GET", "/a.txt")
    assert site.get("/a.txt").status == 200
    (tree / "a.txt").unlink()
    (tree / "a.txt").symlink_to("staff/pay.txt")
    page.check_if_still_valid()
    assert SECRET not in site.get("/a.txt").body


@pytest.mark.usefixtures("guard")
def test_a_link_out_of_a_guarded_directory_is_guarded(site: Site, tree: Path) -> None:
    (tree / "staff" / "link.txt").symlink_to("../a.txt")
    assert_closed(site.get("/staff/link.txt"))
    assert site.get("/staff/link.txt", basic()).body == b"abcdefghij"


@pytest.mark.usefixtures("guard")
def test_pages_of_objects_are_guarded(site: Site) -> None:
    vista.create(HttpEchoPage, "localhost", "/staff/echo")
    site.directory.register_object("/staff/old", vista.create(HttpReplyingPage))
    assert_closed(site.get("/staff/echo"))
    assert_closed(site.get("/staff/old"))
    assert site.get("/staff/old", basic()).body == b"/staff/old for localhost"


@pytest.mark.usefixtures("guard")
def test_a_further_loader_below_is_guarded(site: Site, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_bytes(SECRET)
    more = ("localhost", "HTTPrawCachedFile", "/staff/files", None, str(tmp_path / "more"))
    vista.create(URLfileLoader, *more)
    assert_closed(site.get("/staff/files/b.txt"))
    assert site.get("/staff/files/b.txt", basic()).body == SECRET


def test_a_loader_s_checker_guards_what_it_serves(site: Site, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_bytes(SECRET)
    guard = vista.create(
        URLprotectedFile, "localhost", "/nowhere", None, "harbour", "kim", "secret"
    )
    loader = vista.create(
        URLfileLoader, "localhost", "HTTPcachedFile", "/more", guard, str(tmp_path / "more")
    )
    assert loader.get_access_controller() == guard
    assert_closed(site.get("/more/b.txt"))
    assert site.get("/more/b.txt", basic()).body == SECRET


def test_a_guard_can_make_the_loader_of_its_directory(site: Site, tree: Path) -> None:
    (tree / "staff").mkdir()
    (tree / "staff" / "pay.txt").write_bytes(SECRET)
    vista.create(
        URLprotectedFile, "localhost", "/staff", "URLfileLoader", "harbour", "kim", "secret"
    )
    assert_closed(site.get("/staff/pay.txt"))
    assert site.get("/staff/pay.txt", basic()).body == SECRET


def test_the_guard_with_the_longest_path_decides_alone(site: Site, guard: vista.Ref) -> None:
    vista.create(URLprotectedFile, "localhost", "/staff/more", None, "attic", "max", "other")
    assert_closed(site.get("/staff/more/pay.txt", basic()))
    assert site.get("/staff/more/pay.txt", basic("max", "other")).body == SECRET
    assert_closed(site.get("/staff/pay.txt", basic("max", "other")))


def test_a_whole_site_can_be_guarded(site: Site) -> None:
    vista.create(URLprotectedFile, "localhost", "/", None, "harbour", "kim", "secret")
    assert_closed(site.get("/a.txt"))
    assert_closed(site.get("/nothing"))
    assert site.get("/a.txt", basic()).status == 200


def test_what_a_deleted_guard_guarded_stays_closed(site: Site, guard: vista.Ref) -> None:
    vista.delete(guard)
    answer = site.get("/staff/pay.txt", basic())
    assert answer.status == 500 and SECRET not in answer.body
    assert site.directory.unprotect("/staff")
    assert site.get("/staff/pay.txt").body == SECRET


def test_a_page_that_is_gone_leaves_404_behind_a_guard(site: Site, guard: vista.Ref) -> None:
    page = vista.create(HttpEchoPage, "localhost", "/staff/echo")
    vista.delete(page)
    assert site.get("/staff/echo", basic()).status == 404


def test_the_site_s_own_page_for_401_keeps_the_challenge(site: Site, guard: vista.Ref) -> None:
    site.directory.set_error_page(401, "<p>Ahoy, who goes there?</p>")
    answer = site.get("/staff/pay.txt")
    assert_closed(answer)
    assert b"Ahoy" in answer.body


# --- files of passwords ----------------------------------------------------------------------


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """A file with the password of kim."""
    path = tmp_path / "passwords"
    write_passwords(path, {"kim": make_account("kim", "secret", "harbour")})
    return path


@pytest.fixture
def filed(site: Site, tree: Path, passwords: Path) -> vista.Ref:
    """A guard before ``/docs`` with a file of passwords."""
    made: vista.Ref = vista.create(
        HTTPprotectedDirectory, "localhost", "/docs", "harbour", str(passwords)
    )
    return made


def await_status(site: Site, status: int, *fields: str) -> Answer:
    """Ask until the guard has looked at its file again, which it does once a second."""
    end = time.monotonic() + 30.0
    while (answer := site.get("/docs/", *fields)).status != status:
        assert time.monotonic() < end, f"{answer.status} and never {status}"
    return answer


@pytest.mark.usefixtures("filed")
def test_the_users_of_a_file_are_let_in(site: Site) -> None:
    assert site.get("/docs/", basic()).status == 200
    assert_closed(site.get("/docs/"))


@pytest.mark.usefixtures("filed")
def test_a_changed_file_takes_effect_without_restart(site: Site, passwords: Path) -> None:
    assert site.get("/docs/", basic()).status == 200
    write_passwords(passwords, {"max": make_account("max", "other", None)})
    await_status(site, 401, basic())
    assert site.get("/docs/", basic("max", "other")).status == 200


@pytest.mark.usefixtures("filed")
def test_a_file_that_cannot_be_read_lets_nobody_in_and_says_so(
    site: Site, passwords: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert site.get("/docs/", basic()).status == 200
    passwords.write_text("kim my-secret\n")
    await_status(site, 503, basic())
    assert site.get("/docs/").status == 503
    said = [record.getMessage() for record in caplog.records if "nobody is let in" in record.msg]
    assert len(said) == 1 and "passwords:1:" in said[0] and "my-secret" not in said[0]


def test_a_guard_whose_file_is_not_there_guards(site: Site, tmp_path: Path) -> None:
    vista.create(HTTPprotectedDirectory, "localhost", "/docs", "harbour", str(tmp_path / "nothing"))
    assert site.get("/docs/", basic()).status == 503


# --- digest ----------------------------------------------------------------------------------


def challenge(answer: Answer) -> dict[str, str]:
    """The parameters of the last challenge of an answer, which is the one for MD5."""
    found = re.findall(r'(\w+)="?([^",]+)', answer.fields["www-authenticate"])
    return dict(found)


def digest_field(
    nonce: str,
    count: int = 1,
    path: str = "/staff/pay.txt",
    password: str = "secret",
    algorithm: str = SHA_256,
    method: str = "GET",
    qop: str = "auth",
    body: bytes = b"",
    session: bool = False,
) -> str:
    """The field of a client that knows a password."""
    realm, nc = "localhost", f"{count:08x}"
    asked = DigestCredentials(
        "kim", realm, nonce, path, algorithm, count, nc, "cc", "", qop, session
    )
    secret = secret_hash(algorithm, "kim", realm, password)
    response = digest_response(asked, secret, method, body)
    algorithm += "-sess" * session
    return (
        f'Authorization: Digest username="kim", realm="{realm}", nonce="{nonce}", uri="{path}", '
        f'algorithm={algorithm}, qop={qop}, nc={nc}, cnonce="cc", response="{response}"'
    )


def a_nonce(site: Site) -> str:
    return challenge(site.get("/staff/pay.txt"))["nonce"]


@pytest.mark.usefixtures("digest")
def test_rfc_7616_3_7_both_algorithms_are_offered_the_better_one_first(site: Site) -> None:
    data = site.talk(b"GET /staff/pay.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
    lines = re.findall(rb"WWW-Authenticate: Digest (.*)\r\n", data)
    assert [re.findall(rb"algorithm=([^,]+)", line) for line in lines] == [[b"SHA-256"], [b"MD5"]]


@pytest.mark.parametrize("algorithm", [SHA_256, MD5])
@pytest.mark.usefixtures("digest")
def test_who_has_the_password_gets_the_file_by_digest(site: Site, algorithm: str) -> None:
    field = digest_field(a_nonce(site), algorithm=algorithm)
    assert site.get("/staff/pay.txt", field).body == SECRET


@pytest.mark.usefixtures("digest")
def test_who_has_it_not_gets_401_by_digest(site: Site) -> None:
    answer = site.get("/staff/pay.txt", digest_field(a_nonce(site), password="other"))
    assert_closed(answer)
    assert "stale" not in answer.fields["www-authenticate"]


@pytest.mark.usefixtures("digest")
def test_a_session_algorithm_of_digest_is_taken(site: Site) -> None:
    field = digest_field(a_nonce(site), session=True)
    assert site.get("/staff/pay.txt", field).body == SECRET


@pytest.mark.parametrize(("sent", "status"), [(b"to kim", 201), (b"to eve", 401)])
def test_a_body_that_was_changed_on_the_way_is_refused_by_auth_int(
    digest: vista.Ref, sent: bytes, status: int, site: Site
) -> None:
    digest.add_user("kim", "secret", "POST", "GET")
    site.directory.register_object("/staff/page", vista.create(HttpEchoPage))
    field = digest_field(
        a_nonce(site), path="/staff/page", method="POST", qop="auth-int", body=b"to kim"
    )
    assert site.get("/staff/page", field, method="POST", body=sent).status == status


@pytest.mark.usefixtures("digest")
def test_a_body_that_is_not_at_hand_cannot_be_checked(site: Site) -> None:
    field = digest_field(a_nonce(site), path="/staff/page", method="POST", qop="auth-int")
    data = (
        f"POST /staff/page HTTP/1.1\r\nHost: localhost\r\n{field}\r\nExpect: 100-continue\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    assert Answer(site.talk(data.encode())).status == 413


def test_a_body_of_http_2_that_is_not_at_hand_cannot_be_checked(tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("http2 cleartext\n")
    with served(profile=str(profile)) as site:
        guard = vista.create(
            URLprotectedFile, "localhost", "/staff", None, "digest", "kim", "secret"
        )
        guard.add_user("kim", "secret", "POST", "GET")
        site.directory.register_object("/staff/page", vista.create(HttpEchoPage))
        # Good for no body, sent before another one: nothing says how long that is.
        field = digest_field(a_nonce(site), path="/staff/page", method="POST", qop="auth-int")
        with h2_client(site) as client:
            number = client.ask(
                "/staff/page", ("authorization", field.removeprefix("Authorization: ")),
                ("expect", "100-continue"), method="POST", end=False,
            )  # fmt: skip
            client.send(number, b"to eve")
            assert client.answer(number).status == 413


@pytest.mark.usefixtures("digest")
def test_basic_is_not_taken_where_digest_is_asked_for(site: Site) -> None:
    assert_closed(site.get("/staff/pay.txt", basic()))


@pytest.mark.usefixtures("digest")
def test_rfc_7616_3_3_a_request_that_is_replayed_gets_401(site: Site) -> None:
    field = digest_field(a_nonce(site))
    assert site.get("/staff/pay.txt", field).status == 200
    answer = site.get("/staff/pay.txt", field)
    assert_closed(answer)
    assert answer.fields["www-authenticate"].endswith("stale=true")


@pytest.mark.usefixtures("digest")
def test_a_nonce_serves_many_requests(site: Site) -> None:
    nonce = a_nonce(site)
    got = [site.get("/staff/pay.txt", digest_field(nonce, n)).status for n in range(1, 10)]
    assert got == [200] * 9


@pytest.mark.usefixtures("digest")
def test_rfc_7616_3_3_a_nonce_that_is_not_ours_is_stale_for_who_knows_the_password(
    site: Site,
) -> None:
    answer = site.get("/staff/pay.txt", digest_field("made-up"))
    assert_closed(answer)
    assert answer.fields["www-authenticate"].endswith("stale=true")


@pytest.mark.usefixtures("digest")
def test_rfc_7616_3_4_6_credentials_for_another_address_get_400(site: Site, tree: Path) -> None:
    (tree / "staff" / "b.txt").write_bytes(SECRET)
    answer = site.get("/staff/b.txt", digest_field(a_nonce(site)))
    assert answer.status == 400 and SECRET not in answer.body


@pytest.mark.usefixtures("digest")
def test_credentials_for_another_query_get_400(site: Site) -> None:
    assert (
        site.get("/staff/pay.txt?b", digest_field(a_nonce(site), path="/staff/pay.txt?a")).status
        == 400
    )


@pytest.mark.usefixtures("digest")
def test_the_address_in_the_credentials_may_be_encoded_otherwise(site: Site) -> None:
    field = digest_field(a_nonce(site), path="/st%61ff/pay.txt")
    assert site.get("/staff/pay.txt", field).status == 200


@pytest.mark.usefixtures("digest")
def test_wrong_passwords_by_digest_make_an_address_wait(site: Site) -> None:
    nonce = a_nonce(site)
    fields = [digest_field(nonce, n, password=f"{n}") for n in range(20)]
    assert tries_until_429(site, fields) > FREE_ATTEMPTS


@pytest.mark.usefixtures("digest")
def test_who_overhears_a_nonce_does_not_guess_without_waiting(site: Site) -> None:
    nonce = a_nonce(site)
    assert site.get("/staff/pay.txt", digest_field(nonce)).status == 200
    fields = [digest_field(nonce, n, password=f"{n}") for n in range(2, 22)]
    assert tries_until_429(site, fields) >= FREE_ATTEMPTS


def test_the_realm_of_digest_can_be_named(site: Site) -> None:
    vista.create(URLprotectedFile, "localhost", "/docs", None, "digest:harbour", "kim", "secret")
    assert 'realm="harbour"' in site.get("/docs/").fields["www-authenticate"]


# --- who it is -------------------------------------------------------------------------------


@pytest.mark.usefixtures("guard")
def test_a_page_learns_who_logged_in(site: Site) -> None:
    site.directory.register_object("/staff/who", vista.create(HttpUserPage))
    site.directory.register_object("/who", vista.create(HttpUserPage))
    assert site.get("/staff/who", basic()).body.startswith(b"kim ")
    assert site.get("/who", basic()).body.startswith(b"- ")


@pytest.mark.usefixtures("guard")
def test_a_page_of_the_original_form_learns_who_logged_in(site: Site) -> None:
    site.directory.register_object("/staff/who", vista.create(HttpUserReplyingPage))
    assert site.get("/staff/who", basic()).body == b"for kim"


@pytest.mark.usefixtures("guard")
def test_included_pages_learn_who_logged_in_and_never_the_password(site: Site, tree: Path) -> None:
    (tree / "staff" / "who.shtml").write_text('<!--#echo var="REMOTE_USER" --> <!--#printenv -->')
    body = site.get("/staff/who.shtml", basic()).body
    assert body.startswith(b"kim ") and b"HTTP_HOST" in body
    assert b"AUTHORIZATION" not in body and b"Basic" not in body


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[Site]:
    """A site whose profile says that kim acts as harbour, and everybody else as guest."""
    profile = tmp_path / "http.profile"
    profile.write_text("actAs kim harbour\nactAs * guest\n")
    with served(profile=str(profile)) as site:
        guard = vista.create(
            URLprotectedFile, "localhost", "/staff", None, "harbour", "kim", "secret"
        )
        guard.add_user("max", "secret")
        yield site


def test_pages_are_called_for_the_user_that_the_profile_names(mapped: Site) -> None:
    mapped.directory.register_object("/staff/who", vista.create(HttpUserPage))
    assert mapped.get("/staff/who", basic()).body == b"kim harbour"
    assert mapped.get("/staff/who", basic("max")).body == b"max guest"


def test_a_page_that_the_user_may_not_call_gets_403(mapped: Site) -> None:
    page = vista.create(HttpUserPage)
    mapped.directory.register_object("/staff/who", page)
    page.set_acl(vista.AccessControlList.of("deny guest get_request", "allow * *"))
    assert mapped.get("/staff/who", basic("max")).status == 403
    assert mapped.get("/staff/who", basic()).status == 200


def test_without_the_profile_pages_are_called_for_the_node_s_own_user(
    site: Site, guard: vista.Ref
) -> None:
    site.directory.register_object("/staff/who", vista.create(HttpUserPage))
    own = site.node.call(vista.current_user)
    assert site.get("/staff/who", basic()).body == f"kim {own}".encode()


# --- the log ---------------------------------------------------------------------------------


def logged(log: vista.Ref, path: Path) -> str:
    log.flush()
    return path.read_text()


@pytest.mark.usefixtures("guard")
def test_the_common_log_has_the_user(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = vista.create(HTTPcommonLogFormat, str(path), "localhost", "authorization", "host")
    site.get("/staff/pay.txt", basic())
    site.get("/a.txt", basic())
    first, second = logged(log, path).splitlines()
    assert " - kim [" in first and '"-" "localhost"' in first
    assert " - - [" in second and "Basic" not in first + second


@pytest.mark.usefixtures("guard")
def test_the_extended_log_has_the_user(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "log"
    names = ("cs-username", "sc-status", "cs(Authorization)")
    log = vista.create(HTTPextendedLogFormat, str(path), "localhost", *names)
    site.get("/staff/pay.txt", basic())
    assert logged(log, path).splitlines()[-1] == "kim 200 -"


@pytest.mark.usefixtures("guard")
def test_no_log_line_has_a_password(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site.get("/staff/pay.txt", basic(user="my-secret", password="other-secret"))
    site.get("/staff/pay.txt", basic())
    assert "gave a wrong password, for nobody" in caplog.text
    code = basic().split()[-1]
    assert "secret" not in caplog.text and code not in caplog.text


# --- mistakes --------------------------------------------------------------------------------


def test_a_realm_that_cannot_be_is_refused(site: Site) -> None:
    with pytest.raises(vista.BadValueError, match=r"a realm has 1 to 128 letters"):
        vista.create(URLprotectedFile, "localhost", "/docs", None, 'a"b')
    assert site.get("/docs/").status == 200


def test_a_path_without_its_slash_is_refused(site: Site) -> None:
    with pytest.raises(vista.BadValueError, match=r"begins with a slash"):
        vista.create(URLprotectedFile, "localhost", "docs", None, "harbour")


def test_a_user_without_a_password_is_refused(site: Site) -> None:
    with pytest.raises(vista.BadValueError, match=r"or neither"):
        vista.create(URLprotectedFile, "localhost", "/docs", None, "harbour", "kim")


def test_pipelined_requests_are_each_asked(site: Site, guard: vista.Ref) -> None:
    lines = b"GET /staff/pay.txt HTTP/1.1\r\nHost: localhost\r\n"
    with site.connect() as client:
        client.sendall(
            lines + basic().encode() + b"\r\n\r\n" + lines + b"Connection: close\r\n\r\n"
        )
        data = read_all(client)
    assert data.count(b"HTTP/1.1 200") == 1 and data.count(b"HTTP/1.1 401") == 1


def test_a_page_kept_for_one_user_is_not_shown_to_another(
    site: Site, tree: Path, guard: vista.Ref
) -> None:
    guard.add_user("max", "other")
    (tree / "staff" / "who.shtml").write_text(
        '<!--#if expr="$REMOTE_USER = kim" -->yours<!--#else -->not yours<!--#endif -->'
    )
    assert site.get("/staff/who.shtml", basic()).body == b"yours"
    assert site.get("/staff/who.shtml", basic("max", "other")).body == b"not yours"


@pytest.mark.usefixtures("filed")
def test_a_file_that_others_may_read_is_warned_of_once(
    site: Site, passwords: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passwords.chmod(0o644)
    end = time.monotonic() + 30.0
    while "can be read by other users" not in caplog.text:
        assert site.get("/docs/", basic()).status == 200
        assert time.monotonic() < end
    assert caplog.text.count("can be read by other users") == 1


class HttpGuardingHandler(vista.Object):
    """A directory handler under whose hands a part of the site becomes protected."""

    def create(self) -> None:
        self.loads = 0

    def load_object(self, path: str) -> Loaded:
        self.loads += 1
        if self.loads == 1:
            guard = ("localhost", "/elsewhere", None, "harbour", "kim", "secret")
            vista.create(URLprotectedFile, *guard)
        return Loaded(vista.create(HttpUserPage), 1)

    def get_loads(self) -> int:
        return self.loads


def test_what_was_loaded_while_a_guard_came_is_loaded_again(site: Site) -> None:
    handler = vista.create(HttpGuardingHandler)
    site.directory.register_directory_handler("/slow", handler)
    assert site.get("/slow/page").status == 200
    assert handler.get_loads() == 2


def test_a_profile_protects_from_the_first_request_on(
    tmp_path: Path, tree: Path, passwords: Path
) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text(f"directoryRoot site\nprotected /docs harbour {passwords.name}\n")
    with served(profile=str(profile)) as site:
        assert_closed(site.get("/docs/"))
        assert site.get("/docs/", basic()).body == b"<h1>docs</h1>"
        assert site.get("/a.txt").status == 200


def test_a_guard_that_cannot_be_made_closes_nothing(site: Site) -> None:
    with pytest.raises(PasswordFileError):
        vista.create(URLprotectedFile, "localhost", "/docs", None, "harbour", "a:b", "secret")
    assert site.directory.get_protected() == [] and site.get("/docs/").status == 200


class HttpGuardedSocketPage(vista.Object):
    """Speaks WebSocket, to say who is there."""

    def create(self) -> None:
        pass

    def websocket_request(self, request: Request, socket: vista.Ref) -> None:
        socket.send_text(f"for {request.user}")


@pytest.mark.usefixtures("guard")
def test_a_websocket_is_guarded(site: Site) -> None:
    site.directory.register_object("/staff/socket", vista.create(HttpGuardedSocketPage))
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    assert_closed(site.get("/staff/socket", *upgrade))
    lines = ["GET /staff/socket HTTP/1.1", "Host: localhost", *upgrade, basic()]
    with site.connect() as client:
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert read_until(client, b"for kim").startswith(b"HTTP/1.1 101 ")


@pytest.mark.usefixtures("guard")
def test_rfc_9111_5_2_2_7_no_shared_cache_keeps_what_is_guarded(site: Site) -> None:
    assert site.get("/staff/pay.txt", basic()).fields["cache-control"] == "private"
    assert "cache-control" not in site.get("/a.txt").fields
