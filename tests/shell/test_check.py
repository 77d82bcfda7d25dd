"""``vista check``: rc files and every mistake in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vista.shell.check import check_file

CLASSES = """
from vista import Object, Ref
from elsewhere import Base

raise SystemExit("a check runs no class file")

class Lamp(Object):
    def create(self, level: int, *others: Ref): pass

class Chandelier(Base): pass
"""

LAMP = "expected Lamp(level: int, *others: Ref)"


def check(directory: Path, text: str, *arguments: str) -> list[str]:
    """The mistakes of a text, without the directory's name."""
    (directory / "lamps.py").write_text(CLASSES)
    (directory / "bad.py").write_text("x = 1\nclass (:\n")
    (directory / "none.py").write_text("x = 1\n")
    path = directory / "boot.rc"
    path.write_text(text)
    found = check_file(str(path), arguments, {"HOME": "/home/ada"})
    return [mistake.replace(f"{directory}/", "") for mistake in found]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LoadClassFile lamps.py\nLamp 1",
        "LoadClassFile file:lamps.py\nLocal.Lamp 1",
        "LoadClassFile lamps.py\na = Lamp 1\nLamp 2 $a",
        "LoadClassFile lamps.py\nLamp 1 SomeServiceOfLater",
        "LoadClassFile lamps.py\nLamp $1",
        "LoadClassFile lamps.py\nLamp $*",
        "LoadClassFile lamps.py\nChandelier any number of arguments",
        "AutomaticClassLoader .\nLamp 1",
        "AutomaticClassLoader . peers:\nLamp 1\nLantern of a peer",
        "VirtualConsole $HOME 5",
        "$1 2 3",
    ],
)
def test_a_file_in_order_has_no_mistakes(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("Lantern\nAutomaticClassLoader peers:", ['boot.rc:1:1: no class "Lantern"']),
        ("Lamp 1", ['boot.rc:1:1: no class "Lamp"']),
        ("TimerEvnt", ['boot.rc:1:1: no class "TimerEvnt"; did you mean TimerEvent?']),
        (
            "LoadClassFile lamps.py\nLmap 1",
            ['boot.rc:2:1: no class "Lmap"; did you mean Lamp?'],
        ),
        ("LoadClassFile lamps.py\nLamp", [f"boot.rc:2:1: Lamp needs level; {LAMP}"]),
        (
            "LoadClassFile lamps.py\nLamp high",
            [f'boot.rc:2:6: level must be an int, not "high"; {LAMP}'],
        ),
        (
            "LoadClassFile lamps.py\na = Lamp 1\nLamp $a",
            [f"boot.rc:3:6: level must be an int, not an object; {LAMP}"],
        ),
        ("LoadClassFile bad.py", ["boot.rc:1:15: bad.py:2:7: invalid syntax"]),
        (
            "LoadClassFile none.py",
            ["boot.rc:1:15: no object class in none.py; write class Name(vista.Object)"],
        ),
        (
            "LoadClassFile nowhere.py",
            ['boot.rc:1:15: no class file "nowhere.py"; looked for nowhere.py'],
        ),
        (
            "AutomaticClassLoader nowhere",
            ['boot.rc:1:22: no directory "nowhere" to look for class files in'],
        ),
        ("a = VirtualConsole\n$a", ["boot.rc:2:1: a class name must stand here, not an object"]),
        ("VirtualConsole $HOMME", ["boot.rc:1:16: $HOMME is not set; did you mean HOME?"]),
        ("VirtualConsole $a\na = VirtualConsole", ["boot.rc:1:16: $a is not set"]),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, mistakes: list[str]) -> None:
    assert check(tmp_path, text) == mistakes


def test_every_mistake_is_found_in_one_go_in_order(tmp_path: Path) -> None:
    text = (
        "LoadClassFile lamps.py\n"
        "a = Lamp\n"
        "b = Lmap 1\n"
        "Lamp x $a $b $c\n"
        'VirtualConsole "open\n'
        "= 5\n"
        "VirtualConsole a many 5 6\n"
    )
    places = [mistake.split(" ")[0] for mistake in check(tmp_path, text)]
    assert places == [
        "boot.rc:2:5:",
        "boot.rc:3:5:",
        "boot.rc:4:6:",
        "boot.rc:4:14:",
        "boot.rc:5:16:",
        "boot.rc:6:1:",
        "boot.rc:7:18:",
        "boot.rc:7:25:",
    ]


def test_arguments_that_are_given_are_checked(tmp_path: Path) -> None:
    text = "LoadClassFile lamps.py\nLamp $1\nLamp $2"
    assert check(tmp_path, text, "x") == [
        f'boot.rc:2:6: level must be an int, not "x"; {LAMP}',
        "boot.rc:3:6: $2 is not set: 1 argument was given after the file's name",
    ]


def test_a_file_that_is_not_there_is_the_only_mistake() -> None:
    assert check_file("/nowhere/a.rc", (), {}) == ["/nowhere/a.rc: No such file or directory"]
