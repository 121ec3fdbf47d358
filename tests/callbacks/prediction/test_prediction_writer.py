"""Restored cubes in files: every format, type and size; atomic, resumable, with pictures and notes beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from lightning import LightningModule
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from callbacks import PredictionWriter
from datamodules import Folder
from datamodules.scenes.readers import CubeFile, open_cube
from lightning_modules import FusionModule, RestorationModule, Subspace, WhitenedRCTV
from tests.callbacks.tiny import tiny_data, tiny_trainer
from tests.datamodules.scenes.make_cubes import CENTRES, FORMATS, cube_values, write_cube


class Halving(nn.Module):
    """Halves every value and repeats every pixel."""

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))
        self.scale = scale

    def forward(self, observation: Tensor) -> Tensor:
        enlarged = observation.repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)
        return self.factor * enlarged


def halving(scale: int = 1, centres: list[float] | None = None) -> RestorationModule:
    """A module that says what it was trained on."""
    module = RestorationModule(Halving(scale))
    module.trained_on = {"wavelengths": centres or CENTRES}
    return module


def write_floats(folder: Path, cube: NDArray[np.float32]) -> None:
    """Write `cube.bsq`, which holds numbers that may be NaN."""
    folder.mkdir(parents=True, exist_ok=True)
    cube.astype("<f4").tofile(folder / "cube.bsq")
    bands, height, width = cube.shape
    entries = {"samples": width, "lines": height, "bands": bands, "header offset": 0, "data type": 4, "byte order": 0}
    lines = [f"{name} = {value}" for name, value in entries.items()]
    lines += ["interleave = bsq", "wavelength = {" + ", ".join(map(str, CENTRES)) + "}"]
    (folder / "cube.hdr").write_text("\n".join(["ENVI", *lines, ""]))


def predict(
    source: Path,
    target: Path,
    module: LightningModule | None = None,
    data: dict[str, Any] | None = None,
    **settings: Any,  # noqa: ANN401
) -> PredictionWriter:
    """Predict a folder in tiles of 16 pixels."""
    writer = PredictionWriter(str(target), **({"tile": 16, "pictures": False} | settings))
    folder = Folder(str(source), **({"normalisation": "scale:2048"} | (data or {})))
    tiny_trainer(target.parent, [writer]).predict(module or halving(), datamodule=folder)
    return writer


def values(path: Path, **options: Any) -> tuple[CubeFile, NDArray[Any]]:  # noqa: ANN401
    """An output and all of its values."""
    file = open_cube(path, **options)
    return file, file.window(0, 0, *file.shape[1:])


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files included."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_comes_back_as_itself(tmp_path: Path, kind: str) -> None:
    cube = cube_values(height=22, width=35)
    source = write_cube(tmp_path / "in", kind, cube, CENTRES)
    options: dict[str, Any] = {} if open_cube(source).wavelengths else {"wavelengths": CENTRES}
    writer = predict(tmp_path / "in", tmp_path / "out", data=options)
    assert writer.written == [tmp_path / "out" / source.name]
    before, after = open_cube(source, **options), values(writer.written[0], **options)
    assert type(after[0]) is type(before)
    assert after[0].dtype == before.dtype
    assert after[0].wavelengths == tuple(CENTRES)
    limit = 2.0 if before.dtype == np.float16 else 0.6
    assert float(np.abs(after[1].astype(np.float64) - cube / 2).max()) <= limit
    assert not [name for name in names(tmp_path / "out") if name.startswith(".") or "/." in name]


@pytest.mark.parametrize("size", [(5, 7), (16, 16), (17, 40), (70, 16)])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_size_is_restored_as_if_in_one_piece(tmp_path: Path, size: tuple[int, int], batch_size: int) -> None:
    cube = cube_values(5, *size)
    write_cube(tmp_path / "in", "bsq", cube, CENTRES)
    writer = predict(tmp_path / "in", tmp_path / "out", dtype="float32", batch_size=batch_size)
    np.testing.assert_allclose(values(writer.written[0])[1], cube / 2, rtol=1e-5)


def test_super_resolution_writes_a_larger_cube_and_says_so(tmp_path: Path) -> None:
    cube = cube_values(height=22, width=35)
    source = write_cube(tmp_path / "in", "bsq", cube, CENTRES)
    header = source.with_suffix(".hdr")
    header.write_text(header.read_text() + "map info = {UTM, 1, 1, 500000, 4649776, 2.5, 2.5, 33, North}\n")
    write_cube(tmp_path / "in", "tiff", cube, CENTRES)
    first, second = predict(tmp_path / "in", tmp_path / "out", halving(4)).written
    for path in (first, second):
        file, found = values(path)
        assert file.shape == (5, 88, 140)
        np.testing.assert_allclose(found, cube.repeat(4, 1).repeat(4, 2) / 2, atol=0.6)
        record = json.loads(path.with_name(f"{path.name}.json").read_text())
        assert record["notes"]["restored by"] == f"Halving from {path.name}, 4 x its pixels along each side"
    metadata = open_cube(first).metadata
    assert metadata["restored by"] == "Halving from cube.bsq, 4 x its pixels along each side"
    assert metadata["map info"] == "{UTM, 1.0, 1.0, 500000, 4649776, 0.625, 0.625, 33, North}"
    with tifffile.TiffFile(second) as tiff:
        assert json.loads(tiff.pages.first.description)["restored by"].endswith("4 x its pixels along each side")
        assert tiff.pages.first.tags[33550].value == (7.5, 7.5, 0.0)


@pytest.mark.parametrize("rule", ["maximum", "minmax", "scale:2048"])
def test_normalisation_is_undone(tmp_path: Path, rule: str) -> None:
    cube = cube_values().astype(np.float32)
    write_cube(tmp_path / "in", "npy", cube)
    options = {"axes": "CHW", "wavelengths": CENTRES}
    writer = predict(tmp_path / "in", tmp_path / "out", data={**options, "normalisation": rule})
    low = cube.min() if rule == "minmax" else 0.0
    np.testing.assert_allclose(values(writer.written[0], axes="CHW")[1], (cube + low) / 2, rtol=1e-5)


def test_types_of_the_output(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).uniform(0.1, 1.0, (5, 20, 20)).astype(np.float32)
    write_floats(tmp_path / "in", cube)
    data = {"normalisation": "none"}
    same = values(predict(tmp_path / "in", tmp_path / "same", data=data).written[0])
    assert same[0].dtype == np.float32
    np.testing.assert_allclose(same[1], cube / 2, rtol=1e-5)
    whole = values(predict(tmp_path / "in", tmp_path / "whole", data=data, dtype="uint16").written[0])
    assert whole[0].dtype == np.uint16
    assert whole[0].metadata["reflectance scale factor"] == "65535"
    np.testing.assert_allclose(whole[1] / 65535, cube / 2, atol=1e-5)
    counts = cube_values()
    write_cube(tmp_path / "counts", "bsq", counts, CENTRES)
    kept = values(predict(tmp_path / "counts", tmp_path / "kept", dtype="uint16").written[0])
    assert "reflectance scale factor" not in kept[0].metadata
    np.testing.assert_allclose(kept[1], counts / 2, atol=0.6)


def test_clipped_values_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cube = np.full((5, 20, 20), 60000, dtype=np.uint16)
    cube[:, 3, 4] = 0
    write_cube(tmp_path / "in", "bsq", cube, CENTRES)
    module = halving()
    nn.init.constant_(module.network.factor, 2.0)  # type: ignore[arg-type]
    writer = predict(tmp_path / "in", tmp_path / "out", module, {"normalisation": "scale:65535"})
    assert "1995 restored values were beyond the range of uint16 and were clipped" in caplog.text
    found = values(writer.written[0])[1]
    assert int(found.max()) == 65535
    assert int(found[0, 3, 4]) == 0


def test_nan_stays_where_it_was(tmp_path: Path) -> None:
    cube = cube_values(height=22, width=35).astype(np.float32)
    cube[1, 13, 14], cube[4, 21, 34] = np.nan, np.inf
    write_floats(tmp_path / "in", cube)
    writer = predict(tmp_path / "in", tmp_path / "out", halving(2), {"nan": "keep"})
    found = values(writer.written[0])[1]
    expected = ~np.isfinite(cube).repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(np.isnan(found), expected)
    np.testing.assert_allclose(found[~expected], cube.repeat(2, 1).repeat(2, 2)[~expected] / 2, rtol=1e-5)
    with pytest.raises(
        ValueError,
        match=r"^The restored cube\.bsq holds NaN, which uint16 cannot hold: set writer\.dtype to float32\.$",
    ):
        predict(tmp_path / "in", tmp_path / "whole", data={"nan": "keep"}, dtype="uint16")
    assert names(tmp_path / "whole") == []


def test_other_bands_after_the_explicit_setting(tmp_path: Path) -> None:
    cube = cube_values(height=22, width=35)
    write_cube(tmp_path / "in", "bsq", cube, CENTRES)
    module = halving(centres=[400.0, 435.0, 450.0, 660.0])
    with pytest.raises(ValueError, match=r"set data\.init_args\.bands to select"):
        predict(tmp_path / "in", tmp_path / "out", module)
    file, found = values(predict(tmp_path / "in", tmp_path / "out", module, {"bands": "interpolate"}).written[0])
    assert file.wavelengths == (435.0, 450.0, 660.0)
    np.testing.assert_allclose(found[0], (cube[0] + cube[1].astype(float)) / 4, atol=0.6)
    np.testing.assert_allclose(found[2], cube[4] / 2, atol=0.6)
    assert file.metadata["bands not written"] == "400 nm, outside of the observation's range"


def test_folders_below_are_kept(tmp_path: Path) -> None:
    for place in ("", "b", "a/c"):
        write_cube(tmp_path / "in" / place, "bsq", cube_values(), CENTRES)
    predict(tmp_path / "in", tmp_path / "out", data={"recursive": True})
    images = [name for name in names(tmp_path / "out") if name.endswith(".bsq")]
    assert images == ["a/c/cube.bsq", "b/cube.bsq", "cube.bsq"]


def test_a_resumed_run_skips_what_is_finished_and_nothing_else(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_cube(tmp_path / "in" / place, "bsq", cube_values(), CENTRES)
    data, out = {"recursive": True}, tmp_path / "out"

    def resumed(module: RestorationModule | None = None, **settings: Any) -> list[str]:  # noqa: ANN401
        writer = predict(tmp_path / "in", out, module, data, **({"resume": True} | settings))
        return [path.relative_to(out).as_posix() for path in writer.written]

    both = ["a/cube.bsq", "b/cube.bsq"]
    assert resumed() == both
    assert resumed() == []
    assert resumed(resume=False) == both
    assert resumed(dtype="float32") == both
    (out / "a" / "cube.bsq").write_bytes(b"cut")
    assert resumed(dtype="float32") == ["a/cube.bsq"]
    (out / "b" / "cube.bsq.json").write_text("{")
    assert resumed(dtype="float32") == ["b/cube.bsq"]
    write_cube(tmp_path / "in" / "b", "bsq", cube_values() + np.uint16(1), CENTRES)
    assert resumed(dtype="float32") == ["b/cube.bsq"]
    other = halving()
    nn.init.constant_(other.network.factor, 0.25)  # type: ignore[arg-type]
    assert resumed(other, dtype="float32") == both


def test_a_failed_run_leaves_no_half_file_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    good, bad = (cube_values(height=40).astype(np.float32) for _ in range(2))
    bad[2, 39, 14] = np.nan
    write_floats(tmp_path / "in" / "a", good)
    write_floats(tmp_path / "in" / "b", bad)
    with pytest.raises(
        ValueError, match=r"b/cube\.bsq holds NaN or infinite values, the first in band 2 at row 39, col"
    ):
        predict(tmp_path / "in", tmp_path / "out", data={"recursive": True})
    assert [name for name in names(tmp_path / "out") if "cube" in name] == [
        "a/cube.bsq",
        "a/cube.bsq.json",
        "a/cube.hdr",
    ]
    bad[2, 39, 14] = 1
    write_floats(tmp_path / "in" / "b", bad)
    again = predict(tmp_path / "in", tmp_path / "out", data={"recursive": True}, resume=True)
    assert [path.parent.name for path in again.written] == ["b"]


def test_a_quick_look_and_spectra_lie_beside(tmp_path: Path) -> None:
    cube = np.full((5, 22, 35), 512, dtype=np.uint16)
    cube[:, :, 20:] = 2048
    write_cube(tmp_path / "in", "bsq", cube, CENTRES)
    predict(tmp_path / "in", tmp_path / "out", halving(2), pictures=True)
    with Image.open(tmp_path / "out" / "cube.bsq.restored.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (22, 35 + 8 + 35, 3)
    assert (pixels[:, 20:35] == 255).all()
    left, right = pixels[5, 5].tolist(), pixels[5, 43 + 5].tolist()
    # The restored values are half of the observed ones, and white is the restored cube's.
    assert left == [round(255 * 0.5 ** (1 / 2.2))] * 3
    assert right == [round(255 * 0.25 ** (1 / 2.2))] * 3
    assert (pixels[:, 43 + 20 :] == 255).all()
    with Image.open(tmp_path / "out" / "cube.bsq.spectra.png") as picture:
        assert picture.width > 1000


def test_without_a_folder_predictions_are_handed_to_the_caller(tmp_path: Path) -> None:
    cube = cube_values()
    write_cube(tmp_path / "in", "bsq", cube, CENTRES)
    trainer = tiny_trainer(tmp_path, [PredictionWriter()])
    found: Any = trainer.predict(halving(), datamodule=Folder(str(tmp_path / "in"), normalisation="scale:2048"))
    np.testing.assert_allclose(found[0][0].numpy(), cube / 4096, rtol=1e-6)


def test_outputs_never_take_the_place_of_inputs(tmp_path: Path) -> None:
    write_cube(tmp_path / "in", "bsq", cube_values(), CENTRES)
    content = (tmp_path / "in" / "cube.bsq").read_bytes()
    sentence = (
        r"^The restored cubes would go to .*, among the observations in .*: set --output to a folder outside of them"
    )
    with pytest.raises(ValueError, match=sentence):
        predict(tmp_path / "in", tmp_path / "in")
    with pytest.raises(ValueError, match=sentence):
        predict(tmp_path / "in", tmp_path / "in" / "out", data={"recursive": True})
    assert (tmp_path / "in" / "cube.bsq").read_bytes() == content


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    write_cube(tmp_path / "in", "bsq", cube_values(), CENTRES)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(
        OSError, match=r"^The output folder .*out cannot be made \(.*\): set --output to another one\.$"
    ):
        predict(tmp_path / "in", tmp_path / "out")


def test_a_full_disk_is_said_before_the_file_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cube(tmp_path / "in", "bsq", cube_values(), CENTRES)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(
        OSError, match=r"^The restored cube .*cube\.bsq needs 0\.0 MiB and the disk has 0\.0 MiB left: free"
    ):
        predict(tmp_path / "in", tmp_path / "out")
    assert names(tmp_path / "out") == []


class OneBand(nn.Module):
    """Gives one band, whatever it is given."""

    def forward(self, observation: Tensor) -> Tensor:
        return observation[:, :1]


class Spoiling(nn.Module):
    """Gives NaN."""

    def forward(self, observation: Tensor) -> Tensor:
        return observation * torch.nan


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (OneBand, r"^OneBand gave 1 bands of the 5 bands of cube\.bsq: predict with a network that restores the bands"),
        (
            Spoiling,
            r"^Spoiling gave NaN or infinite values for cube\.bsq at row 0, column 0: check the checkpoint and ",
        ),
    ],
)
def test_networks_that_restore_no_cube_are_refused(
    tmp_path: Path, network: Callable[[], nn.Module], sentence: str
) -> None:
    write_cube(tmp_path / "in", "bsq", cube_values(), CENTRES)
    module = RestorationModule(network())
    module.trained_on = {"wavelengths": CENTRES}
    with pytest.raises(ValueError, match=sentence):
        predict(tmp_path / "in", tmp_path / "out", module)


def test_other_data_and_fusion_are_refused(tmp_path: Path) -> None:
    writer = PredictionWriter(str(tmp_path / "out"))
    with pytest.raises(
        TypeError, match=r"^PredictionWriter writes the cubes of a folder, but as data they are MiniScenes: pred"
    ):
        tiny_trainer(tmp_path, [writer]).predict(halving(), datamodule=tiny_data(tmp_path))
    write_cube(tmp_path / "in", "bsq", cube_values(), CENTRES)
    fusion = FusionModule(Halving(), contrastive_weight=0.0)
    with pytest.raises(
        TypeError, match=r"^FusionModule does not restore single cubes, and Folder has no pairs of images"
    ):
        predict(tmp_path / "in", tmp_path / "out", fusion)


def test_unknown_settings_of_the_writer_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^PredictionWriter got dtype='uint8': choose one of same, float32, uint16\.$"
    ):
        PredictionWriter("out", dtype="uint8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^PredictionWriter got tile=8: give at least 16 pixels"):
        PredictionWriter("out", tile=8)
    with pytest.raises(ValueError, match=r"^PredictionWriter got batch_size=0: give at least 1\.$"):
        PredictionWriter("out", batch_size=0)


def test_names_as_long_as_a_file_system_allows(tmp_path: Path) -> None:
    write_cube(tmp_path / "in", "npy", cube_values())
    name = "x" * 251 + ".npy"
    (tmp_path / "in" / "cube.npy").rename(tmp_path / "in" / name)
    options = {"axes": "CHW", "wavelengths": CENTRES}
    predict(tmp_path / "in", tmp_path / "out", data=options, pictures=True)
    found = names(tmp_path / "out")
    assert name in found
    assert len(found) == 4
    assert predict(tmp_path / "in", tmp_path / "out", data=options, resume=True).written == []


def test_a_cube_without_a_good_band_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "in").mkdir()
    write_floats(tmp_path / "in", np.full((5, 24, 24), 0.5, np.float32))
    predict(tmp_path / "in", tmp_path / "out", data={"wavelengths": CENTRES})
    assert ": none, as all are bad or constant in the observation." in caplog.text


def test_one_bad_cube_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"axes": "CHW", "wavelengths": CENTRES}
    for number in range(3):
        write_cube(tmp_path / str(number), "npy", cube_values(height=40))
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / str(number) / "cube.npy").rename(tmp_path / "in" / f"{number}.npy")
    spoilt = cube_values(height=40).astype(np.float32)
    spoilt[2, 30] = np.nan
    np.save(tmp_path / "in" / "1.npy", spoilt)
    (tmp_path / "in" / "empty.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"^2 cubes could not be restored \(empty\.npy: .*; 1\.npy: .*NaN or infinite"):
        predict(tmp_path / "in", tmp_path / "out", data=options)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.npy")) == ["0.npy", "2.npy"]
    assert not [name for name in names(tmp_path / "out") if name.startswith(".")]
    said = capsys.readouterr().out
    assert "why it could not be restored" in said
    assert "2 cubes restored to" in said
    with pytest.raises(ValueError, match=r"empty\.npy of 0 bytes"):
        predict(tmp_path / "in", tmp_path / "strict", data={**options, "strict": True})


def test_marks_of_missing_values_are_written_back(tmp_path: Path) -> None:
    cube = cube_values(height=20, width=20).astype(np.int16)
    cube[:, :, :6] = -9999
    (tmp_path / "in").mkdir()
    cube.astype("<i2").tofile(tmp_path / "in" / "cube.bsq")
    (tmp_path / "in" / "cube.hdr").write_text(
        "ENVI\nsamples = 20\nlines = 20\nbands = 5\ndata type = 2\ninterleave = bsq\ndata ignore value = -9999\n"
        f"wavelength = {{{', '.join(map(str, CENTRES))}}}\n"
    )
    (same,) = predict(tmp_path / "in", tmp_path / "same", data={"nan": "keep"}).written
    found = values(same)[1]
    assert (found[:, :, :6] == -9999).all()
    np.testing.assert_allclose(found[:, :, 6:], cube[:, :, 6:] / 2, atol=0.6)
    (finer,) = predict(tmp_path / "in", tmp_path / "finer", halving(2), data={"nan": "keep"}).written
    assert (values(finer)[1][:, :, :12] == -9999).all()
    assert not (values(finer)[1][:, :, 12:] == -9999).any()
    with pytest.raises(ValueError, match="lacks values, for which uint16 has no mark: set writer"):
        predict(tmp_path / "in", tmp_path / "whole", data={"nan": "keep"}, dtype="uint16")


def test_what_must_see_scenes_whole_is_given_large_ones_in_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, ...]] = []

    class Kept(WhitenedRCTV):
        def forward(self, observation: Tensor) -> Tensor:
            sizes.append(tuple(observation.shape[2:]))
            return observation

    write_floats(tmp_path / "in", np.random.default_rng(0).random((len(CENTRES), 30, 44), dtype=np.float32))
    network = Subspace(Kept(rank=2), nn.Identity(), rank=2)
    network.mix = nn.Conv2d(5, 2, 1)
    module = RestorationModule(network)
    rule = {"normalisation": "none", "trained_wavelengths": CENTRES}
    predict(tmp_path / "in", tmp_path / "whole", module, rule)
    assert sizes == [(30, 44)]
    monkeypatch.setattr("callbacks.prediction.prediction_writer.WHOLE_VALUES", 30 * 44 * len(CENTRES) - 1)
    sizes.clear()
    writer = predict(tmp_path / "in", tmp_path / "cut", module, rule)
    # Two rows of three that overlap by an eighth: a quarter would take four in a row.
    assert sizes == [(16, 16)] * 6
    assert values(writer.written[0])[1].shape == (len(CENTRES), 30, 44)
    record = json.loads((tmp_path / "cut" / "cube.bsq.json").read_text())
    assert record["settings"]["tile"] == [16, None, 0.125]
