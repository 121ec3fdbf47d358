"""Every restoration backbone by its stem: its packaged configuration, a compact form and a plain form of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

import lightning_modules

CONFIGS = Path(__file__).resolve().parent.parent / "experiments" / "backbones"
STEMS = sorted(
    path.stem
    for path in (Path(__file__).parent / "plain").glob("*.py")
    if (CONFIGS / path.name).with_suffix(".yaml").exists()
)


class Backbone:
    """One backbone.

    Attributes:
        stem: Name of its configuration, test and plain form.
        enlarges: Whether it is a super-resolution network, by itself or behind `UpsampledInput`.
        upsampled: Whether it stands behind `UpsampledInput`.
        patch: Side of the smallest sensible training patch of the target, in pixels.
        precision: What equality of two computations is judged in.
        compact: Constructor arguments of a network that a test can train.
        plain_forward: The published order of operations on the weights of our network.
    """

    def __init__(self, stem: str) -> None:
        self.stem = stem
        config = yaml.safe_load((CONFIGS / f"{stem}.yaml").read_text())["model"]["init_args"]["network"]
        self.upsampled: bool = config["class_path"].rpartition(".")[2] == "UpsampledInput"
        inner = config["init_args"]["network"] if self.upsampled else config
        self.kind: Callable[..., nn.Module] = getattr(lightning_modules, inner["class_path"].rpartition(".")[2])
        module = importlib.import_module(f"tests.plain.{stem}")
        # A network that needs another file, such as a text encoder, is given something in its place.
        self.published: dict[str, Any] = inner.get("init_args", {}) | getattr(module, "STAND_IN", {})
        self.enlarges = self.upsampled or "scale" in self.published
        self.patch: int = module.PATCH
        self.precision: torch.dtype = getattr(module, "PRECISION", torch.float32)
        self.compact: dict[str, Any] = module.COMPACT
        self.plain_forward: Callable[[nn.Module, Tensor], Tensor] = module.plain_forward

    def inner(self, **settings: Any) -> nn.Module:  # noqa: ANN401 - constructor arguments
        """Build the network itself, compact, from fixed random weights."""
        torch.manual_seed(0)
        return self.kind(**(self.compact | settings))

    def network(self) -> nn.Module:
        """Build the compact network as its configuration has it: behind `UpsampledInput` where it needs that."""
        return lightning_modules.UpsampledInput(self.inner(), 4) if self.upsampled else self.inner()

    def overrides(self) -> list[str]:
        """Command line words that make the packaged configuration compact."""
        place = "--model.init_args.network.init_args." + ("network.init_args." if self.upsampled else "")
        return [f"{place}{name}={_word(value)}" for name, value in self.compact.items()]


def _word(value: Any) -> str:  # noqa: ANN401 - any constructor argument
    return yaml.safe_dump(list(value) if isinstance(value, tuple) else value, default_flow_style=True).split("\n")[0]
