"""A small network with drawn weights under official names, and their plain form."""

from __future__ import annotations

import pytest

from lightning_modules.checkpoints import load_official_state
from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork
from tests.lightning_modules.networks.generation.hsigene_official import (
    SMALL_ARGUMENTS,
    PlainForm,
    small_official_state,
)


@pytest.fixture(scope="package")
def plain() -> PlainForm:
    """The published computations on drawn weights."""
    return PlainForm(small_official_state())


@pytest.fixture(scope="package")
def network(plain: PlainForm) -> HSIGeneNetwork:
    """The network with the same weights."""
    network = HSIGeneNetwork(**SMALL_ARGUMENTS).eval().requires_grad_(False)
    load_official_state(network, plain.state)
    return network
