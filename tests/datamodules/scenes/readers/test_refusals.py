"""Settings and values that a format has no use for are refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.scenes.readers.refusals import NotRealError, refuse_axes, refuse_key, refuse_objects
from tests.datamodules.scenes.make_cubes import cube_values, write_cube
from tests.datamodules.scenes.readers.refused import refused


@pytest.mark.parametrize("kind", ["bsq", "npy", "tiff", "exr_half"])
def test_a_key_for_a_format_without_keys(tmp_path: Path, kind: str) -> None:
    refused(
        write_cube(tmp_path, kind, cube_values()), "The key 'rad' names nothing in .*: leave the key out", key="rad"
    )


@pytest.mark.parametrize("kind", ["bsq", "exr_half", "png"])
def test_axes_for_a_format_that_has_its_own(tmp_path: Path, kind: str) -> None:
    refused(write_cube(tmp_path, kind, cube_values()), "axes 'HWC' do not apply", axes="HWC")


def test_what_is_not_given_is_not_refused() -> None:
    refuse_key(Path("a"), None, "it holds one array")
    refuse_axes(Path("a"), None)


@pytest.mark.parametrize("name", ["u1", "<i2", ">i8", "f2", ">f8", "?"])
def test_real_numbers_of_any_type_and_order_pass(name: str) -> None:
    refuse_objects(np.dtype(name), Path("a"))


@pytest.mark.parametrize(
    ("dtype", "word"),
    [
        (">c16", "complex128"),
        ([("real", "f8"), ("imag", "f8")], "complex"),
        ("O", "object"),
        ("U3", "<U3"),
        ("M8[s]", r"datetime64\[s\]"),
        ([("x", "f8")], r"\[\('x', '<f8'\)\]"),
    ],
)
def test_what_is_no_real_number_is_named(dtype: Any, word: str) -> None:  # noqa: ANN401
    with pytest.raises(NotRealError, match=f"^The file a holds {word} values where real numbers are expected: save it"):
        refuse_objects(np.dtype(dtype), Path("a"))
