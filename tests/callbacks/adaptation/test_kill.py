"""Killed in the middle of either stage, then run again: nothing finished is remade and every byte is the same."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from callbacks.adaptation import store as store_module
from callbacks.adaptation.store import Store
from callbacks.transfer import SpectralTransfer
from hyperalign import files
from tests.callbacks.tiny import leftovers, stages, store_files, tiny_data, tiny_module, tiny_trainer, weights_of


def adapt(folder: Path, store: Path) -> torch.Tensor:
    module = tiny_module(folder)
    tiny_trainer(folder, stages(store)).fit(module, datamodule=tiny_data(folder))
    return weights_of(module)


def adapt_and_die(folder: Path, store: Path, stage: str, entry: int) -> None:
    """Adapt until half of the given entry's file is written, then be killed as if by ``kill -9``."""
    original, count = files.write_beside, [0]

    def write_beside(where: Path, write: files.Write, sync: bool = True) -> tuple[Path, int, str]:
        inside = any(part.startswith(f"{stage}-") for part in where.parts)

        def half(file: BinaryIO) -> None:
            write(file)
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

        # Each entry is two files: its data and its manifest.
        count[0] += inside
        return original(where, half if inside and count[0] == entry else write, sync)

    for module in (files, store_module):
        setattr(module, "write_beside", write_beside)  # noqa: B010 - only in this process, which ends here
    adapt(folder, store)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], torch.Tensor]:
    folder = tmp_path_factory.mktemp("whole")
    weight = adapt(folder, folder / "store")
    return store_files(folder / "store"), weight


# settings.json is the first file of a folder; then come data, manifest, data, manifest, ...
@pytest.mark.parametrize(("stage", "file", "finished"), [("proxies", 4, 1), ("guides", 7, 5), ("synthesised", 8, 12)])
def test_killed_run_goes_on_where_it_was(
    tmp_path: Path,
    uninterrupted: tuple[dict[str, str], torch.Tensor],
    stage: str,
    file: int,
    finished: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected, weight = uninterrupted
    store = tmp_path / "store"
    process = multiprocessing.get_context("fork").Process(target=adapt_and_die, args=(tmp_path, store, stage, file))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(leftovers(store)) == 1
    done = {path: digest for path, digest in store_files(store).items() if path in expected}
    committed = [path for path in store.rglob("*.json") if path.name != "settings.json"]
    stamps = {path: path.stat().st_mtime_ns for path in committed}

    written: list[str] = []
    original = Store.write_array

    def write_array(self: Store, name: str, *arguments: object) -> object:
        written.append(name)
        return original(self, name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "write_array", write_array)
    estimated: list[int] = []
    match = SpectralTransfer._match
    monkeypatch.setattr(SpectralTransfer, "_match", lambda *a: estimated.append(1) or match(*a))  # type: ignore[func-returns-value]
    assert torch.equal(adapt(tmp_path, store), weight)
    assert store_files(store) == expected
    assert leftovers(store) == []
    # Three proxies, six guides, six synthesised cubes in all.
    assert len(committed) == finished
    assert len(written) == 15 - len(committed)
    assert {path: path.stat().st_mtime_ns for path in committed} == stamps
    assert set(done) <= set(expected)
    assert len(estimated) == 6 - sum("synthesised" in str(path) for path in committed)
