"""`torch.compile` for the network of any module, as one setting."""

from __future__ import annotations

from typing import Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch._inductor import config
from typing_extensions import override

from hyperalign.compilation import compiler
from hyperalign.errors import InputError, MissingPackageError

__all__ = ["CompiledNetwork"]

Mode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]


class CompiledNetwork(Callback):
    """Has `torch.compile` translate the module's network at its first call, once for every kind of input.

    In place: names of weights, checkpoints and what describes the network in them stay as they are, and copies of the
    network (sources, averages) are not translated. Results differ by rounding. `docs/speed.md` says where it helps; on
    a CPU it needs a C++ compiler, and the first call takes from seconds to minutes.

    Args:
        mode: what torch is to optimise for.
        dynamic: one translation for all sizes (True), one for every size (False), or torch's own way: a second size
            makes it one for all.
        backend: of `torch.compile`.
    """

    def __init__(self, mode: Mode = "default", dynamic: bool | None = None, backend: str = "inductor") -> None:
        """Keep the settings."""
        self.mode = mode
        self.dynamic = dynamic
        self.backend = backend
        self._translated: nn.Module | None = None

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let the network be translated where it is first called.

        Raises:
            ValueError: the module has no network, or torch knows no such backend.
            ModuleNotFoundError: there is no C++ compiler, and the network runs on a CPU.
        """
        network = getattr(pl_module, "network", None)
        if not isinstance(network, nn.Module):
            raise InputError(
                f"CompiledNetwork: {type(pl_module).__name__} has no network to compile; leave the callback away."
            )
        if self.backend not in torch.compiler.list_backends(exclude_tags=None):
            usual = ", ".join(sorted(torch.compiler.list_backends()))
            raise InputError(f"CompiledNetwork: torch knows no backend {self.backend!r}; take one of {usual}.")
        if self.backend == "inductor" and trainer.strategy.root_device.type == "cpu":
            _choose_compiler()
        if network is not self._translated:
            # A mode is for inductor; torch refuses it beside the other backends.
            mode = self.mode if self.backend == "inductor" else None
            network.compile(mode=mode, dynamic=self.dynamic, backend=self.backend)
            self._translated = network


def _choose_compiler() -> None:
    """Have inductor take the compiler that our loops are built by, or the next that answers: alone it knows $CXX only.

    Raises:
        ModuleNotFoundError: there is none.
    """
    found = compiler()
    if found is None:
        raise MissingPackageError(
            "CompiledNetwork: torch.compile needs a C++ compiler on a CPU: install g++ or clang++, or name one by "
            "$CXX, or leave the callback away."
        )
    config.cpp.cxx = (found, "g++", "clang++")  # type: ignore[assignment]  # tried in turn
