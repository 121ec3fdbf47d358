"""BlurRobustCLIP on the real COCO photographs, from a tower that learned to tell them apart."""

from __future__ import annotations

from pathlib import Path

import torch

from datamodules import COCO2017
from lightning_modules import InstanceDiscrimination
from tests.lightning_modules.tiny_clip import (
    MadePhotographs,
    gentle_recipe,
    save_tiny_encoder,
    scores_after,
    tiny_blur_robust,
    tiny_trainer,
)


def test_real_photographs_withstand_blur_after_finetuning(shared: Path, tmp_path: Path) -> None:
    root = str(shared / "data" / "COCO2017")
    crops = [batch["image"] for batch in COCO2017(root, side=32, images_per_epoch=208).train_dataloader()]
    (held_out,) = COCO2017(root, side=32).val_dataloader()
    data = MadePhotographs(26, torch.cat(crops), held_out["image"])
    tower = InstanceDiscrimination(
        str(save_tiny_encoder(tmp_path / "pipeline")),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        output=str(tmp_path),
    )
    tiny_trainer(tmp_path, max_epochs=12, limit_val_batches=0).fit(tower, data)
    scores = scores_after(tiny_blur_robust(tmp_path, **gentle_recipe(160)), tmp_path, data, max_epochs=20)
    gap_before, gap_after = (1 - scores[f"cosine_sigma_3/{name}"] for name in ("before", "after"))
    assert gap_after < 0.8 * gap_before
    assert scores["cosine_clean"] > 0.97
    assert scores["pairwise_sigma_3/after"] < scores["pairwise_clean/before"] + 0.1
