"""Proxies that another program restored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from callbacks import FolderRestorer
from hyperalign.errors import InputError
from tests.callbacks.adaptation.restorers.fixed import batch_of


def written(folder: Path, name: str, bands: int = 8, factor: float = 0.5) -> torch.Tensor:
    cube: torch.Tensor = factor * batch_of()["observation"][0, :bands]
    np.save(folder / f"{name}.npy", cube.numpy())
    return cube


def test_a_cube_is_paired_by_name(tmp_path: Path) -> None:
    written(tmp_path, "birch", factor=0.1)
    wanted = written(tmp_path, "amber")
    restorer = FolderRestorer(str(tmp_path), axes="CHW")
    assert torch.equal(restorer.restore(batch_of())[0], wanted)
    below = {**batch_of(), "name": ["deep/amber"]}
    assert torch.equal(FolderRestorer(str(tmp_path), axes="CHW").restore(below)[0], wanted)


def test_one_cube_is_not_the_proxy_of_two_observations(tmp_path: Path) -> None:
    written(tmp_path, "amber")
    restorer = FolderRestorer(str(tmp_path), axes="CHW")
    for name in ("monday/amber", "monday/amber"):
        restorer.restore({**batch_of(), "name": [name]})
    with pytest.raises(
        InputError, match=r"amber\.npy is called like two observations, 'monday/amber' and 'friday/amber'"
    ):
        restorer.restore({**batch_of(), "name": ["friday/amber"]})


def test_values_come_to_the_scale_of_proxies(tmp_path: Path) -> None:
    wanted = written(tmp_path, "amber", factor=10_000)
    scaled = FolderRestorer(str(tmp_path), "scale:10000", axes="CHW").restore(batch_of())
    assert torch.allclose(scaled[0], wanted / 10_000)
    with pytest.raises(InputError, match=r"amber\.npy reaches .* after the normalisation 'none', where proxies lie"):
        FolderRestorer(str(tmp_path), axes="CHW").restore(batch_of())
    largest = FolderRestorer(str(tmp_path), "maximum", axes="CHW").restore(batch_of())
    assert float(largest.max()) == pytest.approx(1)


def test_missing_values_are_no_proxy(tmp_path: Path) -> None:
    cube = batch_of()["observation"][0, :8].numpy().copy()
    cube[2, 1, 1] = -9999
    np.save(tmp_path / "amber.npy", cube)
    for rule in ("none", "minmax"):
        with pytest.raises(
            ValueError, match=r"amber.npy holds missing values \(-9999, which usually marks them\), 1 in"
        ):
            FolderRestorer(str(tmp_path), rule, axes="CHW").restore(batch_of())


def test_an_altered_file_changes_the_key(tmp_path: Path) -> None:
    written(tmp_path, "amber")
    before = FolderRestorer(str(tmp_path)).identity()
    assert before == FolderRestorer(str(tmp_path)).identity()
    written(tmp_path, "coral")
    assert before != FolderRestorer(str(tmp_path)).identity()


def test_what_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    restorer = FolderRestorer(str(tmp_path), axes="CHW")
    written(tmp_path, "birch")
    with pytest.raises(FileNotFoundError, match=r"No cube in .* is called amber, .* the folder holds birch.npy: name"):
        restorer.restore(batch_of())
    written(tmp_path, "amber", bands=5)
    with pytest.raises(ValueError, match="has other bands than the 8 of observation 'amber'"):
        restorer.restore(batch_of())
    np.savez(tmp_path / "amber.npz", cube=np.zeros((8, 4, 4), np.float32))
    with pytest.raises(ValueError, match=r"Both amber.npy and amber.npz in .* could be the proxy of observation"):
        restorer.restore(batch_of())
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere: set root of FolderRestorer"):
        FolderRestorer(str(tmp_path / "nowhere")).identity()
    with pytest.raises(ValueError, match="FolderRestorer got normalisation='checkpoint'"):
        FolderRestorer(str(tmp_path), "checkpoint")


def test_a_cube_of_another_format_and_a_crop_of_a_large_one_are_found(tmp_path: Path) -> None:
    wanted = written(tmp_path, "amber")
    restorer = FolderRestorer(str(tmp_path), axes="CHW")
    batch = batch_of()
    assert torch.equal(FolderRestorer(str(tmp_path), axes="CHW").restore({**batch, "name": ["amber.img"]})[0], wanted)
    part = {**batch, "name": ["amber.npy at 2, 3"], "observation": batch["observation"][..., 2:8, 3:10]}
    assert torch.equal(restorer.restore(part)[0], wanted[:, 2:8, 3:10])
    height = wanted.shape[1]
    beyond = {**part, "name": [f"amber.npy at {height - 5}, 3"]}
    with pytest.raises(ValueError, match=r"too few for 'amber.npy at .*': restore the whole cube\.$"):
        restorer.restore(beyond)
