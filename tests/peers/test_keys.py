"""Key files and directories: made at first use, refused when others can get at them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vista.errors import KeyFileError
from vista.peering.curve import make_key_pair, public_key_of
from vista.peering.keys import (
    KeyFileBounds,
    KeyPair,
    check_socket_directory,
    config_directory,
    load_key,
    load_or_make_key,
    make_key,
    make_socket_directory,
    socket_directory,
    write_whole,
)
from vista.peering.urls import key_text

HOME = Path("/home/ann")
OTHER_USER = 12345
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of keys that is not there yet."""
    return tmp_path / "config" / "vista"


@pytest.fixture
def sockets(tmp_path: Path) -> Path:
    """A directory of sockets that is not there yet."""
    return tmp_path / "run"


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Any file mode mask a user may have."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "/home/ann/.config/vista"),
        ({"XDG_CONFIG_HOME": "/etc/xdg"}, "/etc/xdg/vista"),
        ({"XDG_CONFIG_HOME": "relative"}, "/home/ann/.config/vista"),
        ({"VISTA_CONFIG_DIR": "/srv/keys", "XDG_CONFIG_HOME": "/etc/xdg"}, "/srv/keys"),
        ({"VISTA_CONFIG_DIR": ""}, "/home/ann/.config/vista"),
    ],
)
def test_keys_live_where_the_environment_says(environment: dict[str, str], expected: str) -> None:
    assert config_directory(environment, HOME) == Path(expected)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "/tmp/vista-1000"),
        ({"XDG_RUNTIME_DIR": "/run/user/1000"}, "/run/user/1000/vista"),
        ({"XDG_RUNTIME_DIR": "relative"}, "/tmp/vista-1000"),
    ],
)
def test_sockets_live_where_the_environment_says(
    environment: dict[str, str], expected: str
) -> None:
    assert socket_directory(environment, Path("/tmp"), 1000) == Path(expected)


def test_a_key_pair_belongs_together() -> None:
    public, secret = make_key_pair()
    assert (len(public), len(secret)) == (32, 32)
    assert public_key_of(secret) == public != secret


def test_the_first_use_makes_a_key_and_the_next_finds_it(directory: Path) -> None:
    made = load_or_make_key(directory)
    assert load_or_make_key(directory) == load_key(directory) == made
    assert public_key_of(made.secret) == made.public


def test_without_a_key_there_is_none_to_load(directory: Path) -> None:
    assert load_key(directory) is None
    assert not directory.exists()


@pytest.mark.usefixtures("umask")
def test_only_the_user_can_read_a_key_that_was_made(directory: Path) -> None:
    load_or_make_key(directory)
    assert mode(directory) == 0o700
    assert mode(directory / "secret_key") == 0o600
    assert mode(directory / "public_key") == 0o644
    assert sorted(os.listdir(directory)) == ["public_key", "secret_key"]


def test_the_public_key_lies_beside_the_secret_one(directory: Path) -> None:
    pair = load_or_make_key(directory)
    assert (directory / "public_key").read_text() == f"{key_text(pair.public)}\n"


def test_the_secret_file_says_what_it_is(directory: Path) -> None:
    pair = load_or_make_key(directory)
    *comments, line = (directory / "secret_key").read_text().splitlines()
    assert comments and all(comment.startswith("# ") for comment in comments)
    assert line == f"vista-secret-1 {key_text(pair.secret)}"


@pytest.mark.parametrize("stale", [None, "of another key\n"])
def test_a_secret_key_copied_here_brings_its_public_key(
    directory: Path, tmp_path: Path, stale: str | None
) -> None:
    pair = load_or_make_key(directory)
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    write_whole(copy / "secret_key", (directory / "secret_key").read_text(), 0o600, replace=False)
    if stale is not None:
        (copy / "public_key").write_text(stale)
    assert load_or_make_key(copy) == pair
    assert (copy / "public_key").read_text() == f"{key_text(pair.public)}\n"


