"""How the ranks divide a stage's entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from callbacks.adaptation.stages import complete_share, neighbours
from callbacks.adaptation.store import Store
from hyperalign.ranks import Ranks
from tests.callbacks.tiny import NumberedRanks


@pytest.mark.parametrize(("proxy_count", "size"), [(1, 4), (2, 4), (5, 2), (3, 3), (1, 1), (4, 5)])
def test_ranks_share_guides_evenly_and_proxies_as_little_as_possible(proxy_count: int, size: int) -> None:
    names = [f"{proxy}/{guide}" for proxy in range(proxy_count) for guide in range(3)]
    shares = [list(neighbours(NumberedRanks(rank, size), names)) for rank in range(size)]
    assert [name for share in shares for name in share] == names
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1
    indexes = sum(len({name.split("/")[0] for name in share}) for share in shares)
    assert indexes <= proxy_count + size - 1


def test_a_rank_without_a_share_makes_nothing(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []
    store = Store(tmp_path, "stage")
    store.write_array("a", torch.zeros(1))
    complete_share("Stage", store, ["a"], lambda share, _: asked.append(share), Ranks())
    assert asked == []
