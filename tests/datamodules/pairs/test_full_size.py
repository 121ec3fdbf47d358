"""Whole pairs without a target: the values of the files, what is missing filled, read when they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.pairs.full_size import FULL_SIZE, FullSizePairs
from datamodules.sampling.batches import collate
from tests.datamodules.pairs.arrays import BANDS, pairs, values, write_pair


def test_a_sample_is_both_images_as_they_are_on_one_scale(tmp_path: Path) -> None:
    coarse, fine = values(3, 6, 8, 1), values(4, 24, 32, 2)
    write_pair(tmp_path, "a", coarse, fine)
    write_pair(tmp_path, "b", values(3, 5, 5, 3), values(4, 10, 10, 4))
    data = pairs(tmp_path, channels=[3, 1], scale=4.0)
    scenes, failures = data.open_scenes()
    found = FullSizePairs(scenes)
    assert (len(found), failures) == (2, {})
    sample = found[0]
    assert torch.equal(sample["observation"], torch.from_numpy(coarse / np.float32(4)))
    assert torch.equal(sample["multispectral"], torch.from_numpy(fine[[3, 1]] / np.float32(4)))
    assert (sample["name"], sample["caption"], sample["wavelengths"]) == ("a.npy", "", tuple(BANDS))
    assert (sample["phase"], found[1]["phase"]) == (1.5, 0.5)
    assert "target" not in sample


def test_what_is_missing_is_filled(tmp_path: Path) -> None:
    coarse = values(3, 6, 8, 1)
    coarse[1, 2, 3] = np.nan
    write_pair(tmp_path, "a", coarse, values(2, 12, 16, 2))
    with pytest.raises(ValueError, match="nan"):
        FullSizePairs(pairs(tmp_path, scale=4.0).open_scenes()[0])[0]
    sample = FullSizePairs(pairs(tmp_path, scale=4.0, nan="keep").open_scenes()[0])[0]
    assert bool(torch.isfinite(sample["observation"]).all())
    assert 0.25 <= float(sample["observation"][1, 2, 3]) <= 1.0
    expected = torch.zeros(12, 16, dtype=torch.bool)
    expected[4:6, 6:8] = True
    assert torch.equal(sample["missing"], expected)
    assert torch.equal(collate([sample])["missing"], expected[None])
    write_pair(tmp_path / "whole", "a", values(3, 6, 8, 1), values(2, 12, 16, 2))
    assert "missing" not in FullSizePairs(pairs(tmp_path / "whole", scale=4.0, nan="keep").open_scenes()[0])[0]


def test_a_test_at_full_size_has_the_pairs_whose_second_image_is_finer(tmp_path: Path) -> None:
    write_pair(tmp_path, "finer", values(3, 6, 8), values(2, 12, 16))
    write_pair(tmp_path, "same", values(3, 6, 8), values(2, 6, 8))
    data = pairs(tmp_path, cache=str(tmp_path / "cache"))
    assert data.test_set_names == ["validation", FULL_SIZE]
    wald, full = data.test_dataloader()
    assert len(wald.dataset) == 2  # type: ignore[arg-type]
    assert [batch["name"] for batch in full] == [["finer.npy"]]
