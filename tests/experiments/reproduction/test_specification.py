"""Every packaged table can be read, every row is a configuration that can be run, and mistakes are named."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest

from experiments.configuration import tree
from experiments.configuration.errors import ConfigError
from experiments.configuration.files import resolve_configs
from experiments.configuration.tree import read_tree
from experiments.configuration.unimported.commands import command
from experiments.configuration.unimported.settings import findings
from experiments.reproduction.specification import BUDGETS, Cell, Source, Words, read_table, table_names
from hyperalign.errors import UsageError

PAPER = {
    *(f"hir_align/table{number}" for number in range(1, 12)),
    *(f"hir_align/figure{number}" for number in (1, 4, 5)),
    *(f"co2if/table{number}" for number in range(1, 5)),
    *(f"co2if/figure{number}" for number in (4, 5, 6)),
}


def test_a_network_read_by_a_text_encoder_asks_for_it() -> None:
    cells = read_table("hir_align/table4", "paper").cells
    asked = {cell.needs["mp_hsir_text"] for cell in cells if "MP-HSIR" in cell.column}
    assert asked == {f"--model.network.{inner}text_embedding.encoder" for inner in ("", "network.")}
    assert not [cell for cell in cells if "PromptIR" in cell.column and "mp_hsir_text" in cell.needs]
    assert not [cell for cell in read_table("hir_align/table4", "small").cells if cell.needs]


def fits(source: Source | None) -> Iterator[tuple[str, Words]]:
    while source is not None and source.checkpoint is None:
        yield "fit", source.fit
        source = source.start


def runs(cells: tuple[Cell, ...]) -> Iterator[tuple[str, Words]]:
    for cell in cells:
        yield from fits(cell.source)
        more = [word for option in cell.needs.values() for word in (option, "given")]
        yield cell.command, Words(cell.run.configs, (*cell.run.settings, *more))


def test_every_table_and_figure_of_both_papers_is_there() -> None:
    assert set(table_names()) == PAPER


@pytest.mark.parametrize("budget", BUDGETS)
def test_every_row_of_every_table_is_a_configuration(budget: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = cache(tree.read_settings)
    monkeypatch.setattr(tree, "read_settings", lambda path: deepcopy(read(path)))
    keys = {name: command(name) for name in ("fit", "adapt", "test")}
    seen: set[tuple[str, Words]] = set()
    for name in table_names():
        for one in runs(read_table(name, budget).cells):
            if one in seen:
                continue
            seen.add(one)
            words = [*resolve_configs(one[1].line()), "--verbose", "false"]
            settings = read_tree(words if one[0] != "fit" else words[:-2]).settings
            assert {"model", "data"} <= set(settings), (name, one)
            assert settings["model"]["class_path"]
            assert settings["data"]["class_path"]
            # The sources alone do not tell what this loss takes; it is given nothing.
            if settings["model"]["init_args"].get("loss") == {"class_path": "lightning_modules.losses.ClampedL1Loss"}:
                del settings["model"]["init_args"]["loss"]
            assert next(findings(keys[one[0]], settings), None) is None, (name, one)
    assert len(seen) > 80


@pytest.mark.parametrize(
    ("table", "rows", "columns", "row", "column", "printed"),
    [
        ("hir_align/table1", 11, 2, "SSUMamba (Ours)", "CAVE", (42.36, 0.995, 6.81)),
        ("hir_align/table2", 10, 2, "RCTV", "KAIST", (36.99, 0.956, 6.93)),
        ("hir_align/table3", 10, 2, "Bicubic", "CAVE", (34.31, 0.932, 4.12)),
        ("hir_align/table4", 12, 4, "Inpainting (Ours)", "KAIST: PromptIR", (37.42, 0.936, 7.36)),
        ("hir_align/table5", 10, 1, "SSUMamba (ICVL)", "HSIDwrD", (19.89, 0.767, 12.37)),
        ("hir_align/table6", 4, 2, "generated only", "Super-resolution", (37.34, 0.952, 3.83)),
        ("hir_align/table7", 5, 2, "3:1", "Denoising", (40.59, 0.958, 8.90)),
        ("hir_align/table8", 3, 2, "UnCLIP (Original)", "Deblur", (41.10, 0.978, 2.93)),
        ("hir_align/table9", 2, 4, "HSIGene", "KAIST: complex noise (SERT)", (37.77, 0.986, 13.51)),
        ("hir_align/table10", 6, 2, "Total: Ours", "Denoising", (39.58, 0.958, 9.92)),
        ("hir_align/table11", 3, 2, "UB", "Super-resolution (MCNet)", (37.52, 0.971, 3.23)),
        ("hir_align/figure1", 21, 2, "Deblur (PromptIR)", "Ours", (44.32,)),
        ("co2if/table1", 9, 3, "SRLF", "Harvard", (45.26, 0.9607, 2.638, 2.306)),
        ("co2if/table2", 4, 1, "w/o G", "CAVE", (49.68, 0.9873, 1.576, 1.605)),
        ("co2if/table3", 5, 1, "Cobra", "CAVE", (49.45, 0.9866, 1.597, 1.679)),
        ("co2if/table4", 6, 1, "gamma 0.01", "CAVE", (49.26, 0.9863)),
    ],
)
def test_printed_numbers_are_the_papers(
    table: str, rows: int, columns: int, row: str, column: str, printed: tuple[float, ...]
) -> None:
    found = read_table(table, "paper")
    assert (len(found.rows), len(found.columns)) == (rows, columns)
    cell = next(one for one in found.cells if (one.row, one.column) == (row, column))
    assert tuple(cell.printed[metric] for metric in found.metrics) == printed


def test_the_published_protocol_of_table_10_observes_ten_scenes_and_holds_22_back() -> None:
    cells = {one.row: one for one in read_table("hir_align/table10", "paper").cells if one.column == "Denoising"}
    assert [cells[f"{name}: Ours"].test_set for name in ("Observed", "Unobserved", "Total")] == [
        "observed",
        "unobserved",
        None,
    ]
    data = read_tree(resolve_configs(cells["Total: Ours"].run.line())).settings["data"]["init_args"]
    assert (len(data["observed"]), len(data["unobserved"])) == (10, 22)
    assert not set(data["observed"]) & set(data["unobserved"])
    assert len({cells[row].run for row in cells if row.endswith("Ours")}) == 1


def test_the_upper_bound_starts_where_adaptation_does_and_trains_on_the_observed_scenes() -> None:
    for budget in BUDGETS:
        cells = {one.row: one for one in read_table("hir_align/table11", budget).cells}
        bound, ours = cells["UB"].source, cells["Ours"]
        assert bound is not None
        assert bound.start == ours.source
        data = read_tree(resolve_configs(bound.fit.line())).settings["data"]["init_args"]
        target = read_tree(resolve_configs(ours.run.line())).settings["data"]["init_args"]
        assert data["training"] == target["observed"]


def test_the_printed_ratio_study_has_its_best_ratio_inside() -> None:
    """Section III-D: more generated scenes than the useful ones add perturbation and no coverage (Table VII)."""
    table = read_table("hir_align/table7", "paper")
    for column in table.columns:
        psnr = [one.printed["psnr"] for one in table.cells if one.column == column]
        assert table.rows[psnr.index(max(psnr))] == "3:1"


TABLE = """\
title: A table
columns: [{name: one}, {name: two}]
let: {network: sert, extra: ""}
methods:
  adapted:
    command: adapt
    run: {configs: ["backbones/{network}", "{extra}"]}
    small: {run: {settings: ["--a [1, 2]"]}}
