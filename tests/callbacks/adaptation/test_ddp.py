"""Two processes: the same store, the same test metrics, and one error that ends both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from callbacks import PhotometricGuides, Pictures, ResultsTable
from callbacks.adaptation.proxies import make_proxies
from callbacks.adaptation.synthesised_scenes import synthesise
from callbacks.transfer import SpectralTransfer
from callbacks.transfer.descriptors import PatchDescriptors
from datamodules import Observation
from hyperalign.ranks import StageError
from tests.callbacks.tiny import (
    WAVELENGTHS,
    leftovers,
    stages,
    store_files,
    tiny_data,
    tiny_module,
    tiny_trainer,
    tiny_transfer,
    weights_of,
)
from tests.two_ranks import on_two_ranks


class Picky(nn.Module):
    """Fails on the scene whose first value is 2, which is the second rank's."""

    def forward(self, observation: Tensor) -> Tensor:
        if float(observation.flatten()[0]) == 2:
            raise FloatingPointError("this scene is too bright")
        return observation / 4


def failing(folder: Path) -> str:
    scenes = [Observation(f"scene{k}", torch.full((8, 4, 4), float(k + 1)), WAVELENGTHS) for k in range(4)]
    try:
        make_proxies(Picky(), scenes, folder / "store", degradation={})
    except (FloatingPointError, StageError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def test_an_error_on_one_rank_ends_all_with_it(tmp_path: Path) -> None:
    assert on_two_ranks(tmp_path, failing) == [
        "StageError: Rank 1 of 2 ended the stage with FloatingPointError: this scene is too bright",
        "FloatingPointError: this scene is too bright",
    ]
    assert leftovers(tmp_path / "store") == []


class TrainedGuides(PhotometricGuides):
    """Guides whose training leaves a file; whoever finds it has nothing to train."""

    def fit(
        self,
        proxy_rgbs: Sequence[Tensor],
        seed: int,
        folder: Path,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.trained = not (folder / "finished").exists()
        (folder / "finished").touch()


def synthesising(folder: Path) -> str:
    data = tiny_data(folder)
    guides, root = TrainedGuides(displacement=2), folder / "store"
    proxies = make_proxies(Picky(), data.observations(), root, degradation={})
    made = synthesise(guides, tiny_transfer(), proxies, root, ratio=2)
    return f"{guides.trained} " + " ".join(one.scene.path.name for one in made)


def test_rank_zero_trains_the_guides_and_both_use_them(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    alone = synthesising(tmp_path / "alone").split()
    first, second = (answer.split() for answer in on_two_ranks(tmp_path, synthesising))
    assert (alone[0], first[0], second[0]) == ("True", "True", "False")
    # The names hold the sha256 of the cubes.
    assert len(alone) == 1 + 6
    assert alone[1:] == first[1:] == second[1:]


class FailingOnSecondRank(SpectralTransfer):
    """Fails at the second guide of the second rank."""

    def _descriptors(self, image: Tensor) -> PatchDescriptors:
        self.described = getattr(self, "described", 0) + 1
        # The proxy, the first guide, the second guide or the next proxy.
        if dist.get_rank() == 1 and self.described == 3:
            raise FloatingPointError("this guide is too bright")
        return super()._descriptors(image)


def failing_transfer(folder: Path) -> str:
    data, root = tiny_data(folder), folder / "store"
    proxies = make_proxies(Picky(), data.observations(), root, degradation={})
    transfer = FailingOnSecondRank(seeds=4, candidates=4, kernel_size=3, steps=5)
    try:
        synthesise(TrainedGuides(displacement=2), transfer, proxies, root, ratio=2)
    except (FloatingPointError, StageError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def test_a_transfer_that_fails_on_one_rank_ends_all_and_keeps_what_is_finished(tmp_path: Path) -> None:
    assert on_two_ranks(tmp_path, failing_transfer) == [
        "StageError: Rank 1 of 2 ended the stage with FloatingPointError: this guide is too bright",
        "FloatingPointError: this guide is too bright",
    ]
    written = sorted(str(path.parent.name) for path in tmp_path.glob("store/synthesised-*/*/*.npy"))
    # The first rank's three of six guides, and the second rank's first one.
    assert written == ["amber", "amber", "birch", "birch"]


def adapted(folder: Path, processes: int) -> tuple[dict[str, str], dict[str, float], Tensor]:
    """Adapt in two rounds and test; the global batch is four patches whatever the number of processes."""
    trainer = tiny_trainer(
        folder,
        # without folders of their own: where the run's results go is for all ranks to agree
        [*stages(folder / "store", rounds=2, ratio=1), ResultsTable(), Pictures(scenes=1)],
        max_epochs=2,
        devices=processes,
        strategy="ddp_fork" if processes > 1 else "auto",
    )
    module, data = tiny_module(folder), tiny_data(folder, batch_size=4 // processes)
    trainer.fit(module, datamodule=data)
    (scores, *more) = trainer.test(module, datamodule=data, verbose=False)
    metrics = {key: float(value) for part in (scores, *more) for key, value in part.items()}
    return store_files(folder / "store"), metrics, weights_of(module)


def test_two_processes_adapt_as_one(tmp_path: Path) -> None:
    alone = adapted(tmp_path / "one", 1)
    together = adapted(tmp_path / "two", 2)

    def first_round(files: dict[str, str]) -> dict[str, str]:
        return {path: digest for path, digest in files.items() if path in alone[0] and path in together[0]}

    # The first round is the same to the last bit; the second starts from weights averaged in another order.
    assert first_round(alone[0]) == first_round(together[0])
    assert len(first_round(alone[0])) >= 9
    assert len(alone[0]) == len(together[0])
    torch.testing.assert_close(together[2], alone[2], rtol=0, atol=1e-5)
    assert set(together[1]) == set(alone[1])
    written = [{path.name for path in (tmp_path / run).rglob("*") if path.is_file()} for run in ("one", "two")]
    assert {"results.csv", "amber.png", "amber_spectra.png"} <= written[0] & written[1]
    for name, value in alone[1].items():
        assert together[1][name] == pytest.approx(value, abs=1e-3), name
