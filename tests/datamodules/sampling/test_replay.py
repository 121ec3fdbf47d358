"""Source scenes beside the target's: their share, and what cannot be replayed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datamodules import SourceReplay
from tests.callbacks.tiny import MiniScenes, tiny_data


class WiderScenes(MiniScenes):
    """Another sensor."""

    wavelengths = tuple(one + 1 for one in MiniScenes.wavelengths)


def source(folder: Path, kind: type[MiniScenes] = MiniScenes) -> MiniScenes:
    return kind(role="source", training=["flint"], validation=["ember"], cache=str(folder / "source_cache"))


def test_a_share_of_the_patches_is_the_sources(tmp_path: Path) -> None:
    data = tiny_data(tmp_path, replay=SourceReplay(source(tmp_path), 0.25), patches_per_epoch=400)
    proxies = MiniScenes(role="source", cache=str(tmp_path / "other")).scenes(["coral"])
    proxies = [type(proxies[0])("proxy", _copied(proxies[0].path, tmp_path / "proxy.npy"), proxies[0].wavelengths)]
    data.use_training_scenes(proxies)
    names = [name for batch in data.train_dataloader() for name in batch["name"]]
    assert 0.19 < names.count("flint") / len(names) < 0.31
    assert set(names) == {"flint", "proxy"}
    assert data.training_scene("flint").name == "flint"


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"SourceReplay got share=1\.0"):
        SourceReplay(source(tmp_path), 1.0)
    with pytest.raises(ValueError, match="in the role target: replay data in the role source"):
        SourceReplay(tiny_data(tmp_path), 0.5)
    scenes = source(tmp_path).scenes(["flint"])
    with pytest.raises(ValueError, match="WiderScenes has 8 bands and the target 8, or others"):
        SourceReplay(source(tmp_path, WiderScenes)).beside(scenes, None)


def test_a_clean_target_scene_is_not_replayed_either(tmp_path: Path) -> None:
    hidden = MiniScenes(role="source", training=["amber"], validation=["ember"], cache=str(tmp_path / "cache"))
    data = tiny_data(tmp_path, replay=SourceReplay(hidden))
    with pytest.raises(ValueError, match=r"'amber' at .* is a clean target cube"):
        data.use_training_scenes(source(tmp_path).scenes(["flint"]))


def test_weights_keep_their_proportions(tmp_path: Path) -> None:
    scenes = source(tmp_path).scenes(["flint"])
    _, weights = SourceReplay(source(tmp_path), 0.5).beside([*scenes, *scenes], [1.0, 3.0])
    torch.testing.assert_close(torch.tensor(weights), torch.tensor([1.0, 3.0, 4.0]))


def _copied(path: Path, to: Path) -> Path:
    to.write_bytes(path.read_bytes())
    return to
