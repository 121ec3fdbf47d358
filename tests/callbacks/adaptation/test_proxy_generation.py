"""Stage (i) in a fit: what is trained on, and which contexts are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import Tensor, nn

from callbacks import DistributionAdaptiveSynthesis, PhotometricGuides, ProxyGeneration
from callbacks.adaptation.store import StoreError
from lightning_modules import RestorationModule
from tests.callbacks.tiny import (
    MiniNetwork,
    store_files,
    tiny_data,
    tiny_module,
    tiny_trainer,
    weights_of,
)


def test_constructor_refuses_impossible_settings() -> None:
    with pytest.raises(ValueError, match=r"^ProxyGeneration got rounds=0: give at least 1\.$"):
        ProxyGeneration(rounds=0)
    with pytest.raises(ValueError, match=r"^ProxyGeneration got tile=8: give at least 16 pixels, or null"):
        ProxyGeneration(tile=8)


def test_proxy_only_training_works_without_synthesis(tmp_path: Path) -> None:
    stage = ProxyGeneration(str(tmp_path / "store"))
    data, module = tiny_data(tmp_path), tiny_module(tmp_path)
    before = {key: value.clone() for key, value in module.network.state_dict().items()}
    tiny_trainer(tmp_path, [stage]).fit(module, datamodule=data)
    assert [proxy.name for proxy in stage.proxies] == ["amber", "birch", "coral"]
    source = module.source_network()
    expected = source(data.observations()[1].cube[None])[0].clamp(0, 1)
    torch.testing.assert_close(stage.proxies[1].load().cube, expected, rtol=0, atol=0)
    assert {path.split("/")[0].split("-")[0] for path in store_files(tmp_path / "store")} == {"proxies"}
    assert any(not torch.equal(module.network.state_dict()[key], before[key]) for key in before)


class Recorder(nn.Module):
    """Keeps every training batch it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.L1Loss()
        self.targets: list[Tensor] = []

    def forward(self, restored: Tensor, target: Tensor) -> Tensor:
        self.targets.extend(target)
        loss: Tensor = self.inner(restored, target)
        return loss


def test_training_targets_are_proxies_and_never_clean_cubes(tmp_path: Path) -> None:
    stage, loss = ProxyGeneration(str(tmp_path / "store")), Recorder()
    module = RestorationModule(MiniNetwork(), loss=loss, source=tiny_module(tmp_path).source)
    data = tiny_data(tmp_path, patch_size=24)
    tiny_trainer(tmp_path, [stage]).fit(module, datamodule=data)

    def holds(cubes: list[Tensor], target: Tensor) -> bool:
        turned = [torch.rot90(flipped, k, (-2, -1)) for flipped in (target, target.flip(-1)) for k in range(4)]
        return any(torch.equal(one, cube) for one in turned for cube in cubes)

    proxies = [proxy.load().cube for proxy in stage.proxies]
    clean = [data.read_scene(name).cube for name in data.scene_names()]
    assert len(loss.targets) == 16
    assert all(holds(proxies, target) for target in loss.targets)
    assert not any(holds(clean, target) for target in loss.targets)


def refused(folder: Path, module: LightningModule, sentence: str, **data: Any) -> None:  # noqa: ANN401
    trainer = tiny_trainer(folder, [ProxyGeneration(str(folder / "store"))])
    with pytest.raises(ValueError, match=sentence):
        trainer.fit(module, datamodule=tiny_data(folder, **data))
    assert store_files(folder / "store") == {}


def test_unusable_contexts_are_one_sentence(tmp_path: Path) -> None:
    source_role = {"role": "source", "observed": None, "unobserved": None, "training": ["amber"]}
    refused(
        tmp_path,
        tiny_module(tmp_path),
        r"^Adaptation needs a DataModule of degraded target observations, but MiniScenes has role='source': set role",
        **source_role,
    )
    refused(tmp_path, tiny_module(tmp_path, source=False), r"^RestorationModule has no source weights; set ")
    refused(
        tmp_path,
        BoringModel(),
        r"^ProxyGeneration needs the source weights, which BoringModel does not know: use a RestorationModule",
    )
    trainer = tiny_trainer(tmp_path, [ProxyGeneration(str(tmp_path / "store"))])
    loader: Any = torch.utils.data.DataLoader([0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^Adaptation needs .*, but none was given: set role to 'target'\.$"):
        trainer.fit(tiny_module(tmp_path), loader)


def test_missing_source_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^Checkpoint .*absent\.ckpt does not exist; give the path"):
        RestorationModule(MiniNetwork(), source=str(tmp_path / "absent.ckpt"))


def test_unwritable_store_ends_the_fit_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    trainer = tiny_trainer(tmp_path, [ProxyGeneration(str(tmp_path / "file"))])
    with pytest.raises(StoreError, match=r"^The store folder .* cannot be written \(Not a directory\); free some"):
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))


@pytest.mark.parametrize("order", ["absent", "behind"])
def test_synthesis_needs_proxies_before_it(tmp_path: Path, order: str) -> None:
    synthesis = DistributionAdaptiveSynthesis(PhotometricGuides())
    callbacks = [synthesis, *([ProxyGeneration(str(tmp_path / "store"))] if order == "behind" else [])]
    sentence = (
        "DistributionAdaptiveSynthesis needs ProxyGeneration before it: list callbacks.ProxyGeneration, "
        "then callbacks.DistributionAdaptiveSynthesis, in trainer.callbacks."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        tiny_trainer(tmp_path, list(callbacks)).fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))
    assert store_files(tmp_path / "store") == {}


class Restless(MiniNetwork):
    """Draws from torch's own random stream whenever it restores, as a stochastic network would."""

    def forward(self, observation: Tensor) -> Tensor:
        if not self.training:
            torch.rand(())
        return super().forward(observation)


def test_random_stream_of_training_does_not_depend_on_whether_the_stage_computed(tmp_path: Path) -> None:
    """The second fit reads the store; its weights and torch's own random stream are those of the first."""
    results = []
    for _ in range(2):
        module = tiny_module(tmp_path)
        module.network = Restless()
        torch.manual_seed(7)
        tiny_trainer(tmp_path, [ProxyGeneration(str(tmp_path / "store"))]).fit(module, datamodule=tiny_data(tmp_path))
        results.append((torch.rand(3), weights_of(module)))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
