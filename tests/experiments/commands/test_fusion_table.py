"""The table of the fusion networks: its rows run once, what they cost, and the printed numbers beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.commands import fusion_table
from experiments.commands.fusion_solvers import METHODS
from experiments.commands.fusion_table import PRINTED, UNTRAINED, configs_of, gigaflops, summary
from experiments.configuration.files import PACKAGED
from hyperalign.errors import UsageError
from lightning_modules import S2CycleDiff, SSTFUNet
from lightning_modules.networks.flops import count_flops
from tests.experiments.small_fusion import overlay


def cells(table: str) -> dict[str, list[str]]:
    """Cells of every row by its name."""
    lines = [[cell.strip() for cell in line.strip("| ").split(" |")] for line in table.splitlines()[2:] if line]
    return {line[0]: line[1:] for line in lines}


def test_the_table_holds_every_row_and_does_not_run_it_again(tmp_path: Path) -> None:
    output = tmp_path / "table"
    words = ["--root", str(tmp_path / "cave"), "--config", overlay(tmp_path, None), "--output", str(output)]
    # settings of models are the networks' alone
    words += ["--model.optimizer.lr", "1e-4"]
    assert fusion_table.main([*words, "--rows", "sstf_unet"]) == 0
    assert fusion_table.main([*words, "--rows", "bicubic", "gsa", "sstf_unet"]) == 0
    rows = cells((output / "table.md").read_text())
    assert list(rows) == ["bicubic", "gsa", "sstf_unet"]
    assert rows["sstf_unet"][-1] == "48.57 / 0.9835 / 2.295 / 1.801"
    network = SSTFUNet(ratio=8, levels=1)
    assert rows["sstf_unet"][4] == f"{sum(parameter.numel() for parameter in network.parameters()):,}"
    assert rows["sstf_unet"][5] == f"{gigaflops(network):.2f}"
    assert all(float(row[6]) >= 0 for row in rows.values())
    assert rows["bicubic"][4:6] == rows["gsa"][4:6] == ["", ""]
    before = {path: path.stat().st_mtime_ns for path in output.rglob("results.csv")}
    assert fusion_table.main([*words, "--rows", "sstf_unet"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("results.csv")}


@pytest.mark.parametrize("row", [*UNTRAINED, *PRINTED])
def test_every_row_has_its_configurations(row: str) -> None:
    for size in ("compact", "published"):
        configs = configs_of(row, size)
        assert all((PACKAGED / f"{config}.yaml").is_file() for config in configs)
        assert any("compact" in config for config in configs) == (size == "compact" and row in PRINTED)
    assert (row in METHODS) == (configs_of(row) == (f"solvers/{row}",))


def test_all_steps_of_a_sampling_network_are_counted() -> None:
    torch.manual_seed(0)
    network = S2CycleDiff(ratio=8, inner=8, multipliers=(1, 1), blocks=1, groups=2, steps=5)
    images = torch.rand(1, 31, 16, 16), torch.rand(1, 3, 128, 128)
    assert gigaflops(network) == pytest.approx(count_flops(network.eval(), *images).total / 1e9, rel=1e-9)
    assert network.steps == 5


def test_lines_are_means_with_spreads_costs_and_what_is_printed() -> None:
    scores = {"ssim": "0.9", "sam": "2", "ergas": "1.5"}
    rows = [{"model": "bicubic", "seed": "0", "psnr": psnr, **scores, "seconds": "0.001"} for psnr in ("30", "31")]
    for seed, psnr, seconds, memory in (("0", "30", "0.25", "0.75"), ("1", "32", "0.75", "0.25")):
        cost = {"parameters": "12345", "gigaflops": "1.234", "seconds": seconds, "gibibytes": memory}
        rows.append({"model": "bdt", "seed": seed, "psnr": psnr, **scores, **cost})
    assert summary(rows[:2]).splitlines()[2:] == ["| bicubic | 30.50 | 0.9000 | 2.00 | 1.50 |  |  | 0.00 |  |  |"]
    spread = "| bdt | 31.00 ± 1.41 | 0.9000 ± 0.0000 | 2.00 ± 0.00 | 1.50 ± 0.00"
    assert summary(rows).splitlines()[3:] == [
        f"{spread} | 12,345 | 1.23 | 0.50 | 0.75 | 48.16 / 0.9822 / 2.096 / 1.891 |",
        "",
        "Seeds 0, 1; ± is the standard deviation over seeds.",
    ]


def test_an_unknown_row_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"^There is no method 'bdd': the nearest one is 'bdt', of bicubic, "):
        fusion_table.main(["--rows", "bdd"])
