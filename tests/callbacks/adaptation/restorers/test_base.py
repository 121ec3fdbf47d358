"""What every restorer of proxies is by default, so that the stage can take it for a `Restorer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from callbacks.adaptation.restorers.base import ProxyRestorer
from lightning_modules.restorer import FILE_TILE, Restorer
from tests.callbacks.tiny import MiniNetwork


class Doubling(ProxyRestorer):
    """Twice the observation."""

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        cube: Tensor = 2 * batch["observation"]
        return cube.to(self.device)

    def identity(self) -> dict[str, Any]:
        return {"class": "Doubling"}


def test_two_methods_make_a_restorer() -> None:
    with pytest.raises(TypeError, match="abstract"):
        ProxyRestorer()  # type: ignore[abstract]
    restorer = Doubling()
    assert isinstance(restorer, Restorer)
    assert (restorer.name, restorer.needs, restorer.tile) == ("Doubling", ("observation",), None)
    assert (restorer.file_tile, restorer.uses_source, restorer.source_restorer()) == (FILE_TILE, False, None)
    assert restorer.restore({"observation": torch.ones(1, 2, 3, 3)}).unique().tolist() == [2.0]


def test_binding_takes_the_device_of_the_fit() -> None:
    from lightning_modules import RestorationModule

    restorer = Doubling()
    module = RestorationModule(MiniNetwork()).to("meta")
    restorer.bind(module, None)
    assert restorer.device == torch.device("meta")
