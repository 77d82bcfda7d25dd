"""Whom a node trusts: the list of peers, its mistakes, its changes, and what a key is granted."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.errors import KeyFileError
from vista.peering.keys import KeyFileBounds
from vista.peering.trust import (
    ALL_RIGHTS,
    USER_CHARACTERS_MAX,
    AuthorizedPeers,
    Grant,
    Trust,
    authorize_peer,
    parse_peers,
    parse_rights,
    read_peers,
    remove_peer,
    rights_text,
)
from vista.peering.urls import key_text

OWN = b"o" * 32
ANN = b"a" * 32
BOB = b"b" * 32
EVE = b"e" * 32
ANN_TEXT = key_text(ANN)
BOB_TEXT = key_text(BOB)
EVE_LINE = f"{key_text(EVE)} eve call"
CALL = frozenset({"call"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the list of peers is, in a directory only this user can change."""
    directory = tmp_path / "vista"
    directory.mkdir(mode=0o700)
    return directory / "authorized_peers"


def write(path: Path, *lines: str) -> None:
    """Write the list of peers, as an editor does."""
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)


def test_lines_name_key_user_and_rights() -> None:
    text = (
        f"# friends\n\n{ANN_TEXT} ann call,create # of the lab\n\t{BOB_TEXT.upper()}\tbob  all\r\n"
    )
    ann, bob = parse_peers(text, "list")
    assert (ann.key, ann.user, ann.rights, ann.line) == (ANN, "ann", {"call", "create"}, 3)
    assert (bob.key, bob.user, bob.rights, bob.line) == (BOB, "bob", ALL_RIGHTS, 4)


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("ann call", "1: a key has 52 characters, not 3"),
        (f"  {ANN_TEXT[:-1]} ann all", "3: a key has 52 characters, not 51"),
        (f"vista-secret-1 {ANN_TEXT} all", "1: this is a secret key"),
        (ANN_TEXT, "53: USER and RIGHTS are missing; expected KEY USER RIGHTS"),
        (f"{ANN_TEXT} ann # all", "57: RIGHTS are missing; expected KEY USER RIGHTS"),
        (f"{ANN_TEXT} ann call, create", '64: "create" is one word too many'),
        (f"{ANN_TEXT} ann call create", '63: "create" is one word too many'),
        (f"{ANN_TEXT} ann call,", '58: "" is no right; write call, create, code or all'),
        (f"{ANN_TEXT} ann cal", '58: "cal" is no right; did you mean call?'),
        (f"{ANN_TEXT} ann call,CODE", '58: "CODE" is no right; did you mean code?'),
        (f"{ANN_TEXT} ann everything", '58: "everything" is no right; write call, create'),
        (f"{ANN_TEXT} * all", '54: "*" is no user name'),
        (f"{ANN_TEXT} -x all", '54: "-x" is no user name'),
        (f"{ANN_TEXT} änn all", '54: "änn" is no user name'),
        (f"{ANN_TEXT} {'x' * (USER_CHARACTERS_MAX + 1)} all", "54: a user name has at most 255"),
        (f"{BOB_TEXT} ann all", "1: the key is in line 1 already"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_column(line: str, mistake: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        parse_peers(f"{BOB_TEXT} bob call\n\n{line}\n", "etc/authorized_peers")
    assert str(caught.value).startswith(f"etc/authorized_peers:3:{mistake}")


@given(
    st.text()
    | st.lists(st.sampled_from([ANN_TEXT, " ", "ann", "all", ",", "#", "\n"])).map("".join)
)
def test_any_text_is_a_list_of_peers_or_the_named_error(text: str) -> None:
    try:
        peers = parse_peers(text, "list")
    except KeyFileError:
        return
    again = parse_peers("\n".join(map(str, peers)), "list")
    assert [(peer.key, peer.user, peer.rights) for peer in again] == [
        (peer.key, peer.user, peer.rights) for peer in peers
    ]


@given(st.sets(st.sampled_from(sorted(ALL_RIGHTS)), min_size=1).map(frozenset))
def test_the_text_of_rights_is_read_back(rights: frozenset[str]) -> None:
    assert parse_rights(rights_text(rights)) == rights


def test_the_own_key_is_kin_with_all_rights() -> None:
    trust = Trust(OWN, "me", AuthorizedPeers(None))
    assert trust.grant_of(OWN) == Grant("me", ALL_RIGHTS, kin=True)


def test_a_link_through_the_socket_directory_is_kin_with_all_rights() -> None:
    trust = Trust(OWN, "me", AuthorizedPeers(None))
    assert trust.grant_of(None) == Grant("me", ALL_RIGHTS, kin=True)


def test_a_listed_key_has_its_user_and_rights_and_no_others(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call", f"{BOB_TEXT} me all")
    trust = Trust(OWN, "me", AuthorizedPeers(path))
    assert trust.grant_of(ANN) == Grant("ann", CALL, kin=False)
    assert trust.grant_of(BOB) == Grant("me", ALL_RIGHTS, kin=False)


@pytest.mark.parametrize("key", [EVE, b"", ANN[:-1], ANN + b"a"])
def test_any_other_key_has_no_grant(path: Path, key: bytes) -> None:
    write(path, f"{ANN_TEXT} ann all")
    assert Trust(OWN, "me", AuthorizedPeers(path)).grant_of(key) is None


def test_the_own_key_keeps_its_rights_when_it_is_listed_with_fewer(path: Path) -> None:
    write(path, f"{key_text(OWN)} ann call")
    trust = Trust(OWN, "me", AuthorizedPeers(path))
    assert trust.grant_of(OWN) == Grant("me", ALL_RIGHTS, kin=True)


def test_without_a_file_nobody_is_listed(path: Path) -> None:
    assert AuthorizedPeers(path).find(ANN) is None
    assert AuthorizedPeers(path.parent / "nothing" / "authorized_peers").find(ANN) is None


def test_a_list_with_a_mistake_is_refused_at_the_start(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann cal")
    with pytest.raises(KeyFileError, match=r"authorized_peers:1:58: \"cal\" is no right"):
        AuthorizedPeers(path)


@pytest.mark.parametrize("bits", [0o620, 0o602])
def test_a_list_that_others_can_change_is_refused_with_what_mends_it(path: Path, bits: int) -> None:
    write(path, f"{ANN_TEXT} ann call")
    path.chmod(bits)
    with pytest.raises(KeyFileError) as caught:
        AuthorizedPeers(path)
    assert str(caught.value).endswith(f"; mend it: chmod go-w {path}")


def test_a_list_in_a_directory_that_others_can_change_is_refused(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call")
    path.parent.chmod(0o770)
    with pytest.raises(KeyFileError) as caught:
        AuthorizedPeers(path)
    assert str(caught.value).endswith(f"; mend it: chmod 700 {path.parent}")


def test_a_list_that_others_can_read_is_taken(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call")
    path.chmod(0o644)
    assert AuthorizedPeers(path).find(ANN) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_list_of_another_user_is_refused(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call")
    os.chown(path, 12345, -1)
    with pytest.raises(KeyFileError, match=r"belongs to user 12345"):
        AuthorizedPeers(path)


def test_a_list_of_too_many_bytes_is_refused(path: Path) -> None:
    write(path, "#" * 100)
    with pytest.raises(KeyFileError, match=r"has more than 100 bytes"):
        AuthorizedPeers(path, KeyFileBounds(authorized_peers_bytes_max=100))


def test_a_peer_listed_while_the_node_runs_is_found(path: Path) -> None:
    peers = AuthorizedPeers(path)
    assert peers.find(ANN) is None
    authorize_peer(path, ANN, "ann", CALL)
    assert peers.find(ANN) is not None


def test_a_peer_removed_while_the_node_runs_is_not_found(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call")
    peers = AuthorizedPeers(path)
    assert peers.find(ANN) is not None
    remove_peer(path, ANN)
    assert peers.find(ANN) is None


def test_nobody_is_listed_when_the_file_is_gone(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call")
    peers = AuthorizedPeers(path)
    path.unlink()
    assert peers.find(ANN) is None


@pytest.fixture
def mistakes(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged about peers."""
    with caplog.at_level(logging.WARNING, "vista.peering"):
        yield caplog


def test_a_mistake_made_while_the_node_runs_is_logged_once_and_changes_nothing(
    path: Path, mistakes: pytest.LogCaptureFixture
) -> None:
    write(path, f"{ANN_TEXT} ann call")
    peers = AuthorizedPeers(path)
    write(path, f"{BOB_TEXT} bob call", f"{ANN_TEXT} ann")
    assert [peers.find(key) is not None for key in (ANN, BOB, ANN, BOB)] == [True, False] * 2
    assert mistakes.messages == [
        f"{path}:2:57: RIGHTS are missing; expected KEY USER RIGHTS; the peers read before stay "
        "authorized"
    ]


def test_a_mistake_that_was_mended_is_forgotten(
    path: Path, mistakes: pytest.LogCaptureFixture
) -> None:
    write(path, f"{ANN_TEXT} ann call")
    peers = AuthorizedPeers(path)
    write(path, f"{BOB_TEXT} bob")
    assert peers.find(BOB) is None
    write(path, f"{BOB_TEXT} bob call")
    assert peers.find(BOB) is not None
    assert peers.find(ANN) is None
    assert len(mistakes.messages) == 1


def test_what_others_could_have_written_is_not_read_until_the_mode_is_mended(
    path: Path, mistakes: pytest.LogCaptureFixture
) -> None:
    peers = AuthorizedPeers(path)
    write(path, EVE_LINE)
    path.chmod(0o666)
    assert peers.find(EVE) is None
    assert peers.find(EVE) is None
    assert len(mistakes.messages) == 1
    path.chmod(0o600)
    assert peers.find(EVE) is not None


def test_a_directory_opened_to_others_while_the_node_runs_is_noticed(
    path: Path, mistakes: pytest.LogCaptureFixture
) -> None:
    write(path, f"{ANN_TEXT} ann call")
    peers = AuthorizedPeers(path)
    path.parent.chmod(0o777)
    assert peers.find(ANN) is not None
    assert "chmod 700" in mistakes.messages[0]


def test_a_refusal_tells_what_to_type(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISTA_CONFIG_DIR", str(path.parent))
    refusal = Trust(OWN, "me", AuthorizedPeers(path)).refusal(EVE, "tcp 10.0.0.9:4500")
    text = key_text(EVE)
    assert refusal == (
        f"tcp 10.0.0.9:4500 has the unknown key {text}; to let it in: "
        f"vista authorize {text} USER call,create"
    )


def test_a_refusal_names_a_directory_of_its_own(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISTA_CONFIG_DIR", "/nowhere")
    refusal = Trust(OWN, "me", AuthorizedPeers(path)).refusal(EVE, "tcp 10.0.0.9:4500")
    assert refusal.endswith(f" USER call,create --directory {path.parent}")


def test_the_first_peer_makes_a_list_that_explains_itself(path: Path) -> None:
    assert authorize_peer(path, ANN, "ann", CALL) is None
    *comments, line = path.read_text().splitlines()
    assert comments and all(comment.startswith("# ") for comment in comments)
    assert line == f"{ANN_TEXT} ann call"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_first_peer_makes_the_directory(tmp_path: Path) -> None:
    path = tmp_path / "config" / "vista" / "authorized_peers"
    authorize_peer(path, ANN, "ann", CALL)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_comments_order_and_mode_stay_when_a_peer_is_changed(path: Path) -> None:
    write(path, "# one", f"{ANN_TEXT} ann call # first", "", f"  {BOB_TEXT} bob all", "# two")
    path.chmod(0o644)
    old = authorize_peer(path, ANN, "anna", frozenset({"code", "call"}))
    assert old is not None and (old.user, old.rights) == ("ann", CALL)
    assert path.read_text().splitlines() == [
        "# one",
        f"{ANN_TEXT} anna call,code # first",
        "",
        f"  {BOB_TEXT} bob all",
        "# two",
    ]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_peer_is_added_at_the_end(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call", "# end")
    authorize_peer(path, BOB, "bob", ALL_RIGHTS)
    assert path.read_text() == f"{ANN_TEXT} ann call\n# end\n{BOB_TEXT} bob all\n"


def test_a_peer_is_added_after_a_line_without_its_end(path: Path) -> None:
    path.write_text(f"{ANN_TEXT} ann call")
    authorize_peer(path, BOB, "bob", ALL_RIGHTS)
    assert path.read_text() == f"{ANN_TEXT} ann call\n{BOB_TEXT} bob all\n"


def test_only_the_line_of_the_removed_peer_goes(path: Path) -> None:
    write(path, "# one", f"{ANN_TEXT} ann call # first", f"{BOB_TEXT} bob all")
    old = remove_peer(path, ANN)
    assert old is not None and old.user == "ann"
    assert path.read_text() == f"# one\n{BOB_TEXT} bob all\n"


def test_removing_who_is_not_listed_changes_nothing(path: Path) -> None:
    assert remove_peer(path, ANN) is None
    assert not path.exists()


def test_a_list_with_a_mistake_is_not_written(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann")
    with pytest.raises(KeyFileError, match=r":1:57: RIGHTS are missing"):
        authorize_peer(path, BOB, "bob", CALL)
    assert path.read_text() == f"{ANN_TEXT} ann\n"


def test_a_list_that_others_can_change_is_not_written(path: Path) -> None:
    write(path, EVE_LINE)
    path.chmod(0o666)
    with pytest.raises(KeyFileError, match=r"chmod go-w"):
        authorize_peer(path, BOB, "bob", CALL)
    assert path.read_text() == f"{EVE_LINE}\n"


def test_a_list_kept_elsewhere_stays_there(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    write(kept / "peers", f"{ANN_TEXT} ann call")
    path.symlink_to(kept / "peers")
    authorize_peer(path, BOB, "bob", CALL)
    assert path.is_symlink()
    assert [peer.user for peer in read_peers(kept / "peers")] == ["ann", "bob"]


def test_a_list_does_not_grow_beyond_what_is_read(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann call")
    with pytest.raises(KeyFileError, match=r"would have more than 100 bytes"):
        authorize_peer(path, BOB, "bob", CALL, KeyFileBounds(authorized_peers_bytes_max=100))
    assert [peer.user for peer in read_peers(path)] == ["ann"]


def test_two_do_not_change_the_list_at_once(path: Path) -> None:
    with open(path.with_name(".authorized_peers.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(KeyFileError, match=r"is being changed by another command$"):
            authorize_peer(path, ANN, "ann", CALL, KeyFileBounds(authorize_seconds=0.01))
    assert not path.exists()
    authorize_peer(path, ANN, "ann", CALL)
    assert [peer.user for peer in read_peers(path)] == ["ann"]


def test_nothing_else_is_left_in_the_directory(path: Path) -> None:
    authorize_peer(path, ANN, "ann", CALL)
    remove_peer(path, ANN)
    assert sorted(os.listdir(path.parent)) == [".authorized_peers.lock", "authorized_peers"]


def test_whom_peers_send_as_is_known_by_the_lines_and_by_who_was_let_in(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann all")
    trust = Trust(OWN, "me", AuthorizedPeers(path))
    assert [trust.is_peers_user(user) for user in ("ann", "me", "eve")] == [True, False, False]
    trust.grant_of(OWN)
    assert not trust.is_peers_user("me")
    trust.grant_of(ANN)
    write(path, EVE_LINE)
    # What ann sent before may be carried out yet.
    assert [trust.is_peers_user(user) for user in ("ann", "me", "eve")] == [True, False, True]


def test_a_peer_that_was_listed_and_never_came_is_nobody_when_its_line_is_gone(path: Path) -> None:
    write(path, f"{ANN_TEXT} ann all")
    trust = Trust(OWN, "me", AuthorizedPeers(path))
    write(path)
    assert not trust.is_peers_user("ann")
