"""How many operations a fusion network takes: `hyperalign flops [--config co2if/cave] [--side 128]`.

The configuration's network and its ablations are counted beside the numbers of the paper's Table 3.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.markdown import Markdown

from lightning_modules import CO2IF
from lightning_modules.networks.flops import count_flops

TOKENS = 77
PRINTED = {"full": 106.67, "without_w": 98.48, "convolution": 86.83, "cross_attention": 124.55, "cobra": 111.75}
"""GFLOPs of CO2IF's Table 3; it does not say at which input."""

FOLDER = Path(__file__).resolve().parent.parent / "co2if"


def network_settings(config: str) -> dict[str, Any]:
    """Constructor arguments of the network of a packaged configuration or overlay."""
    content = yaml.safe_load((FOLDER / f"{config}.yaml").read_text())
    settings: dict[str, Any] = content["model"]["init_args"]["network"]["init_args"]
    return settings


def gigaflops(network: CO2IF, side: int) -> float:
    """Operations of one call in 1e9, a multiplication and an addition being two, at `side x side` target pixels."""
    low, text = side // network.ratio, network.text_guide
    tokens = torch.zeros(1, TOKENS, text.adapters.text_width) if text is not None else None
    cube = torch.rand(1, network.input_channels, low, low)
    image = torch.rand(1, network.multispectral_channels, side, side)
    return count_flops(network.eval(), cube, image, tokens, None).total / 1e9


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="hyperalign flops", description=__doc__)
    parser.add_argument(
        "--config", default="cave", help="a configuration in experiments/co2if: cave, harvard, chikusei"
    )
    parser.add_argument(
        "--rows", nargs="+", default=["full", *sorted(p.stem for p in (FOLDER / "ablations").iterdir())]
    )
    parser.add_argument("--side", type=int, default=128, help="height and width of the target in pixels")
    given = parser.parse_args(arguments)
    base = network_settings(given.config.removeprefix("co2if/"))
    lines = ["| row | parameters | GFLOPs | printed |", "| --- | ---: | ---: | ---: |"]
    for row in given.rows:
        torch.manual_seed(0)
        network = CO2IF(**(base | ({} if row == "full" else network_settings(f"ablations/{row}"))))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        printed = f"{PRINTED[row]:.2f}" if row in PRINTED else ""
        lines.append(f"| {row} | {parameters:,} | {gigaflops(network, given.side):.2f} | {printed} |")
    Console().print(Markdown("\n".join(lines) + "\n"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
