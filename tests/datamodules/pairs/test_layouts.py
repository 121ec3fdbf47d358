"""Which files are a pair: folders, suffixes, files with both arrays; and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from datamodules.pairs.layouts import check_names, find_pairs


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.zeros((3, 4, 4), np.float32))
    return path


def test_two_folders_two_suffixes_and_names_of_ones_own(tmp_path: Path) -> None:
    for first, second, given in (
        ("a/hyperspectral/x.npy", "a/multispectral/x.npy", {}),
        ("b/x_hs.npy", "b/x_ms.npy", {}),
        ("c/HSI/x.npy", "c/MSI/x.npy", {"folders": ("HSI", "MSI")}),
        ("d/x_low.npy", "d/x_rgb.npy", {"suffixes": ("_low", "_rgb")}),
    ):
        paths = touch(tmp_path / first), touch(tmp_path / second)
        assert find_pairs(tmp_path / first[0], **given) == {"x": paths}
    both = tmp_path / "e" / "town.npz"
    both.parent.mkdir()
    np.savez(both, a=np.zeros((3, 4, 4)), b=np.zeros((2, 8, 8)))
    assert find_pairs(both.parent) == find_pairs(both) == {"town": (both, both)}


def test_what_is_no_pair_is_said_in_one_sentence(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "x_hs.npy")
    with pytest.raises(
        FileNotFoundError, match=r"The images x_hs\.npy of NAME_hs\.\* in .* have none of their name in"
    ):
        find_pairs(tmp_path / "a")
    touch(tmp_path / "b" / "hyperspectral" / "x.npy")
    touch(tmp_path / "b" / "multispectral" / "x.npy")
    touch(tmp_path / "b" / "multispectral" / "y.npy")
    with pytest.raises(FileNotFoundError, match=r"The images y\.npy of .*multispectral have none of their name in"):
        find_pairs(tmp_path / "b")
    touch(tmp_path / "c" / "x_hs.npy")
    touch(tmp_path / "c" / "x_ms.npy")
    np.savez(tmp_path / "c" / "x_ms.npz", a=np.zeros((3, 4, 4)))
    with pytest.raises(ValueError, match=r"Both x_ms\.npy and x_ms\.npz in .* could be the image 'x' of a pair"):
        find_pairs(tmp_path / "c")
    with pytest.raises(FileNotFoundError, match=r"There is no file or folder .*absent with a pair of images"):
        find_pairs(tmp_path / "absent")
    for names in (["a"], ["a", "a"], ["a", ""]):
        with pytest.raises(ValueError, match="The suffixes of a pair are"):
            check_names("suffixes", names)
