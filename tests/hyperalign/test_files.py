"""Names of files beside others, within what a file system allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hyperalign.files import LONGEST_NAME, beside, fits_pattern, parsed_json


@pytest.mark.parametrize("name", ["x" * 251 + ".dat", "ü" * 125 + ".tif", "a.dat"])
@pytest.mark.parametrize("ending", [".json", ".restored.png", ".hdr"])
def test_names_beside_fit_and_differ(tmp_path: Path, name: str, ending: str) -> None:
    found = beside(tmp_path / name, ending)
    found.write_bytes(b"")
    assert found.parent == tmp_path
    assert found.name.endswith(ending)
    assert len(found.name.encode()) <= LONGEST_NAME
    assert found != beside(tmp_path / f"{name[:-5]}b{name[-4:]}", ending)
    if len(f"{name}{ending}".encode()) <= LONGEST_NAME:
        assert found.name == f"{name}{ending}"


@pytest.mark.parametrize("stem", [b"\xff", b"\xff" * 251])
def test_names_in_another_systems_bytes_are_names(tmp_path: Path, stem: bytes) -> None:
    name = os.fsdecode(stem + b".dat")
    found = beside(tmp_path / name, ".json")
    found.write_bytes(b"")
    assert found.name.endswith(".json")
    assert len(os.fsencode(found.name)) <= LONGEST_NAME
    assert found != beside(tmp_path / os.fsdecode(b"\xfe" + stem[1:] + b".dat"), ".json")


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [("a*", "ab", True), ("a*", "ba", False), ("a[0]", "a[0]", True), ("a[0]", "a0", True), ("A", "a", False)],
)
def test_a_pattern_fits_a_name_by_its_meaning_or_by_its_letters(pattern: str, name: str, fits: bool) -> None:
    assert fits_pattern(pattern, "other", name) is fits


def test_lists_without_end_are_no_json() -> None:
    assert parsed_json('{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError, match="nested without end"):
        parsed_json("[" * 200_000)
