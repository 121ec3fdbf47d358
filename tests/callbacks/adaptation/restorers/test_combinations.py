"""Chains, means and flips of restorers."""

from __future__ import annotations

import pytest
import torch

from callbacks import ChainRestorer, FlipRestorer, MeanRestorer, OtherRestorer, SourceRestorer
from callbacks.adaptation.restorers.combinations import TURNS
from lightning_modules import UpsampledInput
from tests.callbacks.adaptation.restorers.fixed import Scaled, Sloped, batch_of, bound


def test_a_chain_gives_every_link_what_the_one_before_restored() -> None:
    batch, source = batch_of(), Sloped(2.0)
    ramp = torch.linspace(-1, 1, 24)
    before = bound(ChainRestorer([Scaled(3.0), SourceRestorer()]), source).restore(batch)
    after = bound(ChainRestorer([SourceRestorer(), Scaled(3.0)]), source).restore(batch)
    assert torch.allclose(before, 6 * batch["observation"] + ramp, atol=1e-5)
    assert torch.allclose(after, 6 * batch["observation"] + 3 * ramp, atol=1e-5)
    assert torch.equal(batch["observation"], batch_of()["observation"])


def test_a_mean_weighs_its_parts() -> None:
    batch = batch_of()
    parts = [Scaled(1.0), Scaled(4.0)]
    assert torch.allclose(MeanRestorer([*parts]).restore(batch), 2.5 * batch["observation"])
    assert torch.allclose(MeanRestorer([*parts], [2.0, 1.0]).restore(batch), 2 * batch["observation"])


def test_flips_average_what_has_a_direction() -> None:
    batch = batch_of(20, 20)
    restored = bound(FlipRestorer(), Sloped(2.0)).restore(batch)
    assert torch.allclose(restored, 2 * batch["observation"], atol=1e-6)


def test_flips_take_images_that_are_not_square() -> None:
    batch = batch_of(16, 24)
    assert torch.allclose(FlipRestorer(Scaled(2.0)).restore(batch), 2 * batch["observation"])
    cube = batch["observation"]
    assert len({str(turn(cube)) for turn, _ in TURNS}) == 8


def test_flips_refuse_what_does_not_turn() -> None:
    enlarging = bound(FlipRestorer(), UpsampledInput(scale=2, network=torch.nn.Identity()))
    assert enlarging.restore(batch_of(phase=0.5)).shape[-1] == 48
    with pytest.raises(ValueError, match=r"pixels lie at 0 of their blocks instead of in the middle, 0\.5"):
        enlarging.restore(batch_of(phase=0.0))
    with pytest.raises(ValueError, match="turns single images, but these observations are pairs"):
        bound(FlipRestorer(), Sloped()).restore(batch_of(multispectral=torch.zeros(1, 3, 40, 48)))


def test_the_source_has_a_part_in_whatever_holds_it() -> None:
    assert not ChainRestorer([Scaled(1.0), Scaled(2.0)]).uses_source
    assert MeanRestorer([Scaled(1.0), ChainRestorer([FlipRestorer()])]).uses_source
    assert not FlipRestorer(Scaled(1.0)).uses_source


def test_every_combination_has_a_key_of_its_own() -> None:
    one, two = Scaled(1.0), Scaled(2.0)
    several = [
        ChainRestorer([one, two]),
        ChainRestorer([two, one]),
        MeanRestorer([one, two]),
        MeanRestorer([one, two], [2.0, 1.0]),
        FlipRestorer(one),
        bound(FlipRestorer(), Sloped()),
    ]
    assert len({str(restorer.identity()) for restorer in several}) == len(several)


def test_what_cannot_be_combined_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="ChainRestorer was given no restorer: list at least one"):
        ChainRestorer([])
    with pytest.raises(ValueError, match=r"the weights \[1\.0, -1\.0\] for 2 restorers: give each one above zero"):
        MeanRestorer([Scaled(1.0), Scaled(2.0)], [1.0, -1.0])
    enlarging = OtherRestorer(UpsampledInput(scale=2, network=torch.nn.Identity()))
    with pytest.raises(ValueError, match=r"cannot average cubes of \[1, 8, 20, 24\] and \[1, 8, 40, 48\]"):
        MeanRestorer([Scaled(1.0), enlarging]).restore(batch_of())
