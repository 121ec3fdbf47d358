"""Stage (i): what a proxy is, when it is computed, and what is refused."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import Tensor, nn

from callbacks import DistributionAdaptiveSynthesis, PhotometricGuides, ProxyGeneration
from callbacks.adaptation.proxies import make_proxies
from callbacks.adaptation.store import StoreError
from datamodules import MappedScene, Observation
from lightning_modules import RestorationModule
from tests.callbacks.tiny import (
    WAVELENGTHS,
    MiniNetwork,
    store_files,
    tiny_data,
    tiny_module,
    tiny_trainer,
    weights_of,
)


class Counting(nn.Module):
    """Halves the observation and counts how often it is asked."""

    def __init__(self, factor: float = 0.5) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([factor]))
        self.calls = 0

    def forward(self, observation: Tensor) -> Tensor:
        self.calls += 1
        return self.factor * observation


def observation(name: str, value: float = 0.5) -> Observation:
    ramp = torch.linspace(0, value, 8 * 20 * 18).view(8, 20, 18)
    return Observation(name, ramp, WAVELENGTHS, f"caption of {name}")


def proxies_of(network: nn.Module, root: Path, *names: str, **changes: Any) -> list[MappedScene]:  # noqa: ANN401
    settings: dict[str, Any] = {"degradation": {"class": "none"}}
    return make_proxies(network, [observation(name) for name in names], root, **(settings | changes))


def test_a_proxy_is_the_restored_whole_scene(tmp_path: Path) -> None:
    network = Counting(3.0).train()
    proxies = proxies_of(network, tmp_path, "a", "b/c")
    assert [proxy.name for proxy in proxies] == ["a", "b/c"]
    assert proxies[0].wavelengths == WAVELENGTHS
    assert proxies[0].caption == "caption of a"
    assert torch.equal(proxies[0].load().cube, (3 * observation("a").cube).clamp(0, 1))
    assert network.calls == 2
    assert not network.training


def test_clamp_is_a_choice(tmp_path: Path) -> None:
    (free,) = proxies_of(Counting(3.0), tmp_path, "a", clamp=False)
    assert float(free.load().cube.max()) == 1.5


def test_finished_proxies_are_not_computed_twice(tmp_path: Path) -> None:
    first = proxies_of(Counting(), tmp_path, "a", "b")
    network = Counting()
    again = proxies_of(network, tmp_path, "a", "b")
    assert network.calls == 0
    assert [proxy.path for proxy in again] == [proxy.path for proxy in first]


def test_a_damaged_proxy_alone_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = proxies_of(Counting(), tmp_path, "a", "b")
    before = store_files(tmp_path)
    first[1].path.write_bytes(first[1].path.read_bytes()[:-4])
    network = Counting()
    with caplog.at_level(logging.WARNING):
        proxies_of(network, tmp_path, "a", "b")
    assert network.calls == 1
    assert "b is damaged" in caplog.text
    assert store_files(tmp_path) == before


class Renamed(Counting):
    """The same weights, another use."""


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (Counting(0.25), {}),
        (Renamed(), {}),
        (Counting(), {"degradation": {"class": "noise"}}),
        (Counting(), {"clamp": False}),
        (Counting(), {"tile": 16}),
    ],
)
def test_every_setting_has_its_own_proxies(tmp_path: Path, network: Counting, changes: dict[str, Any]) -> None:
    proxies_of(Counting(), tmp_path, "a")
    proxies_of(network, tmp_path, "a", **changes)
    assert network.calls > 0


def test_other_observations_have_other_proxies(tmp_path: Path) -> None:
    network = Counting()
    for value in (0.5, 0.6):
        make_proxies(network, [observation("a", value)], tmp_path, degradation={})
    assert network.calls == 2


class Broken(nn.Module):
    def __init__(self, bands: int, value: float) -> None:
        super().__init__()
        self.bands, self.value = bands, value

    def forward(self, observation: Tensor) -> Tensor:
        return observation[:, : self.bands] * self.value


def test_useless_proxies_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^The proxy of scene 'a' holds NaN or infinite values: check the obs"):
        proxies_of(Broken(8, float("nan")), tmp_path, "a")
    with pytest.raises(ValueError, match=r"^The restorer turned scene 'a' of shape \(8, 20, 18\) into shape \(5, 20"):
        proxies_of(Broken(5, 1.0), tmp_path, "a")
    assert store_files(tmp_path) == {}


def test_observations_must_exist_and_have_distinct_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^There is no observation to make proxies from: name the observed scenes"):
        proxies_of(Counting(), tmp_path)
    with pytest.raises(ValueError, match=r"^Two observations are called 'a': give every observed scene a name"):
        proxies_of(Counting(), tmp_path, "a", "b", "a")


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


def test_unusable_surroundings_are_one_sentence(tmp_path: Path) -> None:
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
