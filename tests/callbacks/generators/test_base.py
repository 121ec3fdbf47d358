"""What a source of cubes is: two methods, and defaults for the others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from callbacks.generators import CubeGenerator, CubeRequest, ExternalCubes, HSIGene


class Repeated(CubeGenerator):
    """The proxy, with its own noise."""

    def __call__(self, request: CubeRequest) -> Tensor:
        return request.proxy + torch.rand(request.proxy.shape, generator=request.generator) / 10

    def settings(self) -> dict[str, Any]:
        return {"class": "Repeated"}


def test_a_source_needs_a_call_and_its_settings_and_nothing_else() -> None:
    with pytest.raises(TypeError, match="abstract"):
        CubeGenerator()  # type: ignore[abstract]
    source = Repeated()
    assert list(source.files()) == []
    source.release()
    request = CubeRequest(torch.zeros(2, 3, 3), (450.0, 550.0), "", 0, 1, torch.Generator().manual_seed(4))
    expected = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(4)) / 10
    assert torch.equal(source(request), expected)
    assert issubclass(ExternalCubes, CubeGenerator)
    assert issubclass(HSIGene, CubeGenerator)
