"""ObjectCreator, and CreateObjects running rc files on a node."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

import vista
from vista.kernel.kernel import Kernel
from vista.standard.creator import CreateObjects, ObjectCreator, boot

CLASSES = '''
from vista import Object, Ref, delete, post, register_service, self_ref

class Lamp(Object):
    """A lamp."""

    def create(self, level: int, *others: Ref):
        self.level = level
        self.others = list(others)
        if level < 0:
            raise ValueError("too dark")

    def get_level(self):
        return self.level

    def get_others(self):
        return self.others

class Diary(Object):
    """Notes what is deleted."""

    def create(self):
        self.notes = []
        register_service("Diary", self)

    def note(self, text):
        self.notes.append(text)

    def read(self):
        return self.notes

class Noted(Object):
    """Tells the diary when it is deleted."""

    def create(self, name: str):
        self.name = name

    def delete(self):
        post("Diary", "note", self.name)

class Passing(Object):
    """Is gone as soon as it is there."""

    def create(self):
        post(self_ref(self), "delete_yourself")
'''


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a class file ``lamps.py``."""
    # One content is one module whatever its file is called, so each test has a content of its own.
    (tmp_path / "lamps.py").write_text(f"{CLASSES}# {tmp_path}\n")
    return tmp_path


def run(node: vista.Node, directory: Path, text: str, *arguments: str) -> dict[str, vista.Ref]:
    """Boot a text as an rc file in a directory; returns the objects it keeps under names."""
    path = directory / "boot.rc"
    path.write_text("LoadClassFile lamps.py\n" + text)
    return node.call(boot, str(path), list(arguments))


def own_objects() -> list[str]:
    """The classes of the objects that no rc file brings by itself."""
    names = [row.class_name for row in vista.objects()]
    return [name for name in names if name != "Standard.ObjectCreator"]


def failure(node: vista.Node, directory: Path, text: str, *arguments: str) -> list[str]:
    """The mistakes for which a text is refused, without the directory's name."""
    with pytest.raises(vista.RcError) as caught:
        run(node, directory, text, *arguments)
    return str(caught.value).replace(f"{directory}/", "").splitlines()


# --- ObjectCreator -------------------------------------------------------------------------


def test_the_creator_creates_by_name(node: vista.Node) -> None:
    creator = vista.here()
    console = creator.create_object("VirtualConsole", None, "harbour")
    assert console.get_console_info()["console_id"] == "harbour"


def test_the_creator_creates_an_exact_version(node: vista.Node) -> None:
    creator = vista.here()
    made = creator.create_object(["Standard", "VirtualConsole", 0], None)
    assert vista.class_of(made) == vista.class_of(vista.create("VirtualConsole"))


def test_the_creator_guards_what_it_makes(node: vista.Node) -> None:
    creator = vista.here()
    acl = node.call(vista.make_default_acl)
    made = creator.create_object("VirtualConsole", acl)
    assert made.get_acl() == acl


def test_only_the_nodes_user_may_stop_it_through_the_creator(node: vista.Node) -> None:
    creator = vista.here()
    with pytest.raises(vista.AccessDenied, match="'alice' may not stop this node"):
        node.call(lambda: creator.shutdown(), user="alice")
    assert node.stop_reason is None


def test_the_creator_names_the_near_miss(node: vista.Node) -> None:
    creator = vista.here()
    with pytest.raises(vista.NoSuchClass) as caught:
        creator.create_object("VirtualConsol")
    assert str(caught.value) == 'no class "VirtualConsol"; did you mean VirtualConsole?'


def test_the_creator_imports_an_encoded_object(node: vista.Node, directory: Path) -> None:
    lamp = run(node, directory, "lamp = Lamp 5")["lamp"]
    data = lamp.encode_object()
    vista.delete(lamp)
    again = vista.service("ObjectCreator").import_object(data)
    assert again.get_level() == 5
    assert again == lamp


def test_a_node_has_one_creator(node: vista.Node) -> None:
    with pytest.raises(vista.ServiceTaken):
        vista.create(ObjectCreator)


# --- CreateObjects -------------------------------------------------------------------------


def test_each_line_makes_an_object(node: vista.Node, directory: Path) -> None:
    run(node, directory, "Lamp 1\nLamp 2\n")
    assert own_objects() == ["Local.Lamp", "Local.Lamp"]


