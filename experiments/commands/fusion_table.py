"""Every fusion network of CO2IF's Table 1 at one budget, in one table beside the printed numbers.

`hyperalign fusion-table --root CAVE` trains each network on equal patches for equal steps (`fusion/NAME` +
`fusion/compact/NAME` + `fusion/small_budget`; CO2IF by its own configurations), tests it on the same scenes and prints
means over scenes, and their spread over seeds, beside bicubic enlargement and the training-free methods, with
parameters, operations, and seconds and memory of one test scene on the device of the run. `--size published` leaves
out `fusion/compact/NAME`. A row whose results exist is not run again, so an interrupted table goes on where it stopped,
and several processes may share one output folder, each with rows or seeds of its own; the command with all rows and
seeds then runs nothing and prints the whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from experiments.commands.ablations import spreads
from experiments.commands.fusion_solvers import METHODS
from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    best_restoring,
    costs_of_a_scene,
    finish,
    newest_checkpoint,
    scored,
    table_parser,
    without,
)
from experiments.configuration.files import find_config
from experiments.configuration.names import checked_names

if TYPE_CHECKING:
    from experiments.configuration.lightning_cli import HyperalignCLI

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
UNTRAINED = (BICUBIC, *METHODS)
"""Rows that learn nothing."""

SIZES = ("compact", "published")
COUNTED = 128
"""Height and width of the scene whose operations are counted."""

TOKENS = 77
SETTINGS = ("--trainer.logger", "false", "--trainer.num_sanity_val_steps", "0")


def configs_of(row: str, size: str = "compact") -> tuple[str, ...]:
    """Return the packaged configurations of a row, laid over each other.

    Args:
        row: a network, or one of `UNTRAINED`.
        size: of the network, one of `SIZES`.
    """
    if row in UNTRAINED:
        return ("co2if/bicubic" if row == BICUBIC else f"solvers/{row}",)
    forms = ("co2if/cave", "co2if/compact") if row == "co2if" else (f"fusion/{row}", f"fusion/compact/{row}")
    return (*forms[: 1 + (size == "compact")], "fusion/small_budget")


def rows_of(table: Table, row: str, seed: int, size: str = "compact") -> list[Scores]:
    """Return the scores of one row, scene by scene; the row is trained and tested where they do not exist yet."""
    if row not in UNTRAINED:
        own = replace(table, configs=(*configs_of(row, size), *table.configs))
        return scored(own, table.folder(seed, row), row, seed, ["adapt"], costs)
    # Their model comes last, in the place of a network's, to which alone the settings of models belong.
    configs = ("co2if/cave", "fusion/small_budget", *table.configs, *configs_of(row))
    own = replace(table, configs=configs, extra=tuple(without(table.extra, ("model",))))
    return scored(own, table.folder(seed, row), row, seed, ["test"], costs)


def costs(command: HyperalignCLI) -> dict[str, float]:
    """Return what a tested row costs: seconds and memory of a scene on its device, parameters, operations."""
    from lightning_modules.metrics.device_cost import DeviceCost
    from lightning_modules.training_free import TrainingFreeModule

    model: Any = command.model
    if isinstance(model, TrainingFreeModule):
        return costs_of_a_scene(command)
    device = command.trainer.strategy.root_device
    batch = next(iter(command.datamodule.test_dataloader()[0]))
    model.to(device)
    with command.trainer.precision_plugin.forward_context(), DeviceCost(device) as cost:
        model.restore(batch)
    found = {"seconds": cost.seconds} | ({} if cost.gibibytes is None else {"gibibytes": cost.gibibytes})
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    return found | ({"parameters": parameters, "gigaflops": gigaflops(model.cpu().network)} if parameters else {})


def gigaflops(network: Any) -> float:  # noqa: ANN401 - any fusion network
    """Return the operations of one scene of `COUNTED` pixels a side in 1e9, all steps of a sampling network counted."""
    import torch

    from lightning_modules import S2CycleDiff
    from lightning_modules.networks.flops import count_flops

    low, text = COUNTED // network.ratio, getattr(network, "text_guide", None)
    tokens = [] if text is None else [torch.zeros(1, TOKENS, text.adapters.text_width), None]
    images = (
        torch.rand(1, network.input_channels, low, low),
        torch.rand(1, network.multispectral_channels, COUNTED, COUNTED),
    )

    def counted() -> float:
        return count_flops(network.float().eval(), *images, *tokens).total / 1e9

    if not isinstance(network, S2CycleDiff):
        return counted()
    # Every step takes the same: two and three of them say what all take.
    given, few = network.steps, list[float]()
    for network.steps in (2, 3):
        few.append(counted())
    network.steps = given
    return few[0] + ((given or network.schedule.steps) - 2) * (few[1] - few[0])


def summary(rows: Sequence[Scores]) -> str:
    """Return the Markdown table: mean and spread over seeds, costs, and what is printed."""
    lines = [
        f"| method | PSNR (dB) | SSIM | SAM (deg) | ERGAS | parameters | GFLOPs ({COUNTED} x {COUNTED}) | "
        "s a scene | GiB a scene | Table 1 prints |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in dict.fromkeys(one["model"] for one in rows):
        own = [one for one in rows if one["model"] == row]
        seeds = dict.fromkeys(one["seed"] for one in own)
        cells = [row, *spreads([averages(own, METRICS, seed=seed) for seed in seeds])]
        for name, form, over in (
            ("parameters", ",.0f", max),
            ("gigaflops", ".2f", max),
            ("seconds", ".2f", fmean),
            ("gibibytes", ".2f", max),
        ):
            values = [float(one[name]) for one in own if one.get(name)]
            cells.append(format(over(values), form) if values else "")
        cells.append("{:.2f} / {:.4f} / {:.3f} / {:.3f}".format(*PRINTED[row]) if row in PRINTED else "")
        lines.append(f"| {' | '.join(cells)} |")
    seeds = dict.fromkeys(one["seed"] for one in rows)
    if len(seeds) > 1:
        lines.append(f"\nSeeds {', '.join(seeds)}; ± is the standard deviation over seeds.")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    known = [*UNTRAINED, *PRINTED]
    parser = table_parser("fusion-table", __doc__, Path("results") / "fusion_table")
    parser.add_argument("--config", action="append", default=[], help="configuration laid over every row; repeatable")
    parser.add_argument("--rows", nargs="+", default=known, metavar="ROW", help=f"some of {', '.join(known)}")
    parser.add_argument(
        "--size", choices=SIZES, default=SIZES[0], help="of the networks; another needs an output of its own"
    )
    given, extra = arguments_of(parser, arguments)
    checked_names("method", given.rows, known)
    for config in given.config:
        find_config(config)
    table = Table(tuple(given.config), given.root, given.output, extra, SETTINGS)
    rows = [one for row in given.rows for seed in given.seeds for one in rows_of(table, row, seed, given.size)]
    made = {
        row: ["--config", f"solvers/{row}"] if row in METHODS else newest_checkpoint(table.folder(given.seeds[0], row))
        for row in given.rows
    }
    return finish(given.output, rows, summary(rows), best_restoring(rows, "FusionPair", made))
