"""Real pairs of a hyperspectral and a multispectral image, by Wald's protocol; and the real Paris pair."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
import torch
from lightning import Trainer
from numpy.typing import NDArray
from torch import Tensor, nn

from datamodules import FusionObservation, FusionPair, MappedScene, ParisEO1
from datamodules.captions import write_captions
from datamodules.sampling.full_scenes import observe
from hyperalign.captions import Region, RegionCaption, Window, caption_of
from lightning_modules import FusionModule

BANDS = tuple(float(nm) for nm in range(430, 700, 30))


def images(factor: int = 1, side: int = 16) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows x columns x bands of both sensors, above 1 here and there."""
    rng = np.random.default_rng(2)
    return rng.uniform(0.1, 1.2, (side, side, len(BANDS))), rng.uniform(0.1, 1.4, (side * factor, side * factor, 4))


def pair(root: Path, factor: int = 1, **options: object) -> FusionPair:
    first, second = images(factor)
    root.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(root / "town.mat", {"HS": first, "MS": second})
    settings = {
        "wavelengths": list(BANDS),
        "hyperspectral_key": "HS",
        "multispectral_key": "MS",
        "degradation": FusionObservation(4, "block_mean"),
        "cache": str(root.parent / "cache"),
        "patch_size": 8,
        "patches_per_epoch": 4,
        "batch_size": 4,
    }
    return FusionPair(str(root), **{**settings, **options})  # type: ignore[arg-type]


def test_a_pair_by_walds_protocol(tmp_path: Path) -> None:
    first, second = (image.transpose(2, 0, 1) / max(images()[0].max(), images()[1].max()) for image in images())
    data = pair(tmp_path / "data", training=[], validation=["town"])
    (sample,) = data.test_dataloader()[0]
    assert np.abs(sample["target"][0].numpy() - first).max() < 1e-6
    assert np.abs(sample["multispectral"][0].numpy() - second).max() < 1e-6
    reduced = first.reshape(len(BANDS), 4, 4, 4, 4).mean((2, 4))
    assert np.abs(sample["observation"][0].numpy() - reduced).max() < 1e-6
    assert sample["wavelengths"] == BANDS


def test_a_finer_multispectral_image_is_brought_to_the_grid_of_the_target(tmp_path: Path) -> None:
    data = pair(tmp_path / "data", factor=3, scale=2.0)
    image = data.scenes(["town"])[0].multispectral
    assert image is not None
    expected = images(3)[1].reshape(16, 3, 16, 3, 4).mean((1, 3)).transpose(2, 0, 1) / 2
    assert np.abs(image.load().cube.numpy() - expected).max() < 1e-6
    assert image.wavelengths == (1.0, 2.0, 3.0, 4.0)


def test_tiles_are_told_what_their_pair_is_with_the_regions_in_their_own_pixels(tmp_path: Path) -> None:
    """Fault: tiles of a pair had no caption, and boxes counted in the pixels of the wrong image."""
    regions = [Region(Window(0, 24, 24, 24), "a pond"), Region(Window(12, 0, 36, 12), "a road")]
    write_captions(tmp_path / "c.json", "FusionPair", {"town": RegionCaption("a town", regions)})
    whole = pair(tmp_path / "data", factor=3, captions=str(tmp_path / "c.json"))
    assert caption_of(whole.scenes(["town"])[0].caption, Window(0, 8, 4, 4)) == "a pond"
    assert caption_of(whole.scenes(["town"])[0].caption, Window(8, 8, 4, 4)) == "a town"
    data = pair(tmp_path / "data", factor=3, captions=str(tmp_path / "c.json"), tiles=2)
    told = [scene.caption for scene in data.scenes(data.scene_names())]
    assert told == ["a town"] * 4
    seen = [one.regions for one in told if isinstance(one, RegionCaption)]
    assert seen == [
        (Region(Window(4, 0, 4, 4), "a road"),),
        (Region(Window(0, 0, 8, 8), "a pond"),),
        (Region(Window(0, 0, 8, 4), "a road"),),
        (),
    ]
    write_captions(tmp_path / "d.json", "FusionPair", {"town_01": "its east", "town": "a town"})
    named = pair(tmp_path / "data", factor=3, captions=str(tmp_path / "d.json"), tiles=2)
    assert [scene.caption for scene in named.scenes(named.scene_names())] == ["a town", "its east", "a town", "a town"]


