"""Every fusion network of CO2IF's Table 1 at one small budget, in one table beside the printed numbers.

`hyperalign fusion_table --root CAVE` trains each row on the same patches for the same number of steps (`fusion/NAME` +
`fusion/compact/NAME` + `fusion/small_budget`; CO2IF by its own configurations), tests it on the same scenes and prints
means over them beside bicubic enlargement, with parameters, operations, and seconds and memory of one scene. A row
whose results exist is not run again, so an interrupted table goes on where it stopped, and several processes may share
the rows of one table.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from experiments.cli import run
from hyperalign.files import write_text

log = logging.getLogger(__name__)

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
SIDE = 128
"""Height and width of the target for which operations are counted."""


def configs_of(row: str) -> list[str]:
    """Packaged configurations of a row, laid over each other."""
    if row == BICUBIC:
        return ["co2if/cave", "fusion/small_budget", "co2if/bicubic"]
    if row == "co2if":
        return ["co2if/cave", "co2if/compact", "fusion/small_budget"]
    return [f"fusion/{row}", f"fusion/compact/{row}", "fusion/small_budget"]


def fill_row(row: str, folder: Path, words: Sequence[str]) -> None:
    """Train and test a row, measure it, and write `results.csv` and `costs.json` into its folder."""
    names = [word for name in configs_of(row) for word in ("--config", name)]
    common = ["--trainer.default_root_dir", str(folder), "--trainer.logger", "false"]
    common += ["--trainer.num_sanity_val_steps", "0", "--results.init_args.folder", str(folder)]
    common += ["--results.init_args.name", row]
    if row == BICUBIC:
        run(["test", *names, *words, *common, "--verbose", "false"])
        return
    log.info("%s: training", row)
    command = run(["fit", *names, *words, *common])
    command.trainer.test(command.model, datamodule=command.datamodule, verbose=False)
    write_text(folder / "costs.json", json.dumps(costs(command.model, command.datamodule)))


def costs(module: Any, data: Any) -> dict[str, float]:  # noqa: ANN401 - of any command
    """Parameters, operations of one call, and seconds and peak memory of restoring one test scene."""
    import torch

    from lightning_modules.networks.flops import count_flops

    network = module.network.eval()
    low = SIDE // network.ratio
    cube = torch.rand(1, network.input_channels, low, low)
    image = torch.rand(1, network.multispectral_channels, SIDE, SIDE)
    batch = next(iter(data.test_dataloader()[0]))
    _, text = module.inputs(batch)
    products = count_flops(network, cube, image, *text).total
    begin = time.perf_counter()
    with torch.no_grad():
        module.restore(batch, tile=module.tile)
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "gigaflops": products / 1e9,
        "seconds": time.perf_counter() - begin,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def summary(rows: Sequence[str], output: Path) -> str:
    """Markdown table of the rows whose results are in the folder."""
    lines = [
        f"| method | PSNR (dB) | SSIM | SAM (deg) | ERGAS | parameters | GFLOPs at {SIDE} x {SIDE} | s a scene | "
        "peak GiB | Table 1 prints |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        with (output / row / "results.csv").open(newline="", encoding="utf-8") as file:
            scenes = list(csv.DictReader(file))
        psnr, ssim, sam, ergas = (mean(float(scene[metric]) for scene in scenes) for metric in METRICS)
        cells = [row, f"{psnr:.2f}", f"{ssim:.4f}", f"{sam:.2f}", f"{ergas:.2f}"]
        if (path := output / row / "costs.json").exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            cells += [f"{found['parameters']:,}", f"{found['gigaflops']:.2f}"]
            cells += [f"{found['seconds']:.1f}", f"{found['peak_gib']:.2f}"]
        else:
            cells += [""] * 4
        printed = PRINTED.get(row)
        cells.append("{:.2f} / {:.4f} / {:.3f} / {:.3f}".format(*printed) if printed else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` into its output folder."""
    known = [BICUBIC, *PRINTED]
    parser = argparse.ArgumentParser(prog="hyperalign fusion_table", description=__doc__)
    parser.add_argument("--root", default=None, help="folder of the data set")
    parser.add_argument("--config", action="append", default=[], help="laid over every row; repeatable")
    parser.add_argument("--rows", nargs="+", default=known, choices=known, metavar="ROW", help=", ".join(known))
    parser.add_argument("--output", type=Path, default=Path("results") / "fusion_table")
    given, extra = parser.parse_known_args(arguments)
    words = [word for name in given.config for word in ("--config", name)]
    words += ["--data.init_args.root", given.root] if given.root else []
    for row in given.rows:
        if not (given.output / row / "results.csv").exists():
            fill_row(row, given.output / row, [*words, *extra])
    table = summary([row for row in known if (given.output / row / "results.csv").exists()], given.output)
    write_text(given.output / "table.md", table)
    Console().print(Markdown(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
