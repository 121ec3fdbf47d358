"""The table of the fusion networks: its rows run once, what they cost, and the printed numbers beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from experiments.commands import fusion_table
from experiments.commands.fusion_table import PRINTED, configs_of, network_settings, summary
from experiments.configuration.files import PACKAGED
from hyperalign.errors import UsageError
from lightning_modules import SSTFUNet
from tests.experiments.small_fusion import overlay


def test_the_table_holds_every_row_and_does_not_run_it_again(tmp_path: Path) -> None:
    output = tmp_path / "table"
    words = ["--root", str(tmp_path / "cave"), "--config", overlay(tmp_path, None), "--output", str(output)]
    assert fusion_table.main([*words, "--rows", "bicubic", "sstf_unet"]) == 0
    table = (output / "table.md").read_text()
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["bicubic", "sstf_unet"]
    assert "48.57 / 0.9835 / 2.295 / 1.801" in table
    found = json.loads((output / "costs" / "sstf_unet.json").read_text())
    network = SSTFUNet(ratio=8, levels=1)
    assert found["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert min(found.values()) > 0
    before = {path: path.stat().st_mtime_ns for path in output.rglob("results.csv")}
    assert fusion_table.main([*words, "--rows", "sstf_unet"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("results.csv")}


@pytest.mark.parametrize("row", ["bicubic", *PRINTED])
def test_every_row_has_its_configurations(row: str) -> None:
    assert all((PACKAGED / f"{config}.yaml").is_file() for config in configs_of(row))
    if row == "bicubic":
        return
    kind, settings = network_settings(row)
    assert kind.rpartition(".")[2].lower() == row.replace("_", "")
    assert settings


def test_later_configurations_change_what_earlier_ones_say() -> None:
    _, settings = network_settings("co2if")
    cave, compact = (
        yaml.safe_load((PACKAGED / "co2if" / f"{name}.yaml").read_text())["model"]["init_args"]["network"]["init_args"]
        for name in ("cave", "compact")
    )
    assert settings == cave | compact
    assert settings != cave


def test_lines_are_means_costs_and_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "costs").mkdir()
    found = {"parameters": 12345, "gigaflops": 1.234, "seconds": 0.56, "gibibytes": 0.789}
    (tmp_path / "costs" / "bdt.json").write_text(json.dumps(found))
    scores = {"ssim": "0.9", "sam": "2", "ergas": "1.5"}
    rows = [{"model": name, "psnr": psnr, **scores} for name in ("bicubic", "bdt") for psnr in ("30", "31")]
    assert summary(rows, tmp_path).splitlines()[2:] == [
        "| bicubic | 30.50 | 0.9000 | 2.00 | 1.50 |  |  |  |  |  |",
        "| bdt | 30.50 | 0.9000 | 2.00 | 1.50 | 12,345 | 1.23 | 0.6 | 0.79 | 48.16 / 0.9822 / 2.096 / 1.891 |",
    ]


def test_an_unknown_row_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"^There is no method 'bdd': the nearest one is 'bdt', of bicubic, "):
        fusion_table.main(["--rows", "bdd"])
