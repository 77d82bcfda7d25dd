"""The source of vista, of its apps and of their tests keeps the house rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.house import import_rules, rules
from tests.house.source import ROOT, Source, read_sources, within

Rule = Callable[[Source], list[str]]
WholeRule = Callable[[list[Source]], list[str]]

PRODUCT = read_sources("vista", "apps")
# The rules themselves name what they forbid.
TESTS = [source for source in read_sources("tests") if not within(source.module, ("tests.house",))]
TEXTS = [
    Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    for pattern in ("docs/**/*.rst", "docs/*.py", "rc/*", "benchmarks/**/*.py", "*.md", "Makefile")
    for path in sorted(ROOT.glob(pattern))
    if path.is_file() and "_build" not in path.parts
]


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """Let the trees go at the end.

    They are two million objects, through which each full collection of the process would go: it
    takes two seconds with them.
    """
    yield
    for source in (*PRODUCT, *TESTS):
        source.forget()


def assert_none(violations: list[str]) -> None:
    """Fail with every violation on a line of its own."""
    assert not violations, "\n" + "\n".join(violations)


@pytest.mark.parametrize(
    "rule",
    [
        rules.module_length,
        rules.function_length,
        rules.vague_names,
        rules.missing_docstrings,
        rules.changing_state,
        rules.swallowed_errors,
        import_rules.relative_imports,
        import_rules.foreign_imports,
        import_rules.worldly_cores,
    ],
)
def test_each_module_keeps_the_rule(rule: Rule) -> None:
    assert_none([violation for source in PRODUCT for violation in rule(source)])


@pytest.mark.parametrize(
    "rule",
    [
        import_rules.upward_imports,
        import_rules.app_imports,
        import_rules.http_upward_imports,
        import_rules.starship_upward_imports,
        import_rules.import_cycles,
    ],
)
def test_modules_together_keep_the_rule(rule: WholeRule) -> None:
    assert_none(rule(PRODUCT))


@pytest.mark.parametrize("rule", [rules.leftovers, rules.machine_paths])
def test_no_text_leaves_traces_of_the_work(rule: Rule) -> None:
    texts = [*PRODUCT, *TESTS, *TEXTS]
    assert_none([violation for source in texts for violation in rule(source)])


def test_tests_sleep_in_virtual_time_only() -> None:
    patient = [source for source in TESTS if not within(source.module, ("tests.live",))]
    assert_none([violation for source in patient for violation in rules.sleeping_tests(source)])


def test_tests_use_no_mocks() -> None:
    assert_none([violation for source in TESTS for violation in rules.mocking_tests(source)])


def test_apps_is_a_namespace_that_does_no_work() -> None:
    assert not (ROOT / "apps" / "__init__.py").exists()


def test_each_folder_of_tests_is_a_package() -> None:
    # Two test files of one name in different folders would otherwise be taken for the same module.
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    lone = [folder for folder in folders if not (folder / "__init__.py").exists()]
    assert_none(sorted(f"{folder.relative_to(ROOT)} has no __init__.py" for folder in lone))
