"""Building the compiled scan: once, and with a sentence where it cannot be built."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.networks.layers.selective_scan import selective_scan
from lightning_modules.networks.layers.selective_scan.compiled import library
from tests.lightning_modules.networks.layers.selective_scan.samples import scan_arguments


def test_a_missing_compiler_and_one_that_fails_have_their_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
        return subprocess.CompletedProcess(words, 1, "", "no header\nand more\n")

    library.scan_library.cache_clear()
    monkeypatch.setenv("HYPERALIGN_CACHE", str(tmp_path))
    try:
        monkeypatch.setattr(library, "compiler", lambda: None)
        with pytest.raises(ModuleNotFoundError, match="needs a C\\+\\+ compiler: install g\\+\\+ or clang\\+\\+"):
            selective_scan(*scan_arguments(), backend="compiled")
        monkeypatch.setattr(library, "compiler", lambda: "c++")
        monkeypatch.setattr(subprocess, "run", refuse)
        with pytest.raises(ModuleNotFoundError, match=r"c\+\+ cannot build backend 'compiled' \(no header\)"):
            selective_scan(*scan_arguments(), backend="compiled")
        assert not list(tmp_path.rglob("*.so"))
    finally:
        library.scan_library.cache_clear()


@pytest.mark.skipif(library.compiler() is None, reason="there is no C++ compiler on this machine")
def test_a_library_is_built_once_and_then_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HYPERALIGN_CACHE", str(tmp_path))
    library.scan_library.cache_clear()
    try:
        library.scan_library()
        (built,) = (tmp_path / "compiled").iterdir()
        assert built.suffix == ".so"
        library.scan_library.cache_clear()
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was built again"))
        assert library.scan_library().selective_scan_forward is not None
    finally:
        library.scan_library.cache_clear()
