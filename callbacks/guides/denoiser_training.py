"""Train the denoising UNet on the proxies' own RGB: seeded, resumable, guarded (Ho et al., 2020, Algorithm 1)."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.guides.denoiser import DenoisingUNet, ImageSpace, random_patches, reflected
from callbacks.guides.sdedit import Diffusion
from hyperalign.errors import NonFiniteError
from hyperalign.files import put_in_place, write_beside
from hyperalign.seeding import generator_for

logger = logging.getLogger(__name__)

FINISHED = "proxy_diffusion.pt"
UNFINISHED = "proxy_diffusion_unfinished.pt"
# Changed when the training itself changes, so that weights of an earlier version are not taken for the new ones.
VERSION = 1


@dataclass(frozen=True)
class DenoiserTraining:
    """Everything that determines the trained weights, besides seed and proxies; `ProxyDiffusionGuides` explains it.

    `used_timesteps` is t0 + 1: SDEdit never visits later timesteps, so a short training does not spend
    itself on them.
    """

    diffusion: Diffusion = field(default_factory=Diffusion)
    channels: tuple[int, ...] = (48,)
    layers: int = 1
    unshuffle: int = 2
    training_steps: int = 1000
    patch_size: int = 32
    batch_size: int = 8
    learning_rate: float = 4e-3
    ema_decay: float = 0.995
    checkpoint_every: int = 100
    used_timesteps: int = 350


@dataclass(frozen=True)
class Denoiser:
    """A trained network, the image space in which it works, and the seconds that its training took."""

    network: DenoisingUNet
    space: ImageSpace
    seconds: float


def training_digest(training: DenoiserTraining, images: Sequence[Tensor], seed: int) -> str:
    """Return the SHA-256 of the settings, the seed and every pixel of the proxies: equal digests mean equal weights."""
    settings = {**asdict(training), "checkpoint_every": None, "seed": seed, "version": VERSION}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for image in images:
        digest.update(str(tuple(image.shape)).encode())
        digest.update(image.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _content_digest(content: object) -> str:
    """SHA-256 over nested dictionaries, lists, tensors and numbers: torch.load does not notice a flipped bit."""
    digest = hashlib.sha256(type(content).__name__.encode())
    if isinstance(content, Tensor):
        values = content.detach().cpu().contiguous()
        digest.update(f"{values.dtype}{tuple(values.shape)}".encode() + values.numpy().tobytes())
    elif isinstance(content, dict):
        for key, value in content.items():
            digest.update(f"{key!r}:{_content_digest(value)}".encode())
    elif isinstance(content, list | tuple):
        for value in content:
            digest.update(_content_digest(value).encode())
    else:
        digest.update(repr(content).encode())
    return digest.hexdigest()


def _save(state: dict[str, Any], path: Path) -> None:
    """Write beside and rename, so that a reader sees the old file or the whole new one."""
    checked = {**state, "content": _content_digest(state)}
    temporary, _, _ = write_beside(path.parent, lambda file: torch.save(checked, file))
    put_in_place(temporary, path)


def _read(path: Path, digest: str) -> dict[str, Any] | None:
    """Return a state file that belongs to `digest`; None, with a warning if damaged, otherwise."""
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        intact = state.pop("content") == _content_digest(state)
    except Exception as error:  # torch.load answers damage with many kinds of exceptions
        logger.warning("The guides' file %s is damaged (%s): the network is trained again.", path, type(error).__name__)
        return None
    if not intact:
        logger.warning("The guides' file %s is damaged (altered content): the network is trained again.", path)
        return None
    if state["digest"] != digest:
        logger.info("The guides' file %s belongs to other settings or proxies: the network is trained anew.", path)
        return None
    return state


class _Trainer:
    """The state of one training; every random draw of step k depends on (seed, k) only, so resuming is exact."""

    def __init__(self, training: DenoiserTraining, images: Sequence[Tensor], seed: int) -> None:
        self.training = training
        self.seed = seed
        self.images = [reflected(image, training.patch_size, training.patch_size) for image in images]
        self.device = self.images[0].device
        self.space = ImageSpace.of(images)
        network = DenoisingUNet(training.channels, training.layers, training.unshuffle, seed)
        self.network = network.to(self.device).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=training.learning_rate)
        self.step = 0
        self.seconds = 0.0

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.seconds = state.get("seconds", 0.0)

    def learning_rate(self) -> float:
        """Linear warm-up over the first 5 %, then a cosine down to 5 % of the learning rate."""
        progress = self.step / self.training.training_steps
        cosine = 0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * progress))
        return self.training.learning_rate * min(cosine, 20.0 * (progress + 1.0 / self.training.training_steps))

    def advance(self) -> float:
        """Take one optimiser step and return its loss.

        Raises:
            FloatingPointError: if the loss or its gradient is not finite.
        """
        begin, training, diffusion = time.perf_counter(), self.training, self.training.diffusion
        generator = generator_for(self.seed, "proxy diffusion", self.step)
        patches = random_patches(self.images, training.batch_size, training.patch_size, generator)
        clean = self.space.encode(patches)
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        times = torch.randint(training.used_timesteps, (len(clean),), generator=generator).to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        output = self.network(diffusion.noised(clean, noise, times), times)
        loss = functional.mse_loss(output, diffusion.training_target(clean, noise, times))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise NonFiniteError(
                f"The loss of the proxy diffusion model became {loss.item()} (gradient norm {norm.item()}) at step "
                f"{self.step} of {training.training_steps}: lower the guides' learning_rate."
            )
        self.optimizer.step()
        self.step += 1
        # a young average forgets the random start sooner
        decay = min(training.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, 1.0 - decay)
        self.seconds += time.perf_counter() - begin
        return float(loss.item())


def train_denoiser(
    training: DenoiserTraining,
    images: Sequence[Tensor],
    seed: int,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> Denoiser:
    """Return the denoiser of these proxies: from the finished file, else trained, going on where it was interrupted.

    On a CPU (with an unchanged number of threads) an interrupted and resumed training ends in the same bits as an
    uninterrupted one. The folder holds `proxy_diffusion.pt` when finished and until then, every
    `checkpoint_every` steps, `proxy_diffusion_unfinished.pt`; both load with `weights_only=True`.

    Args:
        training: the settings.
        images: the proxies, 3 x H x W in [0, 1], all on the device to train on.
        seed: of the initial weights and all draws.
        folder: created if missing.
        progress: called with the number of finished steps.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest = training_digest(training, images, seed)
    trainer = _Trainer(training, images, seed)
    finished, unfinished = folder / FINISHED, folder / UNFINISHED
    report = progress or (lambda step: None)
    if (done := _read(finished, digest)) is not None:
        trainer.average.load_state_dict(done["average"])
        report(training.training_steps)
        return Denoiser(trainer.average, trainer.space, done.get("seconds", 0.0))
    if (state := _read(unfinished, digest)) is not None:
        trainer.load(state)
        logger.info("The proxy diffusion model goes on at step %d of %d.", trainer.step, training.training_steps)
    losses: list[float] = []
    while trainer.step < training.training_steps:
        losses.append(trainer.advance())
        report(trainer.step)
        if trainer.step % training.checkpoint_every == 0 and trainer.step < training.training_steps:
            _save({"digest": digest, **trainer.state()}, unfinished)
    _save({"digest": digest, "average": trainer.average.state_dict(), "seconds": trainer.seconds}, finished)
    unfinished.unlink(missing_ok=True)
    if losses:
        recent = losses[-50:]
        logger.info(
            "The proxy diffusion model is trained, mean loss of the last steps %.4f.", sum(recent) / len(recent)
        )
    return Denoiser(trainer.average, trainer.space, trainer.seconds)