def test_a_name_stands_for_the_object_on_later_lines(node: vista.Node, directory: Path) -> None:
    names = run(node, directory, "a = Lamp 1\nb = Lamp 2 $a\nc = Lamp 3 $a $b")
    assert names["c"].get_others() == [names["a"], names["b"]]


def test_objects_are_found_by_service_name_too(node: vista.Node, directory: Path) -> None:
    names = run(node, directory, "diary = Diary\nlamp = Lamp 3 Diary")
    assert names["lamp"].get_others() == [names["diary"]]


def test_arguments_of_the_file_go_into_its_lines(node: vista.Node, directory: Path) -> None:
    names = run(node, directory, "lamp = Lamp $2", "1", "7")
    assert names["lamp"].get_level() == 7


def test_arguments_of_the_command_line_are_taken_when_none_are_given(directory: Path) -> None:
    path = directory / "boot.rc"
    path.write_text("LoadClassFile lamps.py\nlamp = Lamp $1\n")
    with vista.Node(settings={"arguments": ["9"]}) as node:
        assert node.call(boot, str(path))["lamp"].get_level() == 9


def test_the_environment_can_be_extended(node: vista.Node, directory: Path) -> None:
    path = directory / "boot.rc"
    path.write_text("LoadClassFile lamps.py\nlamp = Lamp $LEVEL\n")
    runner = vista.create(CreateObjects, str(path), {"LEVEL": "8"}, None, True)
    runner.get_line_total()
    assert runner.get_names()["lamp"].get_level() == 8


def test_the_default_access_list_guards_every_object(node: vista.Node, directory: Path) -> None:
    path = directory / "boot.rc"
    path.write_text("LoadClassFile lamps.py\nlamp = Lamp 1\n")
    acl = node.call(vista.make_default_acl)
    runner = vista.create(CreateObjects, str(path), None, acl, True)
    runner.get_line_total()
    assert runner.get_names()["lamp"].get_acl() == acl


def test_lines_are_counted(node: vista.Node, directory: Path) -> None:
    path = directory / "boot.rc"
    path.write_text("# one\n\nVirtualConsole\n# four")
    assert vista.create(CreateObjects, str(path), None, None, True).get_line_total() == 4


def test_the_runner_deletes_itself_at_the_end(node: vista.Node, directory: Path) -> None:
    path = directory / "boot.rc"
    path.write_text("VirtualConsole\n")
    vista.create(CreateObjects, str(path))
    vista.wait(_gone(node.kernel, "Standard.CreateObjects"), timeout=5)
    assert own_objects() == ["Standard.VirtualConsole"]


async def _gone(kernel: Kernel, class_name: str) -> None:
    """Wait until no object of a class is left."""
    while any(r.entry.full_name == class_name for r in kernel.table.records.values()):
        await vista.aio.sleep(0)


def test_a_file_comes_from_any_object_with_read_bytes(node: vista.Node, directory: Path) -> None:
    class Tape(vista.Object):
        """A file in memory."""

        def create(self) -> None:
            """Two blocks."""
            self.blocks = [b"a = Virtual", b"Console tape\n"]

        def read_bytes(self, count: int) -> bytes:
            """The next block."""
            return self.blocks.pop(0) if self.blocks else b""

    runner = vista.create(CreateObjects, vista.create(Tape), None, None, True)
    assert runner.get_line_total() == 1
    assert runner.get_names()["a"] == vista.service("VirtualConsole:tape")


