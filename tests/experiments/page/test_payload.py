"""What a page holds: the scenes' numbers unpacked as they were kept, and the first scenes of every run first."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import numpy as np

from experiments.page.payload import packed, payload
from tests.experiments.page.small_store import cube, small_store


def test_cubes_come_out_of_the_page_as_they_went_in(tmp_path: Path) -> None:
    data = payload(small_store(tmp_path), 4)
    json.dumps(data)
    scene = data["scenes"][0]
    assert scene["label"] == "u (unobserved) · p/table1: ours & <b> / CAVE, seed 0"
    assert scene["shape"] == [5, 12, 12]
    raw = zlib.decompress(base64.b64decode(scene["cubes"]["restored"]))
    assert np.array_equal(np.frombuffer(raw, "<u2").reshape(5, 12, 12), cube(2))
    assert zlib.decompress(base64.b64decode(packed(np.array([[[258]]], np.uint16)))) == b"\x02\x01"


def test_a_page_holds_no_more_scenes_than_asked_for(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    assert len(payload(store, 1)["scenes"]) == 1
    assert [len(payload(store, 9)[key]) for key in ("scenes", "stages", "planes", "noise", "runs")] == [2, 1, 1, 1, 2]


def test_tables_say_what_they_lack(tmp_path: Path) -> None:
    (table,) = payload(small_store(tmp_path), 0)["tables"]
    assert [cell["status"] for cell in table["cells"]] == ["done", "done", "absent"]
    assert table["cells"][0]["values"]["psnr"] == {"mean": 30.5, "spread": 0.5**0.5, "seeds": 2, "printed": 31.0}
    assert set(table["exports"]) == {"csv", "tex", "json"}
