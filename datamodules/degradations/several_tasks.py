"""Several tasks at once, one drawn for every cube: how all-in-one networks are trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.degradations.base import Corruption, Degradation
from hyperalign.errors import InputError


class SeveralTasks(Degradation):
    """Degrades every cube by one of several tasks, drawn with the cube's own generator.

    As MP-HSIR and PromptIR are trained for all tasks together; `degradation: [...]` of a DataModule is the short form,
    all being equally likely. A batch says as `task` which of them each cube got, numbered from 0, and a network that is
    told its task (`lightning_modules.MPHSIR`) is given it: list the tasks in the order of the network's own.

    Args:
        tasks: at least one, all of one scale.
        weights: how often each is drawn, relative to the others; None draws all equally often.

    Raises:
        ValueError: for no task, tasks of several scales, or weights that do not fit.
    """

    def __init__(self, tasks: list[Degradation], weights: list[float] | None = None) -> None:
        if not tasks:
            raise InputError("SeveralTasks was given no task: list at least one degradation.")
        sizes = {(task.scale, task.phase) for task in tasks}
        if len(sizes) > 1:
            scales = ", ".join(f"{type(task).__name__} of scale {task.scale}" for task in tasks)
            raise InputError(
                f"One batch cannot hold the tasks {scales}: list tasks whose observations have one size, and train "
                "those of another scale by themselves."
            )
        if weights is not None and (len(weights) != len(tasks) or min(weights) < 0 or not 0 < sum(weights) < torch.inf):
            raise InputError(
                f"SeveralTasks was given the weights {weights} for {len(tasks)} tasks: give one number of at least 0 a "
                "task, not all 0."
            )
        self.tasks = tuple(tasks)
        self.weights = [1.0] * len(tasks) if weights is None else [float(weight) for weight in weights]
        self.scale = tasks[0].scale

    @property
    def phase(self) -> float:
        """That of the tasks."""
        return self.tasks[0].phase

    def chosen(self, generator: torch.Generator) -> tuple[int, Degradation]:
        """Draw a task; return its number and itself."""
        shares = torch.tensor(self.weights, dtype=torch.float64)
        number = int(torch.multinomial(shares, 1, generator=generator))
        return number, self.tasks[number]

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Corruption:
        """Draw a task and the corruption of one cube of `shape` (C, H, W) by it."""
        return self.chosen(generator)[1].draw(shape, generator)

    @property
    def measured_side(self) -> int:
        """The largest of the tasks'."""
        return max(task.measured_side for task in self.tasks)

    def measure(self, cubes: Sequence[Tensor], names: Sequence[str], wavelengths: Sequence[float]) -> None:
        """Let every task learn from measured observations."""
        for task in self.tasks:
            task.measure(cubes, names, wavelengths)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name, the tasks as they print themselves, and the weights."""
        listed = "; ".join(repr(task) for task in self.tasks)
        return {"class": type(self).__name__, "tasks": listed, "weights": list(self.weights)}


def one_task(given: Degradation | list[Degradation] | None) -> Degradation | None:
    """Return a task, or what a list of tasks stands for."""
    return SeveralTasks(given) if isinstance(given, list) else given
