"""Words that make HIR-ALIGN small enough for tests."""

from __future__ import annotations

SMALL = [
    "--data.init_args.crop=48",
    "--data.init_args.patch_size=32",
    "--data.init_args.patches_per_epoch=8",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.logger=false",
]
