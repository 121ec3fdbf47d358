"""CLIP's vision encoder of an unCLIP pipeline: read from a checkpoint, written in the form its slot loads."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from hyperalign.files import replacing_path
from lightning_modules.checkpoints import IDENTITY_KEY, CheckpointError, check_shapes, read_checkpoint
from lightning_modules.clip.towers import PACKAGED, ClipError

__all__ = ["Encoder", "encoder_of_run", "read_encoder", "write_encoder"]

log = logging.getLogger(__name__)

TINY = "tiny_vision"
"""Name of the packaged architecture whose seeded random weights stand in where no checkpoint can be had."""

TINY_CONFIG = "tiny_tower"
"""Name of the packaged experiment that trains it."""

MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)
"""What CLIP's images are normalised by (Radford et al., 2021), where a checkpoint does not say it."""


@dataclass(frozen=True)
class Encoder:
    """A vision encoder and how its images are prepared.

    Attributes:
        network: a `CLIPVisionModelWithProjection` in float32, in eval mode, on the CPU.
        preprocessor: content of its `preprocessor_config.json`.
    """

    network: nn.Module
    preprocessor: dict[str, Any]

    @property
    def side(self) -> int:
        """Height and width in pixels of the images that it takes."""
        return int(self.network.config.image_size)  # type: ignore[union-attr, arg-type]

    @property
    def width(self) -> int:
        """Length of its embeddings."""
        return int(self.network.config.projection_dim)  # type: ignore[union-attr, arg-type]

    def normalisation(self) -> tuple[Tensor, Tensor]:
        """Return the mean and standard deviation of the channels, `3 x 1 x 1` each."""
        if not self.preprocessor.get("do_normalize", True):
            return torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
        mean, spread = self.preprocessor.get("image_mean", MEAN), self.preprocessor.get("image_std", SPREAD)
        return torch.tensor(mean).view(3, 1, 1), torch.tensor(spread).view(3, 1, 1)


def read_encoder(checkpoint: str, subfolder: str = "image_encoder") -> Encoder:
    """Read an encoder; the global random state stays as it was.

    Args:
        checkpoint: id or folder of an unCLIP pipeline, a folder of the encoder alone, or `tiny_vision`, a packaged
            architecture with seeded random weights, which know nothing of images.
        subfolder: where a pipeline keeps the encoder.

    Raises:
        ClipError: one sentence, when there is no such encoder or it cannot be reached or read.
    """
    with isolate_rng(), torch.device("cpu"), torch.inference_mode(False):
        if checkpoint == TINY:
            return _random(json.loads((PACKAGED / TINY / "config.json").read_text(encoding="utf-8")))
        place = {"pretrained_model_name_or_path": checkpoint, "subfolder": subfolder}
        if Path(checkpoint).is_dir():
            place = {"pretrained_model_name_or_path": str(_encoder_folder(Path(checkpoint), subfolder))}
        elif checkpoint.startswith((".", "~", "/")) or checkpoint.count("/") != 1:
            raise ClipError(
                f"There is no folder {checkpoint}, and an id has the form owner/name; give the folder of an unCLIP "
                f"pipeline or of its image_encoder as `checkpoint`, or make one by the config clip/{TINY_CONFIG}."
            )
        network = _load(place, checkpoint)
        return Encoder(network, _preprocessor(place, checkpoint, int(network.config.image_size)))


def write_encoder(encoder: Encoder, folder: Path) -> None:
    """Write an encoder's `config.json`, `model.safetensors` and `preprocessor_config.json`.

    `CLIPVisionModelWithProjection.from_pretrained(folder)` reads it, and so does a pipeline's `image_encoder` slot. All
    is written beside and renamed into place, instead of what was there.
    """
    with replacing_path(folder) as beside:
        with _without_progress_bars():
            encoder.network.save_pretrained(beside)  # type: ignore[operator]
        text = json.dumps(encoder.preprocessor, indent=2, sort_keys=True) + "\n"
        (beside / "preprocessor_config.json").write_text(text, encoding="utf-8")
    log.info("encoder written to %s", folder)


