"""Two processes on one device: the same training as one process, and the stages' work shared between them."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from callbacks import PhotometricGuides, SpectralTransfer
from callbacks.adaptation.proxies import make_proxies
from callbacks.adaptation.synthesised_scenes import synthesise
from datamodules import Observation
from experiments.commands.gpu_check.checks.specimens import built, smooth
from experiments.commands.gpu_check.record import sentence
from experiments.commands.gpu_check.task import Task
from hyperalign.errors import RunError
from lightning_modules.metrics.device_cost import seconds_now

STEPS, BATCH = 6, 4
WAVELENGTHS = tuple(float(value) for value in range(400, 701, 10))
TOLERANCE = 1e-4
"""Of the weights in the largest one: gradients are summed in another order."""

CUBES = 1e-3
"""Of the synthesised cubes in [0, 1]: a GPU optimises several guides at once, which rounds otherwise."""

LONGEST = 100.0


def check(task: Task) -> None:
    """Compare the same work in one process and in two."""
    alone, together = (_started(task, size) for size in (1, 2))
    weights = [torch.tensor(one["weights"]) for one in (alone[0], *together)]
    scale = float(weights[0].abs().max())
    apart = max(float((one - weights[0]).abs().max()) / scale for one in weights[1:])
    task.note.line(
        "training with DistributedDataParallel over gloo",
        apart <= TOLERANCE and together[0]["weights"] == together[1]["weights"],
        relative_difference=apart,
        milliseconds_a_step_of_one=1e3 * alone[0]["seconds_training"],
        milliseconds_a_step_of_two=1e3 * max(one["seconds_training"] for one in together),
    )
    one, two = alone[0]["seconds_stages"], max(one["seconds_stages"] for one in together)
    apart = max(_apart(alone[0]["cubes"], other["cubes"]) for other in together)
    task.note.line(
        "proxies and synthesised cubes",
        apart <= CUBES,
        largest_difference=apart,
        seconds_of_one=one,
        seconds_of_two=two,
        share_of_ideal=one / two / 2,
    )


def _apart(ours: list[str], others: list[str]) -> float:
    """Largest difference of the cubes in two lists of files."""
    pairs = zip(ours, others, strict=True)
    return max(float(np.abs(np.load(one) - np.load(other)).max()) for one, other in pairs)


def _started(task: Task, size: int) -> list[dict[str, Any]]:
    """Run the work in that many processes and return what each found."""
    folder = task.folder / f"{size}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rendezvous").unlink(missing_ok=True)
    context = multiprocessing.get_context("fork")
    given = [(rank, size, folder, str(task.device), task.quick) for rank in range(size)]
    processes = [context.Process(target=work, args=arguments) for arguments in given]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONGEST)
    codes = [process.exitcode for process in processes]
    if codes != [0] * size:
        sentences = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("error*"))]
        raise RunError(f"{size} processes ended with {codes}: {' / '.join(sentences)[:600]}")
    return [json.loads((folder / f"answer{rank}.json").read_text(encoding="utf-8")) for rank in range(size)]


def work(rank: int, size: int, folder: Path, device: str, quick: bool) -> None:
    """Take one process's share and write down what it found."""
    try:
        if size > 1:
            if sys.platform == "linux":
                os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a machine without a network has this one
            dist.init_process_group("gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=size)
        found = _trained(rank, size, torch.device(device)) | _staged(folder / "store", torch.device(device), quick)
        (folder / f"answer{rank}.json").write_text(json.dumps(found), encoding="utf-8")
        if size > 1:
            dist.destroy_process_group()
    except BaseException as error:
        (folder / f"error{rank}").write_text(sentence(error), encoding="utf-8")
        raise


def _trained(rank: int, size: int, device: torch.device) -> dict[str, Any]:
    network: nn.Module = built("sert", compact=True).to(device)
    wrapped = network
    if size > 1:
        places = [device.index or 0] if device.type == "cuda" else None
        wrapped = nn.parallel.DistributedDataParallel(network, device_ids=places)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    target = smooth(BATCH, 31, 32)
    noisy = target + 0.1 * smooth(BATCH, 31, 32).flip(0)
    own = slice(rank * BATCH // size, (rank + 1) * BATCH // size)
    target, noisy = target[own].to(device), noisy[own].to(device)
    begin = 0.0
    for step in range(STEPS):
        if step == 1:
            begin = seconds_now(device, "wall")
        optimizer.zero_grad()
        (wrapped(noisy) - target).square().mean().backward()
        optimizer.step()
    taken = (seconds_now(device, "wall") - begin) / (STEPS - 1)
    weights: Tensor = torch.cat([one.detach().flatten() for one in network.parameters()])
    return {"weights": weights.double().cpu().tolist(), "seconds_training": taken}


def _staged(root: Path, device: torch.device, quick: bool) -> dict[str, Any]:
    """Make proxies and synthesise two scenes from each."""
    count, side, steps = (2, 24, 2) if quick else (4, 128, 100)
    scenes = [Observation(f"scene{k}", cube, WAVELENGTHS) for k, cube in enumerate(smooth(count, 31, side))]
    network = built("sert", compact=True).to(device)
    begin = seconds_now(device, "wall")
    proxies = make_proxies(network, scenes, root, degradation={})
    transfer = SpectralTransfer(steps=steps)
    made = synthesise(PhotometricGuides(), transfer, proxies, root, ratio=2, device=device)
    taken = seconds_now(device, "wall") - begin
    cubes = [str(one.scene.path) for one in made]
    return {"cubes": cubes, "seconds_stages": taken}