rows:
  - {name: a, method: adapted, printed: {one: [1.0, null, 3.0]}, let: {network: t3sc}}
  - {name: b, method: adapted, cells: [two], small: {let: {extra: data/cave}}}
"""


def test_layers_lie_over_each_other_and_nothing_is_named_by_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TABLE)
    found = read_table("x", "small", tmp_path)
    assert [(one.row, one.column) for one in found.cells] == [("a", "one"), ("a", "two"), ("b", "two")]
    assert found.cells[0].run == Words(("backbones/t3sc",), ("--a", "[1, 2]"))
    assert found.cells[0].printed == {"psnr": 1.0, "sam": 3.0}
    assert found.cells[2].run.configs == ("backbones/sert", "data/cave")
    assert read_table("x", "paper", tmp_path).cells[2].run == Words(("backbones/sert",), ())


def test_mistakes_in_a_table_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TABLE.replace("method: adapted, cells", "metod: adapted, cells"))
    with pytest.raises(ConfigError, match=r"^The table x, row b has no key 'metod': the nearest one is 'method'\.$"):
        read_table("x", "small", tmp_path)
    (tmp_path / "x.yaml").write_text(TABLE.replace("method: adapted, cells", "method: adopted, cells"))
    with pytest.raises(ConfigError, match=r"^The table x has no method 'adopted' \(row b\): it has adapted\.$"):
        read_table("x", "small", tmp_path)
    with pytest.raises(UsageError, match=r"^There is no table 'hir_align/tabel6': the nearest one is"):
        read_table("hir_align/tabel6")