def described(encoder: Encoder) -> dict[str, Any]:
    """Return what a run's checkpoint records to build the encoder again: plain values."""
    config = encoder.network.config.to_dict()  # type: ignore[union-attr, operator]
    plain: dict[str, Any] = json.loads(json.dumps({"config": config, "preprocessor": encoder.preprocessor}))
    return plain


def encoder_of_run(path: str | Path) -> Encoder:
    """Build the encoder that a run's Lightning checkpoint holds, without the one that it started from.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be read safely or holds no encoder.
    """
    content = read_checkpoint(path)
    recorded = content.get(IDENTITY_KEY, {}).get("encoder")
    if not isinstance(recorded, Mapping):
        raise CheckpointError(f"Checkpoint {path} holds no CLIP vision encoder; give one that BlurRobustCLIP wrote.")
    with isolate_rng(), torch.inference_mode(False):
        network = _random(recorded["config"]).network
    weights = content["state_dict"]
    state = {name.removeprefix("encoder."): weights[name] for name in weights if name.startswith("encoder.")}
    check_shapes(network, state, str(path))
    network.load_state_dict(state)
    return Encoder(network, dict(recorded["preprocessor"]))


def _random(config: Mapping[str, Any]) -> Encoder:
    """An encoder of an architecture with seeded random weights."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    network = CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(dict(config))).float().eval()
    return Encoder(network, _usual_preprocessor(int(network.config.image_size)))


def _encoder_folder(folder: Path, subfolder: str) -> Path:
    """The folder that holds the encoder itself."""
    for candidate in (folder / subfolder, folder):
        if (candidate / "config.json").is_file():
            return candidate
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise ClipError(
        f"The folder {folder} holds no encoder, neither config.json nor {subfolder}/config.json, but {found}; give the "
        "folder of an unCLIP pipeline or of its image_encoder as `checkpoint`."
    )


def _load(place: dict[str, str], checkpoint: str) -> Any:  # noqa: ANN401 - transformers' models have no types here
    """Load the network strictly: transformers alone would fill what is missing with random numbers."""
    from safetensors import SafetensorError
    from transformers import CLIPVisionModelWithProjection

    try:
        with _without_progress_bars():
            network, report = CLIPVisionModelWithProjection.from_pretrained(
                **place, output_loading_info=True, ignore_mismatched_sizes=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        reason = (str(error).strip().strip("'\"") or type(error).__name__).splitlines()[0].rstrip(".:")
        raise ClipError(
            f"The encoder of {checkpoint} cannot be loaded ({reason}); without a network give `checkpoint` the folder "
            f"of a downloaded pipeline or of its image_encoder, or {TINY}, whose random weights know nothing of images."
        ) from error
    lacking = sorted([*map(str, report["missing_keys"]), *(str(one[0]) for one in report["mismatched_keys"])])
    if lacking:
        raise ClipError(
            f"The weights of {checkpoint} are not those of a CLIP vision encoder with projection: {len(lacking)} are "
            f"missing or of another size (first: {lacking[0]}); give an unCLIP pipeline or its image_encoder."
        )
    return network.float().eval()


def _preprocessor(place: Mapping[str, str], checkpoint: str, side: int) -> dict[str, Any]:
    """The preprocessor's configuration: beside the encoder, or in the pipeline's `feature_extractor`, or CLIP's."""
    from transformers.image_processing_base import ImageProcessingMixin

    root = Path(place["pretrained_model_name_or_path"])
    folders: list[tuple[str, str]] = [(checkpoint, "feature_extractor"), (checkpoint, "")]
    if root.is_dir():
        folders = [(str(root), ""), (str(root.parent), "feature_extractor")]
    for folder, subfolder in folders:
        try:
            found, _ = ImageProcessingMixin.get_image_processor_dict(folder, subfolder=subfolder)
        except (OSError, ValueError):
            continue
        return dict(found)
    log.warning("%s has no preprocessor_config.json; its images are normalised as CLIP's.", checkpoint)
    return _usual_preprocessor(side)


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Spare the terminal the bars that transformers shows for a file, next to the trainer's own."""
    from transformers.utils import logging as chatter

    shown = chatter.is_progress_bar_enabled()
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            chatter.enable_progress_bar()


def _usual_preprocessor(side: int) -> dict[str, Any]:
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(SPREAD),
    }
