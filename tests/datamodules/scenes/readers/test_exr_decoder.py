"""What the decoding process answers, asked in this one: the header, the planes of some rows, and an error."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.scenes.readers.exr_decoder import main
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values, write_exr


def asked(*requests: list[Any]) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Answers of the decoder, each with its planes."""
    answers = io.BytesIO()
    main(io.BytesIO(b"".join(json.dumps(request).encode() + b"\n" for request in requests)), answers)
    answers.seek(0)
    found = []
    for _ in requests:
        head = json.loads(answers.readline())
        found.append((head, [answers.read(size) for size in head["bytes"]]))
    assert answers.read() == b""
    return found


def test_the_header_and_some_rows_of_some_channels(tmp_path: Path) -> None:
    values = cube_values()
    path = str(write_exr(tmp_path / "a.exr", values, CENTRES, np.float16))
    (header, none), (rows, planes) = asked([path, [], 0, 0], [path, ["w660nm", "w420nm"], 3, 5])
    assert header["window"] == [0, 0, 14, 11]
    assert header["sampled"] is False
    assert header["channels"] == {**{f"w{centre:g}nm": "HALF" for centre in CENTRES}, **dict.fromkeys("BGR", "FLOAT")}
    assert none == []
    assert "error" not in rows
    for plane, band in zip(planes, (4, 0), strict=True):
        assert np.array_equal(np.frombuffer(plane, np.float16).reshape(3, 15), values[band, 3:6])


def test_an_error_is_an_answer_and_the_next_request_is_met(tmp_path: Path) -> None:
    path = str(write_exr(tmp_path / "a.exr", cube_values(), CENTRES, np.float32))
    (refused, none), (header, _) = asked([str(tmp_path / "absent.exr"), [], 0, 0], [path, [], 0, 0])
    assert ": " in refused["error"]
    assert none == []
    assert header["window"] == [0, 0, 14, 11]
