"""Every row of the benchmarks runs and measures work that was done. No figure is judged here."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import (
    growth,
    pbft,
    solidstate,
    solidstate_files,
    solidstate_plots,
    starship,
    starship_ceiling,
)
from benchmarks.erlang import between_nodes
from benchmarks.erlang import subject as erlang
from benchmarks.measure import (
    NANOSECONDS,
    THOUSANDS_A_SECOND,
    NothingMeasuredError,
    Result,
    Row,
    Subject,
    at_least,
    expect,
    measure,
    per_second,
    quartiles,
    times_faster,
    times_the_time,
)
from benchmarks.report import (
    HEADINGS,
    as_values,
    cells,
    circumstances,
    rst_table,
    surroundings,
)
from benchmarks.rows import GROUPS, World, all_rows
from benchmarks.variants import without


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@pytest.mark.timeout(300)  # Dozens of processes are started, each of which imports everything.
@pytest.mark.parametrize("group", GROUPS)
def test_every_row_runs_with_the_least_work(world: World, group: str) -> None:
    rows = [row for row in all_rows(world) if row.group == group]
    assert rows
    for row in rows:
        if row.reference is not None and "Pykka" in row.reference.name and not _has("pykka"):
            # Pykka comes with `make bench` only; our side of the row runs all the same.
            row = replace(row, reference=None, erlang=None, targets=())
        result = measure(row, row.least, 1)
        figures = [*result.ours, *result.reference, *result.erlang]
        assert figures and all(math.isfinite(figure) for figure in figures), row.name
        assert len(cells(result)) == len(HEADINGS)


def test_rows_have_names_of_their_own(world: World) -> None:
    names = [row.name for row in all_rows(world)]
    assert len(names) == len(set(names))


def test_work_that_was_not_done_is_no_figure() -> None:
    with pytest.raises(NothingMeasuredError, match="expected 5, found 4"):
        expect(4, 5)


def test_rounds_run_the_subjects_in_alternating_order() -> None:
    order: list[str] = []

    def subject(name: str) -> Subject:
        def run(count: int) -> float:
            order.append(name)
            return 1.0

        return Subject(name, run)

    measure(Row("row", subject("ours"), subject("reference")), 1, 3)
    assert order == ["ours", "reference", "reference", "ours", "ours", "reference"]


def test_ratios_are_taken_within_a_round() -> None:
    # A machine half as fast in the second round changes no ratio.
    assert quartiles([4.0, 8.0, 4.0], [2.0, 4.0, 2.0]) == (2.0, 2.0, 2.0)


def _result(ours: float, reference: float, *targets: object) -> Result:
    row = Row("row", Subject("a", float), Subject("b", float), targets=targets)  # type: ignore[arg-type]
    return Result(row, [ours] * 3, [reference] * 3)


@pytest.mark.parametrize(("ours", "is_met"), [(0.5e-6, True), (0.51e-6, False)])
def test_a_target_in_times_the_reference_is_judged_by_the_ratio(ours: float, is_met: bool) -> None:
    assert _result(ours, 1e-6, times_faster(2)).is_met is is_met


@pytest.mark.parametrize(("ours", "is_met"), [(1.5e-6, True), (1.51e-6, False)])
def test_a_target_in_times_the_time_allows_no_more(ours: float, is_met: bool) -> None:
    assert _result(ours, 1e-6, times_the_time(1.5)).is_met is is_met


def test_a_row_with_two_targets_must_reach_both() -> None:
    assert not _result(2e-6, 1e-6, per_second(300_000), times_the_time(1.5)).is_met


def test_the_table_says_pass_or_miss() -> None:
    found = cells(_result(1e-6, 3e-6, times_faster(2)))
    assert found[:7] == (
        "row", "1,000 ns", "b", "3,000 ns", "3 (3..3)", "2 x the reference", "pass",
    )  # fmt: skip
    assert len(found) == len(HEADINGS) and NANOSECONDS.name in found[1]


def test_the_table_says_of_each_target_what_became_of_it_where_they_differ() -> None:
    def verdict(*targets: object) -> str:
        return cells(_result(2e-6, 3e-6, *targets))[6]

    slow, quick = per_second(600_000), times_the_time(1.0)
    assert verdict(slow, quick) == "miss, pass" and verdict(quick, slow) == "pass, miss"
    assert verdict(quick, quick) == "pass" and verdict(slow, slow) == "miss" and verdict() == ""


def test_the_page_of_the_docs_has_one_line_for_each_cell() -> None:
    table = rst_table([_result(1e-6, 3e-6)], circumstances(surroundings(), "2026-11-21"))
    assert table.startswith("Measured 2026-11-21 with Python 3.")
    assert table.count("   * -") == 2
    assert table.count("     -") == 2 * (len(HEADINGS) - 1)


def test_a_rate_is_shown_by_what_is_done_in_a_second() -> None:
    row = Row("row", Subject("a", float), unit=THOUSANDS_A_SECOND)
    assert cells(Result(row, [4e-6] * 3))[1] == "250 k/s"


@pytest.mark.parametrize(("seconds", "is_met"), [(4e-6, True), (4.1e-6, False)])
def test_a_target_in_a_rate_is_the_least_that_is_done(seconds: float, is_met: bool) -> None:
    assert _result(seconds, 1e-6, at_least(250, THOUSANDS_A_SECOND)).is_met is is_met


def test_json_keeps_every_figure() -> None:
    values = json.loads(json.dumps(as_values(_result(1e-6, 3e-6))))
    assert values["vista"] == [1e-6] * 3 and values["reference"]["figures"] == [3e-6] * 3


def test_the_command_prints_the_rows_asked_for_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(["--quick", "--only", "through a Ref"], tmp_path)
    printed = capsys.readouterr().out
    assert "the same through a Ref" in printed and "in flight" not in printed
    [file] = tmp_path.iterdir()
    assert [row["row"] for row in json.loads(file.read_text())["rows"]] == [
        "the same through a Ref"
    ]


def test_a_group_is_asked_for_by_its_name(world: World) -> None:
    wanted = [row for row in all_rows(world) if command._is_wanted(row, "persistence")]
    assert wanted and {row.group for row in wanted} == {"persistence"}


def test_growth_is_measured_and_written_for_the_docs(tmp_path: Path) -> None:
    command.main(["--quick", "--only", "growth", "--docs"], tmp_path / "results", tmp_path)
    [table] = tmp_path.glob("*.txt")
    lines = table.read_text().splitlines()
    plan = growth.QUICK
    assert table.name == "benchmarks-growth.txt"
    assert sum(line == "   * - full mesh" for line in lines) == len(plan.nodes + plan.services)
    assert sum(line == "   * - chain" for line in lines) == len(plan.nodes + plan.services)
    [file] = (tmp_path / "results").iterdir()
    found = json.loads(file.read_text())["growth"]
    assert len(found) == 2 * len(plan.nodes + plan.services)
    assert all(row["hops"] == row["nodes"] - 1 for row in found if row["shape"] == "chain"
               and "hops" in row)  # fmt: skip


def test_agreement_is_measured_and_written_for_the_docs() -> None:
    (found,) = pbft.measure_all(pbft.QUICK)
    assert found.per_second > 0 and 0 < found.median <= found.slow and found.processor >= 0
    table = pbft.rst_tables([found], circumstances(surroundings(), "2026-11-21"))
    assert table.count("   * -") == 2
    assert table.count("     -") == 2 * (len(pbft.HEADINGS) - 1)


def test_agreement_is_measured_for_groups_of_different_settings() -> None:
    settings = pbft.FULL.settings
    assert len({str(setting) for setting in settings}) == len(settings)
    assert {setting.replicas for setting in settings} == {3, 4, 5, 7, 10}
    assert {setting.replicas for setting in settings if setting.minbft} == {3, 5}
    assert {setting.payload for setting in settings} == {0, 100, 1024}
    assert {setting.batch for setting in settings} == {1, 100, pbft.ADAPTIVE}
    assert max(setting.clients for setting in settings) == 200


def test_replicated_objects_are_measured_and_written_for_the_docs() -> None:
    (found,) = solidstate.measure_all(solidstate.QUICK)
    assert found.per_second > 0 and 0 < found.median <= found.slow and found.together >= 1
    table = solidstate.rst_tables([found], circumstances(surroundings(), "2026-11-21"))
    assert table.count("   * -") == 2
    assert table.count("     -") == 2 * (len(solidstate.HEADINGS) - 1)


def test_replicated_objects_are_measured_in_different_scenes() -> None:
    scenes = solidstate.FULL.scenes
    assert len(set(scenes)) == len(scenes)
    assert {scene.mode for scene in scenes} == {"byzantine", "crash", "minbft"}
    assert {scene.payload for scene in scenes} == {0, 100, 1024}
    assert {scene.proxies for scene in scenes} == {1, 2, 4}
    assert {scene.faults for scene in scenes} == {1, 2, 3}
    assert {scene.batch for scene in scenes} == {10, 50, 200, 1_000}


def test_files_are_measured_and_written_for_the_docs() -> None:
    found = solidstate_files.measure_all(solidstate_files.QUICK)
    services = solidstate_files.QUICK.services
    assert [one.service for one in found] == [one for one in services for _ in range(5)]
    assert all(one.seconds > 0 and one.processor >= 0 for one in found)
    assert [one.requests for one in found[:5]] == [one.requests for one in found[5:]]
    table = solidstate_files.rst_tables(found, circumstances(surroundings(), "2026-11-21"))
    assert table.count("   * -") == 2 * 7
    columns = len(solidstate_files.HEADINGS) + len(solidstate_files.PROCESSOR_HEADINGS)
    assert table.count("     -") == 7 * (columns - 2)


def test_everything_that_is_varied_is_drawn(tmp_path: Path) -> None:
    asked = [
        solidstate.Asked(scene, 100.0 * scene.users, 0.01, 0.02, 1e-3, 1e-4, 1e-4, 2.0)
        for scene in solidstate.FULL.scenes
    ]
    load = solidstate_plots.load_panels(asked)
    assert [len(panel.lines) for panel in load] == [3, 3, 2]
    assert load[0].lines["byzantine"][0] == (1.0, 100.0, 0.01)
    assert load[0].ticks == [1, 10, 50, 200, 1000, 2000]
    assert load[0].labels == ["1", "10", "50", "200", "", "2,000"]
    shape = solidstate_plots.shape_panels(asked)
    assert [panel.ticks for panel in shape] == [
        [1, 2, 3], [1, 2, 3], [0, 0.1, 1, 10], [10, 50, 200, 1000],
    ]  # fmt: skip
    assert solidstate_plots.draw_all(asked, [], tmp_path) == [
        solidstate_plots.LOAD, solidstate_plots.SHAPE,
    ]  # fmt: skip
    text = (tmp_path / solidstate_plots.SHAPE).read_text("utf-8")
    assert "calls together, 2,000 users" in text and "crash-only" in text


def test_the_core_is_drawn_from_results_that_were_kept(tmp_path: Path) -> None:
    rows = [
        {"setting": asdict(one), "per_second": 9.0, "median": 0.1, "slow": 0.2, "processor": 0.1}
        for one in pbft.FULL.settings
    ]
    asked, ordered = solidstate_plots.read_results([json.dumps({"agreement": rows})])
    assert (asked, [one.setting for one in ordered]) == ([], list(pbft.FULL.settings))
    panels = solidstate_plots.core_panels(ordered)
    assert [panel.ticks for panel in panels] == [[1, 10, 50, 200, 1000], [0, 100, 1024], [1, 2, 3]]
    assert solidstate_plots.draw_all(asked, ordered, tmp_path) == [solidstate_plots.CORE]


def test_the_docs_show_every_plot_there_is() -> None:
    page = (command.DOCS / "benchmarks.rst").read_text("utf-8")
    for name in (solidstate_plots.LOAD, solidstate_plots.SHAPE, solidstate_plots.CORE):
        assert f".. image:: pictures/{name}" in page
        assert (command.DOCS / "pictures" / name).is_file()


def test_games_of_several_processes_are_measured_and_written_for_the_docs() -> None:
    found = starship.measure_all(starship.QUICK)
    assert [one.processes for one in found] == [1, 2]
    assert all(one.seconds > 0 and len(one.processor) == one.processes for one in found)
    assert (found[0].sent, found[0].ships) == (0, 40) and found[1].sent > 100
    table = starship.rst_tables(found, circumstances(surroundings(), "2026-11-21"))
    assert table.count("   * -") == 3
    assert table.count("     -") == 3 * (len(starship.HEADINGS) - 1)


def test_the_state_machines_of_two_processes_share_a_step_and_end_with_one_hash() -> None:
    state = starship_ceiling.played("normal", 1)
    alone, two = (starship_ceiling.measure(state, number, 2, 3) for number in (1, 2))
    assert (alone.own, alone.other) == (alone.units, 0.0)
    assert two.units == alone.units and 0 < two.own < two.units
    assert sorted(two.parts) == sorted(starship_ceiling.PARTS)
    rows = starship_ceiling.rows_of("normal", state, 1, 1)
    assert [len(row) for row in rows] == [len(starship_ceiling.HEADINGS)] * 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "the following arguments are required: GALAXY"),
        (["vast"], "invalid choice: 'vast' (choose from 'normal', 'large', 'huge')"),
    ],
)
def test_which_galaxies_there_are_is_told_who_names_none_of_them(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        starship_ceiling.main(words)
    assert told in capsys.readouterr().err


def test_each_measured_group_has_a_table_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(["--quick", "--only", "plain method call", "--docs"], tmp_path / "r", tmp_path)
    assert [file.name for file in tmp_path.glob("*.txt")] == ["benchmarks-table.txt"]


def test_the_docs_include_every_table_there_is() -> None:
    page = (command.DOCS / "benchmarks.rst").read_text("utf-8")
    for name in command.TABLES.values():
        assert f".. include:: {name}" in page
        assert (command.DOCS / name).is_file()


@pytest.mark.parametrize("nodes", [2, 5, 16])
def test_a_full_mesh_links_any_two_nodes_and_a_chain_neighbours(nodes: int) -> None:
    assert len(set(growth.full_mesh(nodes))) == nodes * (nodes - 1) // 2
    assert len(set(growth.chain(nodes))) == nodes - 1


def test_growth_takes_the_median_of_each_figure() -> None:
    rounds = [growth.Announced("chain", 8, 10, seconds, 1.0, 2.0) for seconds in (3.0, 1.0, 2.0)]
    assert growth.median_of(rounds) == growth.Announced("chain", 8, 10, 2.0, 1.0, 2.0)


def test_a_variant_is_the_function_without_the_line() -> None:
    assert without(_counting, "total += 1")(3) == 3
    assert _counting(3) == 4


def test_a_variant_of_a_line_that_is_not_there_is_refused() -> None:
    with pytest.raises(NothingMeasuredError, match="not just one line"):
        without(_counting, "total += 2")


def _counting(total: int) -> int:
    total += 1
    return total


@pytest.mark.skipif(erlang("call", "call") is None, reason="Erlang is not installed")
@pytest.mark.parametrize("scenario", ["call", "flight", "cast", "large"])
def test_each_scenario_of_two_erlang_nodes_answers_with_a_figure(scenario: str) -> None:
    subject = between_nodes(scenario, scenario)
    assert subject is not None
    assert subject.run(1) > 0


@pytest.mark.skipif(erlang("call", "call") is None, reason="Erlang is not installed")
@pytest.mark.parametrize("scenario", ["call", "flight", "spawn", "create"])
def test_each_scenario_of_erlang_answers_with_a_figure(scenario: str) -> None:
    subject = erlang(scenario, scenario)
    assert subject is not None
    assert subject.run(1) > 0
