"""Adaptation end to end on the embedded scenes: proxies, guides, transfer, finetuning and scores in one run each."""

from __future__ import annotations

import csv
from pathlib import Path

from experiments.cli import run
from experiments.commands.gpu_check.measuring import spent
from experiments.commands.gpu_check.task import Task
from experiments.configuration.files import source_checkpoint

CONFIGS = ("backbones/sert_compact", "data/sample_scenes", "tasks/gaussian", "hir_align/adapt", "hir_align/study")
SETTINGS = ("--data.role", "target", "--results.compare_source", "true", "--verbose", "false", "--seed_everything", "0")
SMALL = (
    *("--data.crop", "32", "--data.patch_size", "16", "--data.patches_per_epoch", "16", "--trainer.max_epochs", "1"),
    *("--synthesis.ratio", "1", "--synthesis.transfer.steps", "5"),
)
"""A run of four steps, for a CPU."""

FULL = ("--data.crop", "128", "--trainer.max_epochs", "4")
DECIBELS = 0.05
"""By which a small run's PSNR on the device may differ from a CPU's."""

SETS = ("observed", "unobserved")


def check(task: Task) -> None:
    """Adapt on the device in each precision, and a small run beside a CPU's."""
    here = _adapted(task, "small, on the device", "32-true", SMALL, task.device.type)
    there = _adapted(task, "small, on a CPU", "32-true", SMALL, "cpu") if task.device.type != "cpu" else here
    apart = max(abs(here[name] - there[name]) for name in SETS)
    task.note.line("PSNR of the small run as on a CPU", apart <= DECIBELS, decibels_apart=apart)
    if task.quick:
        _adapted(task, "small, bf16-mixed", "bf16-mixed", SMALL, task.device.type)
        return
    for precision in ("32-true", "bf16-mixed"):
        found = _adapted(task, precision, precision, FULL, task.device.type)
        gain = found["observed"] - found["source observed"]
        task.note.line(f"{precision}: gain on the observed scenes", gain > 0, decibels=gain)


def _adapted(task: Task, name: str, precision: str, settings: tuple[str, ...], kind: str) -> dict[str, float]:
    """Adapt once and return the mean PSNR of each test set, and with `source` before it that of the source."""
    folder = task.folder / name.replace(" ", "_").replace(",", "")
    with spent(task.device) as taken:
        command = run(words_of(folder, task.folder / "cache", precision, settings, kind))
    found = _scores(folder / "results.csv")
    task.note.line(
        name,
        steps=command.trainer.global_step,
        seconds=taken.seconds,
        gibibytes=taken.gibibytes,
        **{f"decibels_{key.replace(' ', '_')}": value for key, value in found.items()},
    )
    return found


def words_of(folder: Path, cache: Path, precision: str, settings: tuple[str, ...], kind: str) -> list[str]:
    """Return the command line of one run.

    Args:
        folder: of all that it writes, so that no earlier run's stages are found again.
        cache: of the scenes, which all runs share.
        precision: as Lightning names it.
        settings: of its size.
        kind: of the device, `cuda` or `cpu`.
    """
    words = [word for config in CONFIGS for word in ("--config", config)]
    words += ["--model.source", source_checkpoint("gaussian", None), *SETTINGS, *settings]
    words += ["--trainer.accelerator", "gpu" if kind == "cuda" else kind, "--trainer.devices", "1"]
    words += ["--trainer.precision", precision, "--trainer.logger", "false", "--data.cache", str(cache)]
    places = {"trainer.default_root_dir": "", "proxy.store": "store", "results.folder": ""}
    return ["adapt", *words, *(word for key, part in places.items() for word in (f"--{key}", str(folder / part)))]


def _scores(path: Path) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            source = "source " if line["model"].startswith("source") else ""
            groups.setdefault(source + line["test_set"], []).append(float(line["psnr"]))
    return {name: sum(values) / len(values) for name, values in groups.items()}