def test_training_patches_of_both_images_are_turned_alike(tmp_path: Path) -> None:
    data = pair(tmp_path / "data", patches_per_epoch=12)
    scene = data.scenes(["town"])[0]
    assert scene.multispectral is not None
    target, other = scene.load().cube, scene.multispectral.load().cube
    both = torch.cat([target, other])
    moved = 0
    for batch in data.train_dataloader():
        for clean, image in zip(batch["target"], batch["multispectral"], strict=True):
            patch, found = torch.cat([clean, image]), 0
            for row in range(9):
                for column in range(9):
                    part = both[:, row : row + 8, column : column + 8]
                    turned = [
                        torch.rot90(one, quarter, (1, 2)) for one in (part, part.flip(-1)) for quarter in range(4)
                    ]
                    same = [torch.equal(one, patch) for one in turned]
                    found += sum(same)
                    moved += any(same[1:])
            assert found == 1
    assert moved > 3


def test_folders_of_one_file_an_image_and_tiles(tmp_path: Path) -> None:
    for number, folder in enumerate(("hyperspectral", "multispectral")):
        (tmp_path / "data" / folder).mkdir(parents=True)
        np.save(tmp_path / "data" / folder / "a.npy", images()[number].transpose(2, 0, 1).astype(np.float32))
    data = FusionPair(
        str(tmp_path / "data"),
        wavelengths=list(BANDS),
        tiles=2,
        scale=1.5,
        degradation=FusionObservation(4),
        cache=str(tmp_path / "cache"),
    )
    assert data.scene_names() == ("a_00", "a_01", "a_02", "a_03")
    scene = data.scenes(["a_01"])[0]
    assert scene.multispectral is not None
    for cube, image in ((scene.load().cube, images()[0]), (scene.multispectral.load().cube, images()[1])):
        assert np.abs(cube.numpy() - image.transpose(2, 0, 1)[:, :8, 8:] / 1.5).max() < 1e-6
    assert len(data.source_files("a_01")) == 2


def test_adaptation_needs_the_response_of_the_second_sensor(tmp_path: Path) -> None:
    data = pair(tmp_path / "data", role="target", observed=["town"])
    (observation,) = data.observations()
    assert observation.multispectral is not None
    assert observation.multispectral.shape == (4, 16, 16)
    scene = data.scenes(["town"])[0]
    assert torch.equal(observation.cube, observe(scene.load(), data.degradation, 0, scene.load_measured()).cube)
    np.save(tmp_path / "proxy.npy", np.full((len(BANDS), 8, 8), 0.5, np.float32))
    proxy = MappedScene("town", tmp_path / "proxy.npy", BANDS)
    with pytest.raises(ValueError, match=r"'town' would be seen by the 3 channels .* but the multispectral .* have 4"):
        data.use_training_scenes([proxy])
    with pytest.raises(ValueError, match=r"training scene 'town' at .* is a clean target cube"):
        data.use_training_scenes([scene])


