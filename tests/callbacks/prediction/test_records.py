"""Records beside restored files: what is finished, and what makes it unfinished again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from callbacks.prediction.records import is_finished, record_path, scene_settings, size_of, write_record
from datamodules import Folder

TRAINED = (470.0, 550.0, 660.0)


def test_a_file_is_finished_with_its_own_settings_and_size(tmp_path: Path) -> None:
    asked, written = tmp_path / "a.raw", tmp_path / "a.npy"
    assert not is_finished(asked, {})
    written.write_bytes(b"12345")
    write_record(asked, written, {"tile": 16, "network": "x"}, {"restored by": "x"})
    assert record_path(asked) == tmp_path / "a.raw.json"
    assert is_finished(asked, {"network": "x", "tile": 16})
    assert not is_finished(asked, {"network": "y", "tile": 16})
    record = json.loads(record_path(asked).read_text())
    assert (record["file"], record["size"], record["notes"]) == ("a.npy", 5, {"restored by": "x"})
    written.write_bytes(b"1234")
    assert not is_finished(asked, {"network": "x", "tile": 16})
    for broken in ("{", "[]", '{"digest": 1}'):
        record_path(asked).write_text(broken)
        assert not is_finished(asked, {})


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    for name, size in (("a", 3), ("b", 4)):
        (tmp_path / name).write_bytes(b"x" * size)
    assert (size_of(tmp_path), size_of(tmp_path / "b")) == (7, 4)


def test_settings_change_with_the_file_and_with_how_it_is_read(tmp_path: Path) -> None:
    def settings(**options: str) -> str:
        data = Folder(str(tmp_path), axes="CHW", wavelengths=list(TRAINED), **options)  # type: ignore[arg-type]
        return json.dumps(scene_settings(data.open_scenes({"wavelengths": TRAINED})[0]), sort_keys=True)

    np.save(tmp_path / "a.npy", np.ones((3, 9, 9), np.float32))
    first = settings()
    assert settings() == first
    assert settings(nan="keep") != first
    assert settings(normalisation="scale:2") != first
    np.save(tmp_path / "a.npy", np.ones((3, 9, 10), np.float32))
    assert settings() != first
