"""What the client remembers of a site."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from apps.starship.terminal.address import Address
from apps.starship.terminal.keeping import Kept, data_folder, file_of, read_kept, write_kept

HOME = Address("http", "localhost", 4321)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = file_of(tmp_path / "a" / "b", HOME)
    kept = Kept({"starship-captain": "secret"}, "Bounty")
    write_kept(file, kept)
    assert read_kept(file) == kept


def test_nobody_else_reads_the_file_or_its_folder(tmp_path: Path) -> None:
    file = file_of(tmp_path / "starship", HOME)
    write_kept(file, Kept({"starship-captain": "secret"}))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    file = file_of(tmp_path, HOME)
    file.write_text("{}")
    file.chmod(0o644)
    write_kept(file, Kept())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_each_site_has_a_file_of_its_own(tmp_path: Path) -> None:
    names = {
        file_of(tmp_path, address).name
        for address in (HOME, HOME._replace(port=1), HOME._replace(scheme="https"),
                        HOME._replace(host="::1"), HOME._replace(host="../../etc/passwd"))
    }  # fmt: skip
    assert len(names) == 5
    assert not any("/" in name for name in names)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "{}", '{"cookies": 7}', '{"cookies": {"a": 1}}',
     '{"cookies": {"a\\r\\n": "b"}}', '{"cookies": {"a": "b\\r\\nX: y"}}',
     '{"cookies": {"a": "b; c=d"}}', '{"cookies": {}, "ship": 7}',
     '{"cookies": {}, "ship": "\\ud800"}', "[" * 100_000],
    ids=["empty", "nonsense", "list", "object", "number", "value", "name", "line", "two", "ship",
         "name-of-ship", "deep"],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_is_nothing(text: str, tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    file.write_text(text)
    assert read_kept(file) == Kept()


def test_without_a_file_nothing_is_remembered(tmp_path: Path) -> None:
    assert read_kept(tmp_path / "none.json") == Kept()


def test_the_folder_is_below_the_users_data_or_the_home(tmp_path: Path) -> None:
    given = data_folder({"XDG_DATA_HOME": str(tmp_path), "HOME": "/home/ada"})
    assert given == tmp_path / "vista" / "starship"
    home = Path("/home/ada/.local/share/vista/starship")
    assert data_folder({"HOME": "/home/ada"}) == home
    assert data_folder({"XDG_DATA_HOME": "relative", "HOME": "/home/ada"}) == home


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_kept(tmp_path / "file" / "site.json", Kept())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
