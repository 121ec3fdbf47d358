"""The README's table of backbones: `python -m tests.benchmarks.backbone_table [--side 512] [--scan NAME] [STEM ...]`.

Network, parameters, task and licence of the published code, error against its recorded outputs, and CPU seconds and
memory of restoring one 31-band scene on one core, each network in a process of its own, in the tiles its configuration
names. CPU seconds, because they depend little on what else the machine does. `--scan` names the implementation of the
selective scan of the networks that have one. Needs the reference outputs (HYPERALIGN_SHARED).
"""

from __future__ import annotations

import importlib.util
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

import lightning_modules
from lightning_modules.restorer.tiles import in_tiles
from tests.backbones import CONFIGS, STEMS, Backbone
from tests.benchmarks.rows import arguments_of, print_rows

HEADER = (
    "| network | task | parameters | published code: licence | golden error | 31 x {0} x {0} | memory |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def golden_error(backbone: Backbone, family: Path) -> tuple[float, str]:
    """Relative error of the output against the recorded one, and the licence of the published code."""
    path = family.parent / "golden.py"
    spec = importlib.util.spec_from_file_location("golden", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} cannot be read; set HYPERALIGN_SHARED to the folder of the reference data.")
    golden: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)
    case, outputs = golden.load_case(family, backbone.stem)
    settings, more = backbone.published, tuple[Tensor, ...]()
    if "text_embedding" in case["input"]:
        drawn = 13 * golden.draw_parameter(
            "text_embedding", tuple(case["input"]["text_embedding"]["shape"]), case["seed"]
        )
        settings = settings | {"text_embedding": drawn}
        more = (torch.tensor(case["input"]["task_id"]),)
    network = backbone.kind(**settings)
    lightning_modules.load_official_state(network, golden.official_state(case))
    cube = golden.draw_input(case["input"]["name"], tuple(case["input"]["shape"]), case["seed"])
    expected = outputs["out" if "out" in outputs else "output"]
    with torch.no_grad():
        restored = network.eval()(cube.squeeze(1) if cube.ndim == 5 else cube, *more)
    return float(golden.relative_error(restored.reshape(expected.shape), expected)), case["source"]["licence"]


def scene_cost(backbone: Backbone, side: int) -> tuple[float, float, int | None]:
    """Seconds and additional peak GiB of restoring one scene, and the side of its tiles."""
    settings = yaml.safe_load((CONFIGS / f"{backbone.stem}.yaml").read_text())["model"]["init_args"]
    tile: int | None = settings.get("tile")
    torch.manual_seed(0)
    network: nn.Module = backbone.kind(**backbone.published).eval()
    if backbone.upsampled:
        network = lightning_modules.UpsampledInput(network, 4)
    cube: Tensor = torch.rand(1, 31, side // 4, side // 4) if backbone.enlarges else torch.rand(1, 31, side, side)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    in_tiles(network, cube, tile=tile)
    seconds = time.process_time() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20, tile


def row(stem: str, side: int, scan: str) -> str:
    """One line of the table."""
    backbone = Backbone(stem)
    if "scan_backend" in backbone.published:
        backbone.published = backbone.published | {"scan_backend": scan}
    root = Path(os.environ["HYPERALIGN_SHARED"]) / "golden"
    family = next(one for one in (root / "restoration", root / "superresolution") if (one / f"{stem}.json").exists())
    error, licence = golden_error(backbone, family)
    parameters = sum(parameter.numel() for parameter in backbone.kind(**backbone.published).parameters())
    seconds, memory, tile = scene_cost(backbone, side)
    task = "super-resolution x4" if backbone.enlarges else "restoration"
    cost = f"{seconds:.0f} s" + (f" (tiles of {tile})" if tile else "")
    name = getattr(backbone.kind, "__name__", stem)
    return f"| {name} | {task} | {parameters:,} | {licence} | {error:.0e} | {cost} | {memory:.1f} GiB |"


def main() -> int:
    """Print the table row by row."""
    arguments = arguments_of(__doc__, STEMS, 512, scan="auto")
    header = HEADER.format(arguments.side)
    return print_rows(
        "tests.benchmarks.backbone_table", header, arguments, lambda stem: row(stem, arguments.side, arguments.scan)
    )


if __name__ == "__main__":
    sys.exit(main())