def test_a_pair_is_shown_without_its_secret() -> None:
    pair = KeyPair(*make_key_pair())
    for shown in (repr(pair), str(pair), f"{pair}"):
        assert repr(pair.secret) not in shown
        assert key_text(pair.secret) not in shown


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
def test_a_secret_key_that_others_can_use_is_refused_with_what_mends_it(
    directory: Path, bits: int
) -> None:
    load_or_make_key(directory)
    path = directory / "secret_key"
    path.chmod(bits)
    with pytest.raises(KeyFileError) as caught:
        load_or_make_key(directory)
    assert f"{path} has mode {bits:04o}" in str(caught.value)
    assert str(caught.value).endswith(f"; mend it: chmod 600 {path}")


def test_what_mends_a_secret_key_does(directory: Path) -> None:
    pair = load_or_make_key(directory)
    (directory / "secret_key").chmod(0o644)
    with pytest.raises(KeyFileError):
        load_key(directory)
    (directory / "secret_key").chmod(0o600)
    assert load_key(directory) == pair


def test_the_command_that_mends_is_quoted_for_the_shell(tmp_path: Path) -> None:
    directory = tmp_path / "my keys"
    load_or_make_key(directory)
    (directory / "secret_key").chmod(0o644)
    with pytest.raises(KeyFileError) as caught:
        load_key(directory)
    assert str(caught.value).endswith(f"chmod 600 '{directory}/secret_key'")


@pytest.mark.parametrize("bits", [0o720, 0o702, 0o770])
def test_a_directory_where_others_can_put_keys_is_refused(directory: Path, bits: int) -> None:
    load_or_make_key(directory)
    directory.chmod(bits)
    with pytest.raises(KeyFileError) as caught:
        load_or_make_key(directory)
    assert str(caught.value).endswith(f"mend it: chmod 700 {directory}")


@only_root
@pytest.mark.parametrize("name", [".", "secret_key"])
def test_keys_of_another_user_are_refused(directory: Path, name: str) -> None:
    load_or_make_key(directory)
    os.chown(directory / name, OTHER_USER, -1)
    with pytest.raises(KeyFileError) as caught:
        load_or_make_key(directory)
    assert f"{directory / name} belongs to user {OTHER_USER}" in str(caught.value)
    assert f"sudo chown {os.geteuid()} {directory / name}" in str(caught.value)


TEXT = key_text(bytes(range(32)))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# only a comment\n",
        f"{TEXT}\n",
        f"vista-secret-1 {TEXT[:-1]}\n",
        f"vista-secret-1 {TEXT}a\n",
        f"vista-secret-1 {TEXT[:-1]}b\n",
        f"vista-secret-1 {TEXT.upper()}\n",
        f"vista-secret-2 {TEXT}\n",
        f"vista-secret-1 {TEXT}\nvista-secret-1 {TEXT}\n",
        "\x00" * 100,
    ],
)
def test_a_damaged_secret_key_is_refused_and_not_repeated(directory: Path, content: str) -> None:
    pair = load_or_make_key(directory)
    path = directory / "secret_key"
    path.write_text(content)
    with pytest.raises(KeyFileError) as caught:
        load_or_make_key(directory)
    assert str(caught.value).startswith(f"{path} is damaged")
    assert "vista keygen --force" in str(caught.value)
    assert TEXT[:12] not in str(caught.value)
    assert path.read_text() == content
    assert (directory / "public_key").read_text() == f"{key_text(pair.public)}\n"


def test_a_secret_key_may_end_its_lines_as_other_systems_do(directory: Path) -> None:
    pair = load_or_make_key(directory)
    path = directory / "secret_key"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_key(directory) == pair


def test_a_secret_key_that_is_no_text_is_refused_with_the_place(directory: Path) -> None:
    load_or_make_key(directory)
    path = directory / "secret_key"
    path.write_bytes(b"# a\n# b\xff\n")
    with pytest.raises(KeyFileError, match=rf"^{path}:2:4: not a text in UTF-8$"):
        load_key(directory)


def test_a_large_file_is_not_read_for_a_key(directory: Path) -> None:
    load_or_make_key(directory)
    (directory / "secret_key").write_text("#" * 101)
    with pytest.raises(KeyFileError, match=r"has more than 100 bytes"):
        load_key(directory, KeyFileBounds(key_file_bytes_max=100))


def test_a_pipe_in_place_of_a_key_is_not_waited_for(directory: Path) -> None:
    load_or_make_key(directory)
    (directory / "secret_key").unlink()
    os.mkfifo(directory / "secret_key", 0o600)
    with pytest.raises(KeyFileError, match=r"secret_key is no file"):
        load_key(directory)


