"""HSIGeneGuides: the generator's RGB at the proxy's size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.generators import HSIGene
from callbacks.guides import Guides, HSIGeneGuides
from datamodules.scenes import generator_for
from tests.callbacks.generators.small_clip import write_small_clip, write_small_hsigene
from tests.lightning_modules.networks.generation.hsigene_official import SMALL_ARGUMENTS


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("hsigene")
    return {
        "checkpoint": write_small_hsigene(folder / "last.ckpt"),
        "text_encoder": write_small_clip(folder / "clip"),
        "steps": 2,
        "size": 32,
        "wavelengths": (400.0, 475.0, 545.0, 620.0, 655.0, 700.0),
        "architecture": SMALL_ARGUMENTS,
    }


def test_guides_are_the_cubes_red_green_and_blue_at_the_proxys_size(arguments: dict[str, Any]) -> None:
    source = HSIGene(**arguments, image_encoder=arguments["text_encoder"])
    guides = HSIGeneGuides(source)
    assert isinstance(guides, Guides)
    proxy = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    made = guides(proxy, 2, generator_for(1))
    generator = generator_for(1)
    torch.randint(1, (), generator=generator)
    cubes = [source.generate(proxy, number, generator, proxy.device) for number in range(2)]
    torch.testing.assert_close(made, torch.stack(cubes)[:, [4, 2, 1]], rtol=0, atol=1e-5)
    assert float((made[0] - made[1]).abs().max()) > 1e-3
    assert torch.equal(guides(proxy, 2, generator_for(1)), made)
    other = guides(torch.rand(3, 21, 17, generator=torch.Generator().manual_seed(2)), 1, generator_for(1))
    assert other.shape == (1, 3, 21, 17)
    assert float(other.min()) >= 0
    assert float(other.max()) <= 1
    assert guides.settings() == {"class": "HSIGeneGuides", "source": source.settings()}


def test_every_prompt_is_used_although_guides_are_asked_for_one_by_one(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = HSIGene(**arguments, image_encoder=arguments["text_encoder"], prompts=("Farmland", "Wasteland"))
    asked: list[int] = []

    def noted(rgb: torch.Tensor, number: int, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        asked.append(number % 2)
        return torch.zeros(6, 32, 32)

    monkeypatch.setattr(source, "generate", noted)
    HSIGeneGuides(source).many([(torch.rand(3, 32, 32), generator_for(0, index)) for index in range(16)])
    assert 4 <= sum(asked) <= 12


def test_the_network_is_read_again_after_its_release(arguments: dict[str, Any]) -> None:
    guides = HSIGeneGuides(HSIGene(**arguments, image_encoder=arguments["text_encoder"]))
    proxy = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    made = guides(proxy, 1, generator_for(1))
    guides.release()
    assert guides.generator._network is None
    assert torch.equal(guides(proxy, 1, generator_for(1)), made)


def test_a_source_that_knows_nothing_of_the_proxy_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs a generator with an image_encoder, because otherwise nothing of the"):
        HSIGeneGuides(HSIGene(**arguments))
