"""Shows what people with a camera and nothing clean do: adapts a shipped source to a folder of noisy cubes.

`hyperalign demo` writes the sample scenes' target domain as noisy ENVI files into a folder, and runs `hyperalign adapt`
on that folder (`data/own_cubes`, `hir_align/demo`): the noise is estimated, nothing clean is trained on. Then it prints
source-only beside adapted, and the estimated gain beside the true one, which only a demonstration can know, and writes
`report.html`, a page with the scenes to browse.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli import run
from experiments.commands.tables import arguments_of
from experiments.configuration.command_parser import CommandParser
from experiments.configuration.files import source_checkpoint
from experiments.configuration.filled_in.own_cubes import TRAINED
from experiments.ending import ending
from experiments.page.single import page_of_run, scenes_folder
from hyperalign.files import replacing, write_text

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

CONFIGS = ("backbones/sert_compact", "hir_align/adapt", "data/own_cubes", "hir_align/demo")
SOURCE = source_checkpoint("gaussian", None)
SIDE = 128
"""Rows and columns of the cubes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; further arguments are passed on.

    Returns:
        The exit code, 0.
    """
    parser = CommandParser("demo", __doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder for cubes, results and pictures")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise, the patches and the finetuning")
    given, extra = arguments_of(parser, arguments)
    cubes, clean = given.output / "cubes", given.output / "clean"
    held_back = write_cubes(cubes, clean, given.seed)
    words = [word for name in CONFIGS for word in ("--config", name)]
    words += ["--data.root", str(cubes), "--data.unobserved", f"[{','.join(held_back)}]"]
    words += ["--data.clean_root", str(clean), "--data.trained_wavelengths", TRAINED]
    words += ["--model.source", SOURCE, "--trainer.default_root_dir", str(given.output)]
    words += ["--seed_everything", str(given.seed), "--data.seed", str(given.seed)]
    words += ["--proxy.store", str(given.output / "store"), "--pictures.folder", str(given.output / "pictures")]
    words += [word for report in ("results", "noise", "gain") for word in (f"--{report}.folder", str(given.output))]
    archive = ["callbacks.SceneArchive", "--trainer.callbacks.folder", str(scenes_folder(given.output))]
    words += ["--trainer.callbacks+", *archive, "--verbose", "false", *extra]
    begin = time.perf_counter()
    command = run(["adapt", *words])
    title = "Demonstration: a folder of noisy cubes, of which nothing clean is trained on"
    page = page_of_run(command.trainer, given.output, title, time.perf_counter() - begin)
    sys.stdout.write(ending(command, ["adapt", *words], {} if page is None else {"page": page}))
    return 0


def write_cubes(cubes: Path, clean: Path, seed: int) -> list[str]:
    """Write six sample scenes of a sensor never seen as noisy ENVI files, and what they were before the noise.

    Args:
        cubes: folder of the noisy cubes: Gaussian noise of 10 to 70/255 a band.
        clean: folder of the clean ones by the same names.
        seed: of the noise.

    Returns:
        The names of the cubes that are to be held back.
    """
    from datamodules import NonIIDGaussian, SampleScenes

    scenes = SampleScenes(role="target", degradation=NonIIDGaussian(), crop=SIDE, seed=seed, num_workers=0)
    scenes.prepare_data()
    scenes.setup("test")
    names: dict[str, list[str]] = {}
    for test_set, loader in zip(scenes.test_set_names, scenes.test_dataloader(), strict=True):
        for batch in loader:
            name = f"{batch['name'][0]}.img"
            names.setdefault(test_set, []).append(name)
            write_envi(cubes / name, batch["observation"][0], scenes.wavelengths)
            write_envi(clean / name, batch["target"][0], scenes.wavelengths)
    log.info("%d noisy cubes written to %s", sum(len(group) for group in names.values()), cubes)
    return names["unobserved"]


def write_envi(path: Path, cube: Tensor, wavelengths: Sequence[float]) -> None:
    """Write a cube as an ENVI image (band sequential, 32-bit floats) with its header beside it.

    Args:
        path: the image; the header has the ending `.hdr`.
        cube: C x H x W.
        wavelengths: centres of the C bands in nm.
    """
    bands, lines, samples = cube.shape
    with replacing(path, sync=False) as file:
        file.write(cube.numpy().astype("<f4").tobytes())
    entries = {
        "samples": samples,
        "lines": lines,
        "bands": bands,
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        "wavelength units": "Nanometers",
        "wavelength": f"{{{', '.join(f'{centre:g}' for centre in wavelengths)}}}",
    }
    write_text(path.with_suffix(".hdr"), "".join(["ENVI\n", *(f"{key} = {value}\n" for key, value in entries.items())]))
