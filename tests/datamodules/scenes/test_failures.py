"""The error that names the cubes of a folder that could not be used."""

from __future__ import annotations

import pytest

from datamodules.scenes.failures import IncompleteError, incomplete


def test_one_cube_is_named_with_its_sentence() -> None:
    error = incomplete({"a.npy": "The file a.npy is truncated:\n  copy it again."}, "restored")
    assert str(error) == "1 cube could not be restored (a.npy: The file a.npy is truncated: copy it again)."
    with pytest.raises(ValueError, match="1 cube could not be restored"):
        raise error


@pytest.mark.parametrize(("count", "end"), [(2, "b: no)."), (3, "c: no)."), (5, "c: no; and 2 more).")])
def test_the_first_three_are_named_and_the_others_counted(count: int, end: str) -> None:
    error = incomplete(dict.fromkeys("abcde"[:count], "no."), "read")
    assert isinstance(error, IncompleteError)
    assert str(error).startswith(f"{count} cubes could not be read (a: no; b: no")
    assert str(error).endswith(end)
