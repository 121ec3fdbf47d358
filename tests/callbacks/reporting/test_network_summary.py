"""The table of a module's parts: what has parameters, how many, how many of those are trained, and the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from rich.console import Console
from torch import Tensor, nn

from callbacks.reporting.network_summary import NetworkSummary, as_table, counts


class Parts(LightningModule):
    """A network of which a part is frozen, a loss, and a part without parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(20, 50), nn.Linear(50, 10, bias=False))
        self.network[1].requires_grad_(False)
        self.loss = nn.L1Loss()
        self.activation = nn.ReLU()

    def training_step(self, batch: Tensor, number: int) -> Tensor:
        return self.loss(self.network(batch), torch.zeros(len(batch), 10))  # type: ignore[no-any-return]

    def configure_optimizers(self) -> Any:  # noqa: ANN401
        return torch.optim.SGD(self.network[0].parameters(), lr=0.1)


def shown(table: Any) -> str:  # noqa: ANN401
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_parameters_are_counted_with_and_without_frozen_ones() -> None:
    module = Parts()
    assert counts(module.network) == (20 * 50 + 50 + 500, 1050)
    assert counts(module.loss) == (0, 0)


def test_parts_with_parameters_and_the_loss_are_in_the_table() -> None:
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown(as_table(Parts())).splitlines()]
    assert [row for row in rows if row] == [
        ["network", "Sequential", "1,550", "1,050"],
        ["loss", "L1Loss", "0", "0"],
    ]


@pytest.mark.parametrize(("depth", "first_rank", "times"), [(1, True, 1), (0, True, 0), (1, False, 0)])
def test_it_is_printed_once_where_it_is_wanted(
    tmp_path: Path, depth: int, first_rank: bool, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[object] = []
    monkeypatch.setattr(Console, "print", lambda self, table: printed.append(table))
    monkeypatch.setattr(Trainer, "is_global_zero", property(lambda self: first_rank))
    trainer = Trainer(
        max_steps=1,
        accelerator="cpu",
        callbacks=[NetworkSummary(depth)],
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(Parts(), torch.utils.data.DataLoader(torch.zeros(2, 20)))  # type: ignore[arg-type]
    assert len(printed) == times
