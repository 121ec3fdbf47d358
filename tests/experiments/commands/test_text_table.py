"""The table of words: who gets which caption, and means with their spread."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.commands.text_table import checkpoint_of, summary
from hyperalign.errors import MissingFileError


def test_means_over_seeds_have_their_spread_and_differences_are_scene_by_scene() -> None:
    def scores(model: str, seed: int, scene: str, psnr: float) -> dict[str, str]:
        facts = {"model": model, "seed": str(seed), "scene": scene, "psnr": str(psnr)}
        return facts | {"ssim": "0.9", "sam": "5", "ergas": "2"}

    rows = [scores("own caption", seed, scene, 30 + seed) for seed in (0, 2) for scene in "ab"]
    rows += [scores("nonsense words", seed, scene, 30 if scene == "a" else 34) for seed in (0, 2) for scene in "ab"]
    lines = summary(rows).splitlines()
    assert lines[2] == "| own caption | 31.00 ± 1.41 | 0.9000 ± 0.0000 | 5.00 ± 0.00 | 2.00 ± 0.00 | +0.00 to +0.00 |"
    assert lines[3].startswith("| nonsense words | 32.00 ± 0.00 |")
    assert lines[3].endswith("| -2.00 to +4.00 |")


def test_a_row_without_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        MissingFileError, match=r"There is no checkpoint in .*: remove .* to have the row trained again"
    ):
        checkpoint_of(tmp_path)
