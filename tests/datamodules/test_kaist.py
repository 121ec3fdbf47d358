"""KAIST in its original layout and its derivatives, a few pixels wide, and what is resized strip by strip."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from numpy.typing import NDArray

from datamodules import KAIST
from datamodules.degradations import bicubic_resize
from datamodules.sampling.strips import area_matrix
from datamodules.splits import load_split
from tests.datamodules.fake_chikusei import write_matlab

HEIGHT, WIDTH = 18, 22


def reflectance(bands: int = 31, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    """Bands x rows x columns, a few values above 1 as highlights are."""
    return np.random.default_rng(5).uniform(0, 1.1, (bands, height, width)).astype(np.float32)


def write_exr(path: Path, cube: NDArray[np.float32]) -> Path:
    """As the authors do: channels named by their wavelengths beside R, G and B."""
    exr = pytest.importorskip("OpenEXR")
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {f"w{420 + 10 * band}nm": plane for band, plane in enumerate(cube)}
    planes = {**named, "R": cube[24], "G": cube[13], "B": cube[5]}
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    exr.File(header, {name: np.ascontiguousarray(plane) for name, plane in planes.items()}).write(str(path))
    return path


def kaist(root: Path, **options: object) -> KAIST:
    return KAIST(str(root), cache=str(root.parent / "cache"), **{"split": "all", **options})  # type: ignore[arg-type]


def test_channels_are_chosen_by_their_names_and_clipped(tmp_path: Path) -> None:
    for number in (3, 12):
        write_exr(tmp_path / "data" / f"scene{number:02d}_reflectance.exr", reflectance())
    data = kaist(tmp_path / "data", size=None)
    assert data.scene_names() == ("scene03", "scene12")
    assert data.wavelengths == tuple(float(nm) for nm in range(420, 721, 10))
    scene = data.scenes(["scene03_reflectance.exr"])[0].load()
    assert scene.name == "scene03"
    assert np.abs(scene.cube.numpy() - reflectance().clip(0, 1)).max() < 1e-6
    largest = kaist(tmp_path / "data", size=None, normalisation="maximum").read_scene("scene03").cube
    assert np.abs(largest.numpy() - reflectance() / reflectance().max()).max() < 1e-6


@pytest.mark.parametrize("resizing", ["area", "bicubic"])
def test_scenes_are_resized_by_the_named_method(tmp_path: Path, resizing: str) -> None:
    write_exr(tmp_path / "data" / "scene01_reflectance.exr", reflectance())
    cube = kaist(tmp_path / "data", size=8, resizing=resizing).scenes(["scene01"])[0].load().cube
    whole = torch.from_numpy(reflectance())
    rows, columns = area_matrix(HEIGHT, 8).float(), area_matrix(WIDTH, 8).float()
    expected = rows @ whole @ columns.T if resizing == "area" else bicubic_resize(HEIGHT, WIDTH, 8, 8).apply(whole)
    assert cube.shape == (31, 8, 8)
    assert (cube - expected.clamp(0, 1)).abs().max() < 1e-5


def test_derivatives_by_name(tmp_path: Path) -> None:
    root = tmp_path / "data"
    arrays = {name: reflectance(28).clip(0, 1).transpose(1, 2, 0).astype(float) for name in ("HSI", "img")}
    (root / "KAIST_CVPR2021").mkdir(parents=True)
    scipy.io.savemat(root / "KAIST_CVPR2021" / "7.mat", {"HSI": arrays["HSI"]})
    write_matlab(root / "KAIST_CVPR2021" / "12.mat", "HSI", arrays["HSI"])
    (root / "TSA_simu_data" / "Truth").mkdir(parents=True)
    scipy.io.savemat(root / "TSA_simu_data" / "Truth" / "scene01.mat", {"img": arrays["img"]})
    scipy.io.savemat(root / "kaist_crop256_01.mat", {"img": reflectance(31).clip(0, 1).transpose(1, 2, 0)})
    training, simulation, crop = (
        kaist(root, edition=edition, size=size)
        for edition, size in (("cvpr2021", None), ("tsa_simulation", 512), ("crop256", 512))
    )
    assert training.scene_names() == ("cvpr2021_07", "cvpr2021_12")
    assert simulation.scene_names() == ("tsa_scene01",)
    assert crop.scene_names() == ("crop256_01",)
    assert (len(training.wavelengths), training.wavelengths[0], training.wavelengths[-1]) == (28, 453.3, 648.1)
    for data in (training, simulation):
        for name in data.scene_names():
            cube = data.scenes([name])[0].load().cube
            assert np.abs(cube.numpy() - reflectance(28).clip(0, 1)).max() < 1e-6
    # Never resized, whatever `size` says.
    assert crop.scenes(["crop256_01"])[0].shape == (31, HEIGHT, WIDTH)
    assert kaist(root, edition="cvpr2021", size=5).scenes(["cvpr2021_07"])[0].shape == (28, 5, 5)


def test_the_split_of_the_coded_aperture_papers(shared: Path) -> None:
    training, test = load_split("KAIST", "cassi")
    assert list(test) == (shared / "data" / "splits" / "kaist_cassi_test.txt").read_text().split()
    assert sorted(training + test) == [f"scene{number:02d}" for number in range(1, 31)]
    data = KAIST("x")
    assert (data.default_names("observed"), data.default_names("unobserved")) == (training, test)
    assert KAIST("x", edition="cvpr2021").split == "all"
    assert len(data.expected().names) == 30
    assert data.expected().shape == (31, 512, 512)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent, where the KAIST data set, edition reflectance"):
        kaist(tmp_path / "absent").scene_names()
    scipy.io.savemat(tmp_path / "scene01.mat", {"img": np.ones((4, 4, 28))})
    message = r"no scene of the KAIST edition reflectance, that is no sceneNN_reflectance\.exr .* but scene01\.mat"
    with pytest.raises(FileNotFoundError, match=message):
        kaist(tmp_path).scene_names()
    with pytest.raises(FileNotFoundError, match=r"no scene of the KAIST edition cvpr2021, that is no N\.mat in it"):
        kaist(tmp_path, edition="cvpr2021").scene_names()
    with pytest.raises(FileNotFoundError, match="no KAIST scene 'tsa_scene02' of tsa_simulation in"):
        kaist(tmp_path, edition="tsa_simulation").read_scene("tsa_scene02")
    scipy.io.savemat(tmp_path / "scene01.mat", {"img": np.ones((4, 4, 31))})
    with pytest.raises(ValueError, match=r"scene01\.mat has 31 bands where 28 of 453\.3 to 648\.1 nm are expected"):
        kaist(tmp_path, edition="tsa_simulation").read_scene("tsa_scene01")
    for options, message in (
        ({"edition": "exr"}, "KAIST edition 'exr' is unknown: choose reflectance, cvpr2021, tsa_simulation, crop256"),
        ({"split": "kaist"}, "KAIST split 'kaist' is unknown: choose cassi or all"),
        ({"resizing": "cubic"}, "resizing 'cubic' is unknown: choose area or bicubic"),
        ({"normalisation": "none"}, "normalisation 'none' is unknown: choose clip, maximum or minmax"),
        ({"size": 0}, "size of 0 pixels is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            kaist(tmp_path, **options)
    write_exr(tmp_path / "scene02_reflectance.exr", reflectance(27))
    with pytest.raises(ValueError, match=r"scene02_reflectance\.exr has 27 bands where 31 of 420 to 720 nm"):
        kaist(tmp_path).read_scene("scene02")