class Fuser(nn.Module):
    """The smallest network of the fusion task."""

    def __init__(self, bands: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(bands + channels, bands, 1)

    def forward(self, observation: Tensor, multispectral: Tensor) -> Tensor:
        large = nn.functional.interpolate(observation, size=multispectral.shape[-2:])
        fused: Tensor = self.mix(torch.cat([large, multispectral], 1))
        return fused


@pytest.mark.filterwarnings("ignore")
def test_paris_goes_through_the_fusion_module(shared: Path, tmp_path: Path) -> None:
    data = ParisEO1(
        str(shared / "data" / "Paris_EO1"),
        degradation=FusionObservation(4),
        training=["paris_00", "paris_01", "paris_02"],
        validation=["paris_03"],
        cache=str(tmp_path / "cache"),
        patch_size=16,
        patches_per_epoch=4,
        batch_size=2,
    )
    trainer = Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = FusionModule(Fuser(128, 9), rgb_channels=[3, 2, 1])
    trainer.fit(module, data)
    assert trainer.global_step == 2
    trainer.test(module, data, verbose=False)
    assert all(np.isfinite(float(value)) for value in trainer.callback_metrics.values())


def test_whole_scenes_of_the_contrastive_loss_are_the_measured_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pair(tmp_path / "data")
    data.train_dataloader()
    seen: list[Tensor] = []

    class Towers(nn.Module):
        def image_embeddings(self, images: Tensor, keep: bool = False) -> Tensor:
            seen.append(images)
            return torch.zeros(len(images), 2)

    module = FusionModule(Fuser(9, 4), towers=Towers(), rgb_channels=[3, 1, 0])  # type: ignore[arg-type]
    monkeypatch.setattr(FusionModule, "trainer", SimpleNamespace(datamodule=data))
    module._scenes({"name": ["town"]}, torch.device("cpu"))
    image = data.scenes(["town"])[0].multispectral
    assert image is not None
    assert torch.equal(seen[0][0], image.load().cube[[3, 1, 0]])


def test_sensors_are_estimated_and_the_shift_is_undone(tmp_path: Path) -> None:
    """A simulated pair whose coarse pixels lie off; by register both lie on each other again."""
    rng = np.random.default_rng(3)
    rows, columns = np.arange(96)[:, None], np.arange(96)
    places = [(rng.uniform(0, 96, 2), rng.uniform(5, 8)) for _ in range(60)]
    blobs = [np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * w**2)) for (y, x), w in places]
    spectra = rng.uniform(0.1, 1, (9, 3))
    cube = torch.from_numpy(np.einsum("bk,khw->bhw", spectra, np.array([sum(blobs[k::3]) for k in range(3)]) / 4))
    off = FusionObservation(4, "gaussian", kernel_size=9, sigma=1.7, offset=2.3)
    response = off.response.matrix(BANDS) if off.response is not None else torch.zeros(0)
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "x_hs.npy", off(cube, torch.Generator()).numpy())
    np.save(tmp_path / "data" / "x_ms.npy", torch.einsum("kc,chw->khw", response.double(), cube).numpy())
    settings = {"wavelengths": list(BANDS), "hyperspectral_axes": "CHW", "multispectral_axes": "CHW", "scale": 1.0}
    data = FusionPair(str(tmp_path / "data"), **settings, response="estimate", psf="estimate", register=True)  # type: ignore[arg-type]
    scene = data.open_scene(data.opened("x"))
    assert max(abs(along - 0.8) for along in scene.shift) < 0.1
    centred = FusionObservation(4, "gaussian", kernel_size=9, sigma=1.7, offset=1.5)(cube, torch.Generator()).numpy()
    inner = np.s_[:, 4:-4, 4:-4]
    moved = np.abs(scene.strip(0, 24).observation[inner] - centred[inner]).max()
    assert moved < 0.3 * np.abs(np.load(tmp_path / "data" / "x_hs.npy")[inner] - centred[inner]).max()
    assert data.known_response is not None
    assert data.degradation.phase == pytest.approx(1.5)
    with pytest.raises(
        ValueError, match=r"The response landsat8_oli has .* channels but the multispectral image of 'x'"
    ):
        _ = FusionPair(str(tmp_path / "data"), **settings, response="landsat8_oli", channels=[0]).degradation  # type: ignore[arg-type]


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no file or folder .*absent with a pair of images: set data.init_args.root"
    ):
        FusionPair(str(tmp_path / "absent")).scene_names()
    with pytest.raises(
        FileNotFoundError,
        match=r"which holds nothing: set data\.init_args\.root to a folder that holds hyperspectral/",
    ):
        FusionPair(str(tmp_path)).scene_names()
    with pytest.raises(FileNotFoundError, match=r"holds no paris_data_hs_ms\.mat: download"):
        ParisEO1(str(tmp_path)).scene_names()
    for wrong, sentence in (
        ({"channels": []}, r"FusionPair got channels=\[\]: number at least one from 0, or leave it out to take all"),
        ({"tiles": 0}, "0 tiles a side are not possible: give at least 1"),
        ({"scale": 0.0}, r"A scale of 0\.0 is not possible: give a positive number"),
        ({"multispectral_scale": -1.0}, r"A multispectral_scale of -1\.0 is not possible"),
        ({"bands": "guess"}, "FusionPair got bands='guess': choose one of refuse, select, interpolate"),
        ({"nan": "drop"}, "FusionPair got nan='drop': choose one of refuse, keep"),
        ({"suffixes": ["_a", "_a"]}, "The suffixes of a pair are .*: name two different ones"),
    ):
        with pytest.raises(ValueError, match=sentence):
            FusionPair("x", **wrong)
    with pytest.raises(ValueError, match=r"Nobody says the wavelengths of .*town\.mat: give the centre of each"):
        pair(tmp_path / "data", wavelengths=None).scenes(["town"])
    with pytest.raises(ValueError, match=r"There is no pair 'city' in .*: name one of town"):
        pair(tmp_path / "data").read_scene("city")
    with pytest.raises(ValueError, match="pair 'town' is too small for 17 tiles a side: give fewer `tiles`"):
        pair(tmp_path / "data", tiles=17).read_scene("town_00")
    second = images()[1][:12]
    scipy.io.savemat(tmp_path / "data" / "town.mat", {"HS": images()[0], "MS": second})
    broken = FusionPair(str(tmp_path / "data"), wavelengths=list(BANDS), hyperspectral_key="HS", multispectral_key="MS")
    with pytest.raises(
        ValueError, match="of 'town' has 12 x 16 pixels, fewer than the 16 x 16 of the hyperspectral one: crop both"
    ):
        broken.read_scene("town")
    for folder, name in (("hyperspectral", "a.npy"), ("multispectral", "b.npy")):
        (tmp_path / "data" / folder).mkdir()
        np.save(tmp_path / "data" / folder / name, np.ones((9, 4, 4), np.float32))
    with pytest.raises(FileNotFoundError, match=r"images a\.npy of .*hyperspectral have none of their name in"):
        FusionPair(str(tmp_path / "data")).scene_names()


def test_what_a_file_does_not_say_is_asked_for_by_the_name_that_a_pair_gives_it(tmp_path: Path) -> None:
    for name, shape in (("ground_hs", (6, 6, 20)), ("ground_ms", (24, 24, 24))):
        np.save(tmp_path / f"{name}.npy", np.ones(shape))
    with pytest.raises(ValueError, match=r"ground_hs.npy .* give `hyperspectral_axes`, CHW if they are first"):
        FusionPair(str(tmp_path)).opened("ground")
    with pytest.raises(ValueError, match=r"ground_ms.npy .* give `multispectral_axes`, CHW"):
        FusionPair(str(tmp_path), hyperspectral_axes="HWC").opened("ground")
    told = FusionPair(str(tmp_path), hyperspectral_axes="HWC", multispectral_axes="HWC").opened("ground")
    assert (told.hyperspectral.shape, told.multispectral.shape, told.ratio) == ((20, 6, 6), (24, 24, 24), 4)
    ones = FusionPair(str(tmp_path), hyperspectral_axes="HWC", multispectral_axes="HWC", wavelengths=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"`wavelengths` given for .*ground_hs"):
        ones.opened("ground")
