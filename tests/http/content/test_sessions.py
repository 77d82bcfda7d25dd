"""Sessions: known by a secret, bounded in number, ended by time."""

from __future__ import annotations

from apps.http.content.sessions import IDLE_SECONDS, UNUSED_SECONDS, Session, SessionTable

KEY = b"k" * 32


def added(table: SessionTable, id: str, client: str = "10.0.0.1", now: float = 0.0) -> Session:
    session = table.add(id, client, now)
    assert session is not None
    table.give_secret(session, f"secret of {id}")
    return session


def test_a_session_is_found_by_its_secret() -> None:
    table = SessionTable(KEY)
    session = added(table, "a")
    assert table.use("secret of a", 1.0) is session
    assert table.use("secret of b", 1.0) is None
    assert table.use("", 1.0) is None
    assert table.use("a", 1.0) is None


def test_another_secret_takes_the_place_of_the_first() -> None:
    table = SessionTable(KEY)
    session = added(table, "a")
    table.give_secret(session, "another")
    assert table.use("secret of a", 1.0) is None
    assert table.use("another", 1.0) is session


def test_the_secret_is_not_kept() -> None:
    assert "secret of a" not in repr(added(SessionTable(KEY), "a"))


def test_a_session_that_nobody_uses_is_over() -> None:
    table = SessionTable(KEY)
    added(table, "a")
    assert table.use("secret of a", 0.0) is not None
    assert table.use("secret of a", IDLE_SECONDS - 1) is not None
    assert table.use("secret of a", 2 * IDLE_SECONDS - 2) is not None
    assert table.use("secret of a", 3 * IDLE_SECONDS - 2) is None


def test_a_session_that_was_never_used_is_over_soon() -> None:
    table = SessionTable(KEY)
    added(table, "a")
    assert table.find("a", UNUSED_SECONDS - 1) is not None
    assert table.use("secret of a", UNUSED_SECONDS) is None


def test_what_is_over_is_told_once() -> None:
    table = SessionTable(KEY)
    for number in range(4):
        added(table, f"{number}")
    table.use("secret of 3", 1.0)
    assert [session.id for session in table.expire(UNUSED_SECONDS)] == ["0", "1", "2"]
    assert table.expire(UNUSED_SECONDS) == []
    assert [session.id for session in table.expire(1.0 + IDLE_SECONDS)] == ["3"]
    assert len(table) == 0


def test_sessions_are_bounded() -> None:
    table = SessionTable(KEY, sessions_max=3)
    for number in range(3):
        added(table, f"{number}", f"10.0.0.{number}")
    assert table.add("more", "10.0.0.9", 0.0) is None
    table.remove("0")
    assert table.add("more", "10.0.0.9", 0.0) is not None


def test_sessions_of_one_address_are_bounded() -> None:
    table = SessionTable(KEY, of_address_max=2)
    added(table, "0")
    added(table, "1")
    assert table.add("2", "10.0.0.1", 0.0) is None
    added(table, "3", "10.0.0.2")
    table.remove("0")
    assert table.add("4", "10.0.0.1", 0.0) is not None


def test_an_id_is_given_once() -> None:
    table = SessionTable(KEY)
    added(table, "a")
    assert table.add("a", "10.0.0.2", 0.0) is None


def test_a_removed_session_leaves_nothing() -> None:
    table = SessionTable(KEY)
    added(table, "a")
    assert table.remove("a") is not None
    assert table.remove("a") is None
    assert table.use("secret of a", 0.0) is None
    assert table._by_digest == {} and not table._by_client


def test_a_form_token_fits_its_own_session_only() -> None:
    table = SessionTable(KEY)
    first, second = added(table, "a"), added(table, "b")
    token = table.form_token(first)
    assert table.is_form_token(first, token)
    assert not table.is_form_token(second, token)
    assert not table.is_form_token(first, "")
    assert not table.is_form_token(first, "\u00fc")
    assert not SessionTable(b"other key of 16").is_form_token(first, token)


def test_a_form_token_changes_with_the_secret() -> None:
    table = SessionTable(KEY)
    session = added(table, "a")
    token = table.form_token(session)
    table.give_secret(session, "another")
    assert not table.is_form_token(session, token)


def test_a_session_that_was_never_used_may_stay_as_long_as_others() -> None:
    table = SessionTable(KEY, unused_seconds=IDLE_SECONDS)
    added(table, "a")
    assert table.use("secret of a", IDLE_SECONDS - 1) is not None
    short = SessionTable(KEY, idle_seconds=5.0)
    added(short, "a")
    assert short.use("secret of a", 5.0) is None
