"""What the tests of the data share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.datamodules.fake_cave import MakeCave, fake_values, write_scene


@pytest.fixture
def make_cave(tmp_path: Path) -> MakeCave:
    """Return a function that writes a fake CAVE of the named scenes; `watercolors` is 8-bit RGBA as in the original."""

    def make(names: Iterable[str], size: int = 20, doubled: bool = True, folder: str = "complete_ms_data") -> Path:
        root = tmp_path / folder
        for name in names:
            values: NDArray[Any] = fake_values(name, size)
            if name == "watercolors":
                grey = (values // 257).astype(np.uint8)
                alpha = np.full_like(grey, 255)
                values = np.stack([grey, grey, grey, alpha], axis=-1)
            write_scene(root / f"{name}_ms" / f"{name}_ms" if doubled else root / f"{name}_ms", name, values)
        return root

    return make
