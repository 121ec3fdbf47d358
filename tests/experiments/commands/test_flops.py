"""Operations of CO2IF and its ablations, counted."""

from __future__ import annotations

import pytest

from experiments.commands import flops
from experiments.commands.flops import PRINTED, network_settings
from experiments.configuration.files import ConfigNotFoundError
from hyperalign.errors import UsageError
from lightning_modules import CO2IF
from tests.experiments.compact_co2if import COMPACT


def test_operations_of_full_and_lighter_variants(capsys: pytest.CaptureFixture[str]) -> None:
    """A convolution saves operations, and four times the pixels take about four times as many."""
    base = flops.network_settings("cave") | COMPACT
    full, lighter = CO2IF(**base), CO2IF(**(base | flops.network_settings("ablations/convolution")))
    assert flops.gigaflops(lighter, 32) < flops.gigaflops(full, 32)
    unpaired = CO2IF(**(base | {"cot": "none"}))
    assert flops.gigaflops(unpaired, 64) == pytest.approx(4 * flops.gigaflops(unpaired, 32), rel=0.05)
    assert flops.main(["--rows", "full", "--side", "16"]) == 0
    assert "106.67" in capsys.readouterr().out


def test_settings_are_those_of_the_configuration_by_any_of_its_names() -> None:
    cave = network_settings("co2if/cave")
    assert cave == network_settings("cave")
    assert len(network_settings("ablations/convolution")) == 1
    assert {name for name in PRINTED if name != "full"} <= {path.stem for path in flops.FOLDER.glob("ablations/*.yaml")}


def test_what_cannot_be_counted_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"config 'fusion/bdt' is of .*BDT.*, and only CO2IF is counted"):
        network_settings("fusion/bdt")
    with pytest.raises(UsageError, match=r"config 'tasks/gaussian' has no network: name one in co2if"):
        network_settings("tasks/gaussian")
    with pytest.raises(ConfigNotFoundError, match="co2if/cove"):
        network_settings("co2if/cove")
    with pytest.raises(UsageError, match=r"^A target of 100 pixels is no multiple of the ratio 8: set --side\.$"):
        flops.main(["--side", "100"])
