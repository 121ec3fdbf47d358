"""Counts how many operations a fusion network takes, beside the numbers of CO2IF's Table 3.

`hyperalign flops --config co2if/cave --side 128` counts the configuration's network and its ablations.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

from experiments.configuration.command_parser import CommandParser
from experiments.configuration.files import PACKAGED, find_config
from experiments.configuration.names import checked_names
from experiments.ending import last_lines
from hyperalign.errors import UsageError

if TYPE_CHECKING:
    from lightning_modules import CO2IF

TOKENS = 77
PRINTED = {"full": 106.67, "without_w": 98.48, "convolution": 86.83, "cross_attention": 124.55, "cobra": 111.75}
"""GFLOPs of CO2IF's Table 3; it does not say at which input."""

FOLDER = PACKAGED / "co2if"


def network_settings(config: str) -> dict[str, Any]:
    """Return the constructor arguments of the network of a configuration or overlay of CO2IF.

    Raises:
        ConfigNotFoundError: where there is no such configuration.
        UsageError: where its network is not CO2IF.
    """
    name = config.removeprefix("co2if/")
    packaged = FOLDER / f"{name}.yaml"
    content = yaml.safe_load((packaged if packaged.is_file() else find_config(config)).read_text(encoding="utf-8"))
    try:
        network = content["model"]["init_args"]["network"]
        settings: dict[str, Any] = network["init_args"]
    except (KeyError, TypeError) as error:
        raise UsageError(f"The config {config!r} has no network: name one in co2if, such as co2if/cave.") from error
    if str(network.get("class_path", "CO2IF")).rpartition(".")[2] != "CO2IF":
        raise UsageError(f"The config {config!r} is of {network['class_path']}, and only CO2IF is counted.")
    return settings


def gigaflops(network: CO2IF, side: int) -> float:
    """Return the operations of one call in 1e9, a multiplication and an addition being two.

    Args:
        network: the network.
        side: height and width of the target in pixels.
    """
    import torch

    from lightning_modules.networks.flops import count_flops

    low, text = side // network.ratio, network.text_guide
    tokens = torch.zeros(1, TOKENS, text.adapters.text_width) if text is not None else None
    cube = torch.rand(1, network.input_channels, low, low)
    image = torch.rand(1, network.multispectral_channels, side, side)
    return count_flops(network.eval(), cube, image, tokens, None).total / 1e9


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    known = ["full", *sorted(path.stem for path in (FOLDER / "ablations").glob("*.yaml"))]
    parser = CommandParser("flops", __doc__)
    parser.add_argument("--config", default="co2if/cave", help="co2if/cave, co2if/harvard, co2if/chikusei or your own")
    parser.add_argument("--rows", nargs="+", default=known, metavar="ROW", help=f"some of {', '.join(known)}")
    parser.add_argument("--side", type=int, default=128, help="height and width of the target in pixels")
    given = parser.parse_args(arguments)
    checked_names("ablation", given.rows, known)
    base = network_settings(given.config)
    if given.side < 1 or given.side % int(base.get("ratio", 8)):
        raise UsageError(
            f"A target of {given.side} pixels is no multiple of the ratio {base.get('ratio', 8)}: set --side."
        )
    import torch
    from rich.console import Console
    from rich.markdown import Markdown

    from lightning_modules import CO2IF

    lines = ["| row | parameters | GFLOPs | printed |", "| --- | ---: | ---: | ---: |"]
    for row in given.rows:
        torch.manual_seed(0)
        network = CO2IF(**(base | ({} if row == "full" else network_settings(f"ablations/{row}"))))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        printed = f"{PRINTED[row]:.2f}" if row in PRINTED else ""
        lines.append(f"| {row} | {parameters:,} | {gigaflops(network, given.side):.2f} | {printed} |")
    Console().print(Markdown("\n".join(lines) + "\n"))
    sys.stdout.write(last_lines({}, ["fit", "--config", given.config, "--data.root", "DATA"]))
    return 0
