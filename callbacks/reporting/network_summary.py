"""The parts of a module and their parameters, before it is trained."""

from __future__ import annotations

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelSummary
from rich.console import Console
from rich.table import Table
from torch import nn


class NetworkSummary(ModelSummary):
    """Print the parts of a module that have parameters, and the loss; Lightning's own also counts what it cannot know.

    Args:
        max_depth: 0 prints nothing.
    """

    def __init__(self, max_depth: int = 1) -> None:
        super().__init__(max_depth)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table on the first rank."""
        if self._max_depth and trainer.is_global_zero:
            Console().print(as_table(pl_module))


def as_table(module: LightningModule) -> Table:
    """Return the parts of a module with their class, parameters and how many of those are trained."""
    table = Table("part", "class", "parameters", "trained", title=type(module).__name__)
    for name, part in module.named_children():
        if next(part.parameters(), None) is not None or isinstance(part, nn.modules.loss._Loss):
            table.add_row(name, type(part).__name__, *map(_grouped, counts(part)))
    return table


def counts(part: nn.Module) -> tuple[int, int]:
    """Return how many parameters a part has, and how many of them are trained."""
    sizes = [(one.numel(), one.requires_grad) for one in part.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def _grouped(number: int) -> str:
    return f"{number:,}"
