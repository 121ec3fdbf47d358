"""Nothing leads out of an HDF5 file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.hdf5_links import OutsideError, is_numeric, own_data_sets, refuse_outside

CUBE = np.random.default_rng(2).uniform(0.1, 0.9, (5, 20, 24)).astype(np.float32)


CENTRES = (420.0, 450.0, 480.0, 510.5, 660.0)


def test_nothing_outside_of_the_file_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["cube"] = CUBE
        file["wavelength"] = np.array(CENTRES)
    (tmp_path / "raw.bin").write_bytes(CUBE.tobytes())
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("other.h5", "/cube")
        file["wavelength"] = h5py.ExternalLink("other.h5", "/wavelength")
        file["soft"] = h5py.SoftLink("/nowhere")
        file["mine"] = CUBE + 1
    cube = open_cube(tmp_path / "links.h5")
    assert cube.metadata["key"] == "mine"
    assert cube.wavelengths is None
    with pytest.raises(ValueError, match="has no data set 'linked'"):
        open_cube(tmp_path / "links.h5", key="linked")
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("cube", CUBE.shape, "f4", external=[(str(tmp_path / "raw.bin"), 0, CUBE.nbytes)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(CUBE.shape, "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "cube", CUBE.shape)
        file.create_virtual_dataset("cube", layout)
    for name in ("external.h5", "virtual.h5"):
        with pytest.raises(
            ValueError, match=rf"'cube' in .*{name} keeps its values in another file \(.*\), which is nev"
        ):
            open_cube(tmp_path / name)


def test_the_same_holds_for_matlab(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["cube"] = CUBE
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["cube"] = h5py.ExternalLink("other.h5", "/cube")
    with pytest.raises(ValueError, match=r"a\.mat has no numeric array, nor a struct with one \(cells and"):
        open_cube(tmp_path / "a.mat")


def test_circles_of_groups_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/cube"] = CUBE
        file["group/again"] = file["group"]
    assert open_cube(tmp_path / "a.h5", key="group/cube").shape == CUBE.shape
    # The circle shows one cube once, not once for every time around.
    assert open_cube(tmp_path / "a.h5").shape == CUBE.shape


def test_own_data_sets_are_listed_once_with_their_paths(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["cube"] = CUBE
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a/b/cube"] = CUBE
        file["lat"] = np.arange(3.0)
        file["a/soft"] = h5py.SoftLink("/lat")
        file["a/outside"] = h5py.ExternalLink("other.h5", "/cube")
        file["#refs#/x"] = np.arange(2.0)
        assert [name for name, _ in own_data_sets(file)] == ["a/b/cube", "lat"]
        assert [name for name, _ in own_data_sets(file["a"], "a/")] == ["a/b/cube"]
        deep = file.create_group("/".join("d" * 32))
        deep["in"], deep.create_group("e")["out"] = 1.0, 2.0
        found = [name for name, _ in own_data_sets(file)]
        assert "/".join("d" * 32) + "/in" in found
        assert not any(name.endswith("out") for name in found)


def test_what_is_numeric_and_what_lies_outside(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in {"f": CUBE, "b": CUBE > 0, "c": CUBE.astype(complex)}.items():
            file[name] = values
            assert is_numeric(file[name])
            refuse_outside(tmp_path / "a.h5", file[name])
        file["text"] = "words"
        assert not is_numeric(file["text"])
        own = h5py.VirtualLayout(CUBE.shape, "f4")
        own[:] = h5py.VirtualSource(file["f"])
        refuse_outside(tmp_path / "a.h5", file.create_virtual_dataset("own", own))
        outside = file.create_dataset("raw", (3,), "f4", external=[(str(tmp_path / "raw.bin"), 0, 12)])
        with pytest.raises(OutsideError, match=r"^The data set 'raw' in .*a\.h5 keeps its values .*\(.*raw\.bin\)"):
            refuse_outside(tmp_path / "a.h5", outside)
