"""Every packaged network has its specimen."""

from __future__ import annotations

import torch

from experiments.commands.gpu_check.checks.specimens import FUSION, RESTORATION, built, inputs_of, smooth
from experiments.configuration.files import packaged_configs
from tests.backbones import STEMS


def test_no_network_is_left_out() -> None:
    assert set(RESTORATION) == set(STEMS)
    packaged = {name.partition("/")[2] for name in packaged_configs() if name.startswith("fusion/")}
    assert set(FUSION) - {"co2if"} == {name for name in packaged if f"fusion/compact/{name}" in packaged_configs()}


def test_networks_behind_an_enlargement_keep_it() -> None:
    network = built("gdrrn", compact=True).eval()
    with torch.no_grad():
        assert network(*inputs_of("gdrrn", 16)).shape == (1, 31, 16, 16)


def test_inputs_are_the_same_whenever_they_are_drawn() -> None:
    assert torch.equal(smooth(2, 3, 8), smooth(2, 3, 8))
    cube, image, tokens = inputs_of("co2if", 16, 2, text_width=32)
    assert (cube.shape, image.shape, tokens.shape) == ((2, 31, 2, 2), (2, 3, 16, 16), (2, 77, 32))
    assert 0 <= float(cube.min()) < float(cube.max()) <= 1