def test_an_installed_class_is_loaded_while_the_loop_goes_on(
    node: vista.Node, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = directory / "rc_lighthouse.py"
    module.write_text(
        "import threading\nimport vista\n\n"
        "class RcLighthouse(vista.Object):\n"
        "    loaded_by = threading.current_thread().name\n"
    )
    monkeypatch.syspath_prepend(directory)
    node.kernel.classes._installed = {"RcLighthouse": "rc_lighthouse"}
    made = run(node, directory, "a = RcLighthouse")
    assert made
    assert sys.modules["rc_lighthouse"].RcLighthouse.loaded_by.startswith("vista-native")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import rc_nowhere", "ModuleNotFoundError: No module named 'rc_nowhere'"),
        ("next(iter([]))", "ImportError: its module raised StopIteration"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError(7) from KeyError()", "ValueError: 7"),
    ],
    ids=["missing", "stop", "exit", "caused"],
)
def test_a_class_whose_module_cannot_be_loaded_is_a_mistake_in_its_line(
    node: vista.Node, directory: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    (directory / "rc_wreck.py").write_text(f"import vista\n{line}\n")
    monkeypatch.syspath_prepend(directory)
    node.kernel.classes._installed = {"RcWreck": "rc_wreck"}
    assert failure(node, directory, "VirtualConsole\nRcWreck") == [
        f"boot.rc:3:1: RcWreck could not be loaded: {words} (rc_wreck.py:2)"
    ]
    # What the file made before is deleted.
    assert "Standard.VirtualConsole" not in own_objects()


def test_a_class_is_not_used_before_its_module_has_run_to_its_end(
    node: vista.Node, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "rc_harbour.py").write_text(
        "import vista\n\n"
        "class RcHarbour(vista.Object):\n"
        "    def create(self):\n"
        "        self.depth = DEPTH\n\n"
        "from rc_lock import defined, opened\n"
        "defined.set()\nassert opened.wait(30)\nDEPTH = 7\n"
    )
    monkeypatch.syspath_prepend(directory)
    node.kernel.classes._installed = {"RcHarbour": "rc_harbour"}
    defined, opened = threading.Event(), threading.Event()
    lock = SimpleNamespace(defined=defined, opened=opened)
    monkeypatch.setitem(sys.modules, "rc_lock", lock)  # type: ignore[arg-type]
    path = directory / "boot.rc"
    path.write_text("harbour = RcHarbour\n")
    first = vista.create(CreateObjects, str(path), None, None, True)
    assert defined.wait(30)
    second = vista.create(CreateObjects, str(path), None, None, True)
    # What a line of the second one does at once is done.
    assert node.call(lambda: node.kernel.classes.knows("RcHarbour")) is False
    opened.set()
    assert [runner.get_line_total() for runner in (first, second)] == [1, 1]
    assert own_objects().count("Local.RcHarbour") == 2


def test_an_rc_file_runs_another_beside_it(node: vista.Node, directory: Path) -> None:
    (directory / "more.rc").write_text("VirtualConsole more\n")
    run(node, directory, "CreateObjects more.rc")
    assert vista.wait_for_service("VirtualConsole:more", timeout=5)


def test_a_class_can_be_named_with_its_version(node: vista.Node, directory: Path) -> None:
    names = run(node, directory, "a = Local.Lamp 1\nb = Local.Lamp.0 2")
    assert names["b"].get_level() == 2


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("Lmap 1", ['boot.rc:2:1: no class "Lmap"; did you mean Lamp?']),
        ("VirtualConsol", ['boot.rc:2:1: no class "VirtualConsol"; did you mean VirtualConsole?']),
        (
            "Local.Lamp.3 1",
            ['boot.rc:2:1: no class "Local.Lamp version 3"; its versions here are 0'],
        ),
        (
            "Lamp",
            ["boot.rc:2:1: Lamp needs level; expected Lamp(level: int, *others: Ref)"],
        ),
        (
            "Lamp five",
            [
                'boot.rc:2:6: level must be an int, not "five"; '
                "expected Lamp(level: int, *others: Ref)"
            ],
        ),
        (
            "Diary\nLamp 1 Dairy",
            [
                "boot.rc:3:8: others must be an object ($name, an Id or a service name): "
                "no service 'Dairy'; did you mean 'Diary'?; expected Lamp(level: int, *others: Ref)"
            ],
        ),
        (
            "Lamp 1 $lmap",
            ["boot.rc:2:8: $lmap is not set"],
        ),
        ("a = Lamp 1\n$a 5", ["boot.rc:3:1: a class name must stand here, not an object"]),
        (
            "Lamp -1",
            ["boot.rc:2:1: Lamp could not be created: ValueError: too dark (lamps.py:11)"],
        ),
        (
            "LoadClassFile nowhere.py",
            [
                "boot.rc:2:1: LoadClassFile could not be created: "
                'no class file "nowhere.py"; looked for nowhere.py'
            ],
        ),
        (
            'Lamp "1\nLamp 2\nLamp $\n',
            [
                'boot.rc:2:6: the quote opened here is not closed on this line with another "',
                r'boot.rc:4:6: a name is missing after $; the sign itself is written "\$"',
            ],
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(
    node: vista.Node,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    mistakes: list[str],
) -> None:
    monkeypatch.delenv("VISTA_PATH", raising=False)
    assert failure(node, directory, text) == mistakes


def test_a_failing_line_deletes_what_was_made_last_first(node: vista.Node, directory: Path) -> None:
    diary = run(node, directory, "diary = Diary")["diary"]
    failure(node, directory, "Noted one\nPassing\nNoted two\nLamp -1\nNoted three")
    assert diary.read() == ["two", "one"]
    assert own_objects() == ["Local.Diary", "Standard.CreateObjects"]


def test_a_failing_line_logs_nothing_when_its_caller_gets_the_mistake(
    node: vista.Node, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # What the file made is deleted, and an object that is gone already is nothing to report.
    failure(node, directory, "Passing\nLamp -1")
    assert [record.getMessage() for record in caplog.records if record.name == "vista.rc"] == []


def test_nothing_is_made_when_a_line_breaks_the_grammar(node: vista.Node, directory: Path) -> None:
    diary = run(node, directory, "diary = Diary")["diary"]
    failure(node, directory, "Noted one\n=\n")
    assert diary.read() == []


def test_keep_going_logs_each_mistake_and_makes_the_rest(
    node: vista.Node, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = directory / "boot.rc"
    path.write_text('LoadClassFile lamps.py\nLamp -1\nLamp "\na = Lamp 4\n')
    names = node.call(lambda: boot(str(path), keep_going=True))
    assert names["a"].get_level() == 4
    told = [record for record in caplog.records if record.name == "vista.rc"]
    places = [record.getMessage().removeprefix(str(path))[:5] for record in told]
    assert places == [":3:6:", ":2:1:"]


def test_a_run_that_nobody_waits_for_logs_its_mistakes(
    node: vista.Node, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "vista.rc")
    path = directory / "boot.rc"
    path.write_text("Xyzzy\n")
    vista.create(CreateObjects, str(path))
    vista.wait(_gone(node.kernel, "Standard.CreateObjects"), timeout=5)
    assert [record.getMessage() for record in caplog.records] == [f'{path}:1:1: no class "Xyzzy"']


def test_a_file_that_is_not_there_is_a_mistake(node: vista.Node) -> None:
    with pytest.raises(vista.RcError) as caught:
        node.call(boot, "/nowhere/boot.rc")
    assert str(caught.value) == "/nowhere/boot.rc: No such file or directory"


def test_a_file_that_is_no_text_is_a_mistake(node: vista.Node, tmp_path: Path) -> None:
    path = tmp_path / "boot.rc"
    path.write_bytes(b"A\nB \xff\n")
    with pytest.raises(vista.RcError) as caught:
        node.call(boot, str(path))
    assert str(caught.value) == f"{path}:2:3: from here on this is not UTF-8 text"


def test_a_file_without_end_is_a_mistake(node: vista.Node) -> None:
    with pytest.raises(vista.RcError) as caught:
        node.call(boot, "/dev/zero")
    assert str(caught.value) == "/dev/zero: longer than the 1048576 bytes an rc file may have"


def test_an_object_that_gives_bytes_without_end_is_a_mistake(node: vista.Node) -> None:
    class Spring(vista.Object):
        """Never runs dry."""

        def read_bytes(self, count: int) -> bytes:
            """As much as is asked for."""
            return bytes(count)

    runner = vista.create(CreateObjects, vista.create(Spring), None, None, True)
    with pytest.raises(vista.RcError, match="longer than the 1048576 bytes"):
        runner.get_line_total()


def test_killing_the_run_ends_the_wait_for_it(node: vista.Node, directory: Path) -> None:
    (directory / "slow.py").write_text(
        "import vista\n"
        "class RcSlow(vista.Object):\n"
        "    def create(self):\n"
        "        vista.register_service('RcSlow', self)\n"
        "        vista.sleep(60)\n"
    )
    path = directory / "boot.rc"
    path.write_text("LoadClassFile slow.py\nRcSlow\n")
    runner = vista.create(CreateObjects, str(path), None, None, True)
    waiting = runner.get_line_total.future()
    vista.wait_for_service("RcSlow", timeout=5)
    (thread,) = [row for row in vista.threads() if row.method == "process_file"]
    vista.kill(thread.id)
    with pytest.raises(vista.ThreadKilled):
        waiting.result(timeout=5)
