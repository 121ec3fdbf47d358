"""Every fusion network of CO2IF's Table 1 at one small budget, in one table beside the printed numbers.

`hyperalign fusion-table --root CAVE` trains each row on equal patches for equal steps (`fusion/NAME` +
`fusion/compact/NAME` + `fusion/small_budget`; CO2IF by its own configurations), tests it on the same scenes and prints
means over them beside bicubic enlargement, with parameters, operations, and seconds and memory of one scene. A row
whose results exist is not run again, so an interrupted table goes on where it stopped, and several processes may share
the rows of one table.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    checked_names,
    finish,
    scored,
    table_parser,
    without,
)
from experiments.configuration.files import PACKAGED, find_config
from hyperalign.files import write_text

PRINTED = {
    "bdt": (48.16, 0.9822, 2.096, 1.891),
    "sstf_unet": (48.57, 0.9835, 2.295, 1.801),
    "fusionmamba": (48.85, 0.9859, 1.981, 1.776),
    "s2cyclediff": (48.66, 0.9854, 1.993, 1.798),
    "srlf": (49.19, 0.9864, 1.760, 1.695),
    "co2if": (50.25, 0.9886, 1.436, 1.462),
}
"""PSNR (dB), SSIM, SAM (degrees) and ERGAS on CAVE that CO2IF's Table 1 prints."""

METRICS = ("psnr", "ssim", "sam", "ergas")
BICUBIC = "bicubic"
SIDE, COUNTED = 256, 128
"""Height and width of the scene that is timed, and of the one whose operations are counted."""

TOKENS = 77
SETTINGS = ("--trainer.logger", "false", "--trainer.num_sanity_val_steps", "0")


def configs_of(row: str) -> tuple[str, ...]:
    """Return the packaged configurations of a row, laid over each other."""
    if row == BICUBIC:
        return ("co2if/cave", "co2if/bicubic")
    if row == "co2if":
        return ("co2if/cave", "co2if/compact", "fusion/small_budget")
    return (f"fusion/{row}", f"fusion/compact/{row}", "fusion/small_budget")


def rows_of(table: Table, row: str, seed: int) -> list[Scores]:
    """Return the scores of one row, scene by scene; the row is trained and tested where they do not exist yet."""
    own = replace(table, configs=(*configs_of(row), *table.configs))
    if row == BICUBIC:
        own = replace(own, extra=tuple(without(table.extra, ("model",))))
    return scored(own, table.folder(seed, row), row, seed, ["test" if row == BICUBIC else "adapt"])


def network_settings(row: str) -> tuple[str, dict[str, Any]]:
    """Return the network's class and the arguments that a row's packaged configurations give it."""
    kind = ""
    settings: dict[str, Any] = {}
    for config in configs_of(row):
        content = yaml.safe_load((PACKAGED / f"{config}.yaml").read_text(encoding="utf-8"))
        network = content.get("model", {}).get("init_args", {}).get("network", {})
        kind = network.get("class_path", kind)
        settings |= network.get("init_args", {})
    return kind, settings


def measured(kind: str, settings: dict[str, Any]) -> dict[str, float]:
    """Return a network's parameters, operations, and seconds and peak memory of one scene; call in a fresh process."""
    import torch

    from lightning_modules.metrics.memory import PeakMemory
    from lightning_modules.networks.flops import count_flops

    torch.manual_seed(0)
    network = getattr(importlib.import_module("lightning_modules"), kind)(**settings).eval()
    ratio, text = network.ratio, getattr(network, "text_guide", None)
    tokens = [] if text is None else [torch.zeros(1, TOKENS, text.adapters.text_width), None]

    def images(side: int) -> tuple[torch.Tensor, torch.Tensor]:
        low = side // ratio
        cube = torch.rand(1, network.input_channels, low, low)
        return cube, torch.rand(1, network.multispectral_channels, side, side)

    begin = time.perf_counter()
    with torch.no_grad(), PeakMemory() as peak:
        network(*images(SIDE), *tokens)
    found = {"seconds": time.perf_counter() - begin}
    found |= {} if peak.gibibytes is None else {"gibibytes": peak.gibibytes}
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return found | {"parameters": parameters, "gigaflops": count_flops(network, *images(COUNTED), *tokens).total / 1e9}


def costs(row: str, output: Path) -> dict[str, float]:
    """Return what a row's network costs, measured once in a process of its own."""
    path = output / "costs" / f"{row}.json"
    if not path.exists():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found = pool.submit(measured, *network_settings(row)).result()
        write_text(path, json.dumps(found))
    kept: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def summary(rows: Sequence[Scores], output: Path) -> str:
    """Return the Markdown table of means over scenes and seeds, costs, and what is printed."""
    lines = [
        f"| method | PSNR (dB) | SSIM | SAM (deg) | ERGAS | parameters | GFLOPs ({COUNTED} x {COUNTED}) | "
        f"s ({SIDE} x {SIDE}) | GiB | Table 1 prints |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in dict.fromkeys(one["model"] for one in rows):
        means = averages(rows, METRICS, model=row)
        cells = [row, f"{means['psnr']:.2f}", f"{means['ssim']:.4f}", f"{means['sam']:.2f}", f"{means['ergas']:.2f}"]
        if row == BICUBIC:
            cells += [""] * 5
        else:
            cost = costs(row, output)
            cells += [f"{cost['parameters']:,}", f"{cost['gigaflops']:.2f}", f"{cost['seconds']:.1f}"]
            cells += [
                f"{cost['gibibytes']:.2f}" if "gibibytes" in cost else "",
                "{:.2f} / {:.4f} / {:.3f} / {:.3f}".format(*PRINTED[row]),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    known = [BICUBIC, *PRINTED]
    parser = table_parser("fusion-table", __doc__, Path("results") / "fusion_table")
    parser.add_argument("--config", action="append", default=[], help="configuration laid over every row; repeatable")
    parser.add_argument("--rows", nargs="+", default=known, metavar="ROW", help=f"some of {', '.join(known)}")
    given, extra = arguments_of(parser, arguments)
    checked_names("method", given.rows, known)
    for config in given.config:
        find_config(config)
    table = Table(tuple(given.config), given.root, given.output, extra, SETTINGS)
    rows = [one for row in given.rows for seed in given.seeds for one in rows_of(table, row, seed)]
    return finish(given.output, rows, summary(rows, given.output))
