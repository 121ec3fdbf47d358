"""Sources of training scenes beside each other: alignment, diversity, seconds, and what adaptation gains from them.

`hyperalign guide_table --root DATA` adapts the shipped denoiser to real CAVE scenes once for each row, all
with the same proxies, steps and noise, and prints one table (compare Tables VIII and IX of HIR-ALIGN). A row is a
packaged overlay: `photometric`, `proxy_diffusion`, `unclip`, `unclip_original`, `hsigene` or `external_cubes`;
`proxies` synthesises nothing. A row may also be an overlay of yours, by its path: those of `unclip`, `hsigene` and
`external_cubes` usually need one that names files. A row whose results exist is not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from lightning import Trainer
from rich.console import Console
from rich.markdown import Markdown

from callbacks.adaptation.generated_training import GeneratedTraining
from callbacks.adaptation.synthesis import DistributionAdaptiveSynthesis
from callbacks.adaptation.synthesised_scenes import synthesised_quality
from callbacks.adaptation.training_scenes import AfterProxies
from experiments.cli import run
from experiments.commands.study import EPOCHS, SETS, SOURCE_ONLY, Study, averages, tested, write_rows
from experiments.configuration.errors import ConfigError
from hyperalign.files import put_in_place, write_text

log = logging.getLogger(__name__)
PACKAGED = Path(__file__).resolve().parent.parent
PROXIES = "proxies"
ROWS = (PROXIES, "photometric", "proxy_diffusion")
"""The rows that need no files beside the scenes."""


@dataclass(frozen=True)
class Facts:
    """What is measured about a row's scenes before anything is trained on them; None where there is nothing to measure.

    Attributes:
        alignment: mean SSIM of the guides to their proxies.
        diversity: mean of 1 - SSIM between the guides of one proxy.
        training_seconds: spent on training the source, all proxies together.
        scene_seconds: spent on one guide, or on one whole cube of a cube source.
        transfer_seconds: spent on the spectral transfer to one guide.
    """

    alignment: float | None = None
    diversity: float | None = None
    training_seconds: float | None = None
    scene_seconds: float | None = None
    transfer_seconds: float | None = None


def overlay(row: str) -> str:
    """Return the configuration of a row: a packaged one's name, or a path.

    Raises:
        ConfigError: where there is none.
    """
    names = [f"guides/{row}", f"sources/{row}"]
    found = next((name for name in names if (PACKAGED / f"{name}.yaml").is_file()), None)
    if found is None and not Path(row).is_file():
        packaged = sorted(path.stem for folder in ("guides", "sources") for path in PACKAGED.glob(f"{folder}/*.yaml"))
        raise ConfigError(
            f"The guide table knows no row {row}: name one of {', '.join([PROXIES, *packaged])}, or an overlay's path."
        )
    return found or row


def measured(trainer: Trainer) -> Facts:
    """Facts about what a finished fit trained on."""
    stage = next((one for one in cast("Any", trainer).callbacks if isinstance(one, AfterProxies)), None)
    if isinstance(stage, GeneratedTraining):
        return Facts(scene_seconds=_mean([one.metadata.get("seconds") for one in stage.generated]))
    if not isinstance(stage, DistributionAdaptiveSynthesis) or not stage.synthesised:
        return Facts()
    quality = synthesised_quality(stage.synthesised)
    return Facts(
        quality.alignment if quality else None,
        quality.diversity if quality else None,
        _mean([one.guide_metadata.get("training_seconds") for one in stage.synthesised]),
        _mean([one.guide_metadata.get("seconds") for one in stage.synthesised]),
        _mean([one.metadata.get("seconds") for one in stage.synthesised]),
    )


def label(row: str) -> str:
    """What a row is called in the table: a packaged overlay's name, or the name of the user's file."""
    return Path(row).stem


def adapted(study: Study, row: str, seed: int) -> tuple[Path, Facts]:
    """Checkpoint and facts of one row, made where they do not exist yet."""
    folder = study.output / f"seed_{seed}" / label(row)
    checkpoint, facts = folder / f"epoch_{EPOCHS - 1}.ckpt", folder / "facts.json"
    if not (checkpoint.exists() and facts.exists()):
        log.info("seed %d, %s: adapting", seed, row)
        extra = ["--synthesis.init_args.training", "proxy_only"] if row == PROXIES else ["--config", overlay(row)]
        words = [*study.arguments(seed, folder), *extra, *study.stages(), "--trainer.max_epochs", str(EPOCHS)]
        command = run(["fit", *words])
        write_text(facts, json.dumps(asdict(measured(command.trainer))) + "\n")
        written = Path(cast("Any", command.trainer.checkpoint_callback).dirpath)
        put_in_place(written / checkpoint.name, checkpoint)
    return checkpoint, Facts(**json.loads(facts.read_text(encoding="utf-8")))


def summary(rows: Sequence[dict[str, str]], facts: dict[str, list[Facts]]) -> str:
    """Markdown table, means over seeds and scenes; gains are over the source-only restorer."""
    lines = [
        "| source | alignment | diversity | training (s) | guide or cube (s) | transfer (s) "
        "| observed: PSNR (gain) | unobserved: PSNR (gain) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base = {name: averages(rows, SOURCE_ONLY, name)["psnr"] for name in SETS}
    gains = " | ".join(f"{base[name]:.2f}" for name in SETS)
    lines.append(f"| source-only | | | | | | {gains} |")
    for row, found in facts.items():
        values = {key: [one[key] for one in map(asdict, found)] for key in asdict(Facts())}
        cells = [shown(values["alignment"], 3), shown(values["diversity"], 3)]
        cells += [shown(values[f"{key}_seconds"], 1) for key in ("training", "scene", "transfer")]
        for name in SETS:
            psnr = averages(rows, row, name)["psnr"]
            cells.append(f"{psnr:.2f} ({psnr - base[name]:+.2f})")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def shown(values: Sequence[float | None], digits: int) -> str:
    """Mean of what was measured, or nothing."""
    mean = _mean(values)
    return "" if mean is None else f"{mean:.{digits}f}"


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of the known values; a store of an older version does not know all of them."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = argparse.ArgumentParser(prog="hyperalign guide_table", description=__doc__)
    parser.add_argument("--task", default="gaussian", help="a packaged task: gaussian, complex, super_resolution, ...")
    parser.add_argument("--data", default="hir_align/cave_target", help="config with the target scenes")
    parser.add_argument("--root", default=None, help="folder of the data set")
    parser.add_argument("--source", default=None, help="checkpoint trained on the source for this task")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), help="packaged overlays, or paths of your own")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--output", type=Path, default=Path("results") / "guides")
    given, extra = parser.parse_known_args(arguments)
    source = given.source or str(PACKAGED / "hir_align" / "checkpoints" / f"{given.task}.ckpt")
    for row in set(given.rows) - {PROXIES}:
        overlay(row)
    study = Study(given.task, given.data, source, given.root, given.output, tuple(extra))
    rows: list[dict[str, str]] = []
    facts: dict[str, list[Facts]] = {}
    for seed in given.seeds:
        rows += tested(study, seed, SOURCE_ONLY, None)
        for row in given.rows:
            checkpoint, found = adapted(study, row, seed)
            facts.setdefault(label(row), []).append(found)
            rows += tested(study, seed, label(row), checkpoint)
    write_rows(given.output / "scenes.csv", rows)
    table = summary(rows, facts)
    write_text(given.output / "table.md", table)
    Console().print(Markdown(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