def test_a_directory_that_cannot_be_made_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "vista").symlink_to(tmp_path / "nothing")
    with pytest.raises(KeyFileError, match=r"cannot be made: .*; name another one: export VISTA_"):
        load_or_make_key(tmp_path / "vista")


def test_of_two_that_make_a_key_the_second_finds_the_first(directory: Path) -> None:
    load_or_make_key(directory)
    path = directory / "secret_key"
    before = path.read_text()
    assert write_whole(path, "another", 0o600, replace=False) is False
    assert path.read_text() == before
    assert sorted(os.listdir(directory)) == ["public_key", "secret_key"]


def test_a_key_is_made_over_another_only_by_force(directory: Path) -> None:
    first = make_key(directory, replace=False)
    with pytest.raises(KeyFileError, match=r"secret_key exists.* --force"):
        make_key(directory, replace=False)
    assert load_key(directory) == first
    second = make_key(directory, replace=True)
    assert load_key(directory) == second != first
    assert (directory / "public_key").read_text() == f"{key_text(second.public)}\n"


def test_force_mends_a_damaged_key_that_others_can_read(directory: Path) -> None:
    load_or_make_key(directory)
    path = directory / "secret_key"
    path.write_text("damaged")
    path.chmod(0o644)
    assert make_key(directory, replace=True) == load_key(directory)
    assert mode(path) == 0o600


@pytest.mark.usefixtures("umask")
def test_a_socket_directory_is_made_for_the_user_alone(sockets: Path) -> None:
    assert make_socket_directory(sockets) == sockets
    assert mode(sockets) == 0o700
    assert make_socket_directory(sockets) == sockets


@pytest.mark.parametrize("bits", [0o710, 0o701, 0o750, 0o777])
def test_a_socket_directory_that_others_can_enter_is_refused(sockets: Path, bits: int) -> None:
    sockets.mkdir()
    sockets.chmod(bits)
    with pytest.raises(KeyFileError) as caught:
        make_socket_directory(sockets)
    assert str(caught.value).endswith(f"mend it: chmod 700 {sockets}")
    assert mode(sockets) == bits


def test_a_link_in_place_of_the_socket_directory_is_refused(sockets: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    sockets.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match=r"is a symbolic link; remove it: rm "):
        make_socket_directory(sockets)


def test_a_link_to_nothing_in_place_of_the_socket_directory_is_refused(sockets: Path) -> None:
    sockets.symlink_to(sockets.with_name("nothing"))
    with pytest.raises(KeyFileError, match=r"is a symbolic link; remove it: rm "):
        make_socket_directory(sockets)


def test_a_file_in_place_of_the_socket_directory_is_refused(sockets: Path) -> None:
    sockets.write_text("")
    with pytest.raises(KeyFileError, match=r"is no directory; remove it: rm "):
        make_socket_directory(sockets)


@only_root
def test_a_socket_directory_that_another_user_made_first_is_refused(sockets: Path) -> None:
    sockets.mkdir(mode=0o700)
    os.chown(sockets, OTHER_USER, -1)
    with pytest.raises(KeyFileError, match=r"belongs to user 12345.* export XDG_RUNTIME_DIR=PATH"):
        make_socket_directory(sockets)


def test_a_socket_directory_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "run").mkdir(parents=True, mode=0o700)
    shared.chmod(0o777)
    with pytest.raises(KeyFileError) as caught:
        check_socket_directory(shared / "run")
    assert str(caught.value).endswith(f"mend it: chmod go-w {shared}")
    shared.chmod(0o1777)
    check_socket_directory(shared / "run")


@only_root
def test_a_socket_directory_below_that_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "run").mkdir(parents=True)
    (tmp_path / "theirs" / "run").chmod(0o700)
    os.chown(tmp_path / "theirs", OTHER_USER, -1)
    with pytest.raises(KeyFileError, match=r"theirs above it belongs to user 12345"):
        check_socket_directory(tmp_path / "theirs" / "run")


def test_a_socket_directory_that_cannot_be_made_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"cannot be made: No such file .* export XDG_RUNTIME_"):
        make_socket_directory(tmp_path / "nothing" / "vista")


def test_a_socket_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nothing: No such file or directory$"):
        check_socket_directory(tmp_path / "nothing")
