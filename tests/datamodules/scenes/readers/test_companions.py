"""Files beside cubes that are none, told by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.scenes.readers.companions import companion_kind, envi_companion_kind
from tests.datamodules.scenes.readers.images import image, names


def test_a_companions_name_with_wavelengths_is_a_cube(tmp_path: Path) -> None:
    image(tmp_path / "day_obs.bsq")
    assert names(tmp_path) == ["day_obs.bsq"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("scene_mask.tif", "mask"),
        ("scene-cloud.tif", "mask"),
        ("EMIT_L2A_MASK_001_x.nc", "mask"),
        ("EMIT_L2A_MASKUNCERT_001.nc", "mask"),
        ("EMIT_L2A_RFLUNCERT_001_x.nc", "uncertainty"),
        ("EMIT_L1B_OBS_001_x.nc", "geometry"),
        ("EMIT_L2A_RFL_001_x.nc", ""),
        ("ang20180101t200000_rdn_obs_ort", "geometry"),
        ("a_igm.img", "geometry"),
        ("a_dem.npy", ""),
        ("ENMAP01-QL_VNIR.TIF", "preview"),
        ("Indian_pines_gt.mat", "class map"),
        ("Houston ground truth.tif", "class map"),
        ("DARKREF_scan_0012.raw", "reference"),
        ("WHITEREF_scan.raw", "reference"),
        ("white_reference_7.tif", "reference"),
        ("whitedarkref_a.raw", "reference"),
        ("darkroom_3.raw", ""),
        ("mask.npy", ""),
        ("obs.img", ""),
        ("observation_1.npy", ""),
        ("Urban_R162.mat", ""),
    ],
)
def test_what_a_name_says(name: str, kind: str) -> None:
    assert companion_kind(Path("folder_mask") / name) == kind


def test_what_a_header_says_comes_first(tmp_path: Path) -> None:
    path = image(tmp_path / "a_mask.dat", wavelengths=False)
    header = path.with_suffix(".hdr")
    assert envi_companion_kind(path, header) == "mask"
    assert envi_companion_kind(tmp_path / "b.sli", header) == "spectral library"
    header.write_text(header.read_text().replace("ENVI Standard", "ENVI Classification"))
    assert envi_companion_kind(path, header) == "class map"
    assert envi_companion_kind(image(tmp_path / "c_mask.dat"), tmp_path / "c_mask.hdr") == ""
    assert envi_companion_kind(path, tmp_path / "absent.hdr") == ""


def test_references_of_a_capture_are_left_out_although_they_have_its_bands(tmp_path: Path) -> None:
    for name in ("scan.raw", "DARKREF_scan.raw", "WHITEREF_scan.raw"):
        image(tmp_path / name)
    assert names(tmp_path) == ["scan.raw"]
