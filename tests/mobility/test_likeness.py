"""Likenesses: classes of one name and version are told apart by what their methods do."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import vista
from tests.hash_seeds import printed_under
from vista.mobility.likeness import LIKENESS_BYTES, are_alike, likeness_of, python_tag

PLAIN = "class Made:\n    def add(self, n):\n        return n + 1\n"

ALIKE = {
    "comment": "class Made:\n    # A comment.\n\n    def add(self, n):  # and one more\n"
    "        return n + 1\n",
    "variable of the class": "class Made:\n    count = 7\n    def add(self, n):\n"
    "        return n + 1\n",
    "docstring": PLAIN.replace("n):\n", "n):\n        'It adds.'\n"),
    "import for the compiler": f"from __future__ import annotations\n{PLAIN}",
    "place": "\n" * 300 + PLAIN,
}

INNER = """
class Made:
    def add(self, n):
        'It adds.'
        def more():
            'It takes one more.'
            print(n)
        class Inner:
            'It keeps n.'
            def keep(self):
                self.n = n
        return more, Inner
"""

OTHER = {
    "constant": PLAIN.replace("1", "2"),
    "name": PLAIN.replace("add", "take"),
    "argument": PLAIN.replace("self, n", "self, n, m=None"),
    "way to give an argument": PLAIN.replace("self, n", "self, n, /"),
    "name of an argument that has to be given": PLAIN.replace("self, n", "self, *, n"),
    "method": f"{PLAIN}    def more(self):\n        return 1\n",
    "static method": f"{PLAIN}    @staticmethod\n    def more():\n        return 1\n",
    "property": f"{PLAIN}    @property\n    def more(self):\n        return 1\n",
    "inner function": "class Made:\n    def add(self, n):\n        return (lambda: n + 1)()\n",
    "inherited": f"class Above:\n    def more(self):\n        return 1\n{PLAIN}".replace(
        "class Made", "class Made(Above)"
    ),
}


def made(source: str, path: str = "somewhere") -> Any:
    space: dict[str, Any] = {"__name__": "somewhere"}
    exec(compile(source, path, "exec", dont_inherit=True), space)
    return space["Made"]


@pytest.mark.parametrize("source", ALIKE.values(), ids=ALIKE)
def test_what_changes_nothing_that_methods_do_makes_no_other_class(source: str) -> None:
    assert likeness_of(made(source)) == likeness_of(made(PLAIN))


@pytest.mark.parametrize("word", ["It adds.", "It takes one more.", "It keeps n."])
def test_what_docstrings_say_does_not_count(word: str) -> None:
    assert likeness_of(made(INNER)) == likeness_of(made(INNER.replace(word, "It is another.")))


@pytest.mark.parametrize("word", ["It adds.", "It takes one more."])
def test_whether_there_are_docstrings_does_not_count(word: str) -> None:
    assert likeness_of(made(INNER)) == likeness_of(made(INNER.replace(f"'{word}'", "")))


def test_where_a_class_is_installed_does_not_count() -> None:
    assert likeness_of(made(INNER)) == likeness_of(made("\n" * 300 + INNER, "elsewhere"))


def test_a_method_that_ran_often_is_the_same() -> None:
    source = "class Made:\n    def add(self, n):\n        for k in range(n):\n            n += k\n"
    hot = made(source)
    for _ in range(20):
        hot().add(100)
    assert likeness_of(hot) == likeness_of(made(source))


def test_a_variable_that_answers_to_any_name_is_no_method() -> None:
    class Any_:
        def __call__(self) -> None: ...

        def __getattr__(self, name: str) -> Any_:
            return self

    other = made(PLAIN)
    other.answering = Any_()
    assert likeness_of(other) == likeness_of(made(PLAIN))


@pytest.mark.parametrize("source", OTHER.values(), ids=OTHER)
def test_what_changes_what_methods_do_makes_another_class(source: str) -> None:
    assert not are_alike(likeness_of(made(source)), likeness_of(made(PLAIN)))


def test_a_class_of_vista_has_no_likeness_and_is_like_any() -> None:
    assert likeness_of(vista.Object) == b""
    assert are_alike(b"", likeness_of(made(PLAIN)))
    assert are_alike(likeness_of(made(PLAIN)), b"")


def test_code_of_another_python_is_not_compared() -> None:
    own = likeness_of(made(PLAIN))
    assert len(own) == LIKENESS_BYTES
    assert are_alike(own, bytes([3, 9, 0]) + own[3:-1] + b"x")
    assert not are_alike(own, own[:-1] + bytes([own[-1] ^ 1]))


@pytest.mark.parametrize(
    "other",
    [
        ("cpython-312", (3, 11, 7), 0),
        ("cpython-311", (3, 11, 8), 0),
        ("cpython-311", (3, 11, 7), 1),
    ],
    ids=["implementation", "release", "optimisation"],
)
def test_each_of_what_makes_another_python_is_told(other: Any) -> None:
    assert python_tag(*other) != python_tag("cpython-311", (3, 11, 7), 0)


def test_a_likeness_says_the_python_that_it_is_of() -> None:
    tag = python_tag(sys.implementation.cache_tag, sys.version_info[:3], sys.flags.optimize)
    assert likeness_of(made(PLAIN))[:3] == tag


def test_another_process_finds_the_same() -> None:
    word = "import tests.mobility.test_likeness as it; print(it.likeness_of(it.Sets).hex())"
    for seed in ("1", "2"):
        assert printed_under(seed, "-c", word).strip() == likeness_of(Sets).hex()


class Sets:
    """Has a constant whose order depends on the process."""

    def holds(self, word: str) -> bool:
        return word in {"one", "two", "three", "four"}
