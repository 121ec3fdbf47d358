"""Which state of a model on a hub is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperalign.downloads import hub_place, warn_tag, warn_unpinned

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_revision_follows_the_id(tmp_path: Path) -> None:
    assert hub_place("owner/model") == ("owner/model", None)
    assert hub_place(f"owner/model@{COMMIT}") == ("owner/model", COMMIT)
    folder = tmp_path / "model@home"
    folder.mkdir()
    assert hub_place(str(folder)) == (str(folder), None)


def test_only_a_commit_or_a_path_needs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_unpinned(str(tmp_path), None, "`revision`")
    warn_unpinned("owner/pinned", COMMIT, "`revision`")
    assert caplog.text == ""
    for _ in range(2):
        warn_unpinned("owner/model", None, "`revision`")
    warn_unpinned("owner/model", "v1.0", "`revision`")
    assert [record.getMessage() for record in caplog.records] == [
        "The weights of owner/model are those of its main branch on the day of the run: name a commit by `revision` to "
        "have the same ones always.",
        "The weights of owner/model are those of its revision v1.0 on the day of the run: name a commit by `revision` "
        "to have the same ones always.",
    ]


def test_tags_of_open_clip_are_warned_of_and_files_are_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "weights.pt").write_bytes(b"")
    warn_tag("ViT-B-32", None, "`pretrained` a local file")
    warn_tag("ViT-B-32", str(tmp_path / "weights.pt"), "`pretrained` a local file")
    warn_tag(f"local-dir:{tmp_path}", None, "`pretrained` a local file")
    assert caplog.text == ""
    for _ in range(2):
        warn_tag("ViT-B-32", "openai", "`pretrained` a local file")
        warn_tag("hf-hub:owner/model", None, "`pretrained` a local file")
    assert [record.getMessage() for record in caplog.records] == [
        f"open_clip downloads the weights {name}, unless it has them, in the state that they have on the day of the "
        "run: give `pretrained` a local file to have the same ones always."
        for name in ("openai of ViT-B-32", "hf-hub:owner/model")
    ]
