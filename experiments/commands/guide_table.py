"""Guides and generators beside each other: alignment, diversity, seconds, and what adaptation gains from them.

`hyperalign guide-table --root DATA` adapts the shipped denoiser to real CAVE scenes once for each row, all
with the same proxies, steps and noise, and prints one table (compare Tables VIII and IX of HIR-ALIGN). A row is a
packaged overlay: `photometric`, `proxy_diffusion`, `unclip`, `unclip_original`, `hsigene` or `external_cubes`;
`proxies` synthesises nothing. A row may also be an overlay of yours, by its path: those of `unclip`, `hsigene` and
`external_cubes` usually need one that names files. A row whose results exist is not run again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

from experiments.commands.study import EPOCHS, METRICS, SETS, SOURCE_ONLY, Study, study_of, tested
from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    best_restoring,
    finish,
    fitted,
    table_parser,
)
from experiments.configuration.errors import ConfigError
from experiments.configuration.files import PACKAGED
from hyperalign.files import write_text

if TYPE_CHECKING:
    from lightning import Trainer

PROXIES = "proxies"
ROWS = (PROXIES, "photometric", "proxy_diffusion")
"""The rows that need no files beside the scenes."""


@dataclass(frozen=True)
class Facts:
    """What is measured about a row's scenes before anything is trained on them; None where there is nothing to measure.

    Attributes:
        alignment: mean SSIM of the guides to their proxies.
        diversity: mean of 1 - SSIM between the guides of one proxy.
        training_seconds: spent on training the guides' network, all proxies together.
        scene_seconds: spent on one guide, or on one whole cube of a generator.
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
    names = [f"guides/{row}", f"generators/{row}"]
    found = next((name for name in names if (PACKAGED / f"{name}.yaml").is_file()), None)
    if found is None and not Path(row).is_file():
        packaged = sorted(
            path.stem for folder in ("guides", "generators") for path in PACKAGED.glob(f"{folder}/*.yaml")
        )
        raise ConfigError(
            f"The guide table knows no row {row}: name one of {', '.join([PROXIES, *packaged])}, or an overlay's path."
        )
    return found or row


def measured(trainer: Trainer) -> Facts:
    """Return the facts about what a finished fit trained on."""
    from callbacks.adaptation.generated_training import GeneratedTraining
    from callbacks.adaptation.synthesis import DistributionAdaptiveSynthesis
    from callbacks.adaptation.synthesised_scenes import synthesised_quality
    from callbacks.adaptation.training_scenes import AfterProxies

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
    """Return what a row is called in the table: a packaged overlay's name, or the name of the user's file."""
    return Path(row).stem


def adapted(study: Study, row: str, seed: int) -> tuple[Path, Facts]:
    """Return checkpoint and facts of one row, made where they do not exist yet."""
    folder = study.table.folder(seed, label(row))
    checkpoint, facts = folder / f"epoch_{study.epochs - 1}.ckpt", folder / "facts.json"
    if not facts.exists():
        checkpoint.unlink(missing_ok=True)
    words = ["--synthesis.training", "proxy_only"] if row == PROXIES else ["--config", overlay(row)]
    words += [*study.stages(), "--trainer.max_epochs", str(study.epochs)]
    command = fitted(study.recipe("paper"), [checkpoint], seed, words)
    if command is not None:
        write_text(facts, json.dumps(asdict(measured(command.trainer))) + "\n")
    return checkpoint, Facts(**json.loads(facts.read_text(encoding="utf-8")))


def summary(rows: Sequence[Scores], facts: dict[str, list[Facts]]) -> str:
    """Return the Markdown table, means over seeds and scenes; gains are over the source-only restorer."""
    lines = [
        "| training scenes | alignment | diversity | training (s) | guide or cube (s) | transfer (s) "
        "| observed: PSNR (gain) | unobserved: PSNR (gain) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base = {name: averages(rows, METRICS, model=SOURCE_ONLY, test_set=name)["psnr"] for name in SETS}
    gains = " | ".join(f"{base[name]:.2f}" for name in SETS)
    lines.append(f"| source-only | | | | | | {gains} |")
    for row, found in facts.items():
        values = {key: [one[key] for one in map(asdict, found)] for key in asdict(Facts())}
        cells = [shown(values["alignment"], 3), shown(values["diversity"], 3)]
        cells += [shown(values[f"{key}_seconds"], 1) for key in ("training", "scene", "transfer")]
        for name in SETS:
            psnr = averages(rows, METRICS, model=row, test_set=name)["psnr"]
            cells.append(f"{psnr:.2f} ({psnr - base[name]:+.2f})")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def shown(values: Sequence[float | None], digits: int) -> str:
    """Return the mean of what was measured, or nothing."""
    mean = _mean(values)
    return "" if mean is None else f"{mean:.{digits}f}"


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the known values; a store of an older version does not know all of them."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = table_parser("guide-table", __doc__, Path("results") / "guides")
    parser.add_argument("--task", default="gaussian", help="a packaged task: gaussian, complex, super_resolution, ...")
    parser.add_argument("--data", default="hir_align/cave_target", help="config with the target scenes")
    parser.add_argument("--source", default=None, help="checkpoint trained on the source for this task")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="length of one adaptation; 4 by default")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), help="packaged overlays, or paths of your own")
    given, extra = arguments_of(parser, arguments)
    for row in dict.fromkeys(given.rows):
        if row != PROXIES:
            overlay(row)
    table = Table((), given.root, given.output, extra)
    study = study_of(given.task, given.data, given.source, table, epochs=given.epochs)
    rows: list[Scores] = []
    facts: dict[str, list[Facts]] = {}
    made: dict[str, list[str]] = {}
    for seed in given.seeds:
        rows += tested(study, seed, SOURCE_ONLY, None)
        for row in given.rows:
            checkpoint, found = adapted(study, row, seed)
            facts.setdefault(label(row), []).append(found)
            made.setdefault(label(row), ["--ckpt_path", str(checkpoint)])
            rows += tested(study, seed, label(row), checkpoint)
    following = best_restoring(rows, "Folder", made, test_set="unobserved")
    return finish(given.output, rows, summary(rows, facts), following)
