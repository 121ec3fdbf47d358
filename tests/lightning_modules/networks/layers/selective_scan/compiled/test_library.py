"""The compiled scan's library: a sentence where it cannot be built, which names what runs without it."""

from __future__ import annotations

import pytest

from hyperalign.compilation import library as compilation
from lightning_modules.networks.layers.selective_scan import selective_scan
from lightning_modules.networks.layers.selective_scan.compiled import library
from tests.lightning_modules.networks.layers.selective_scan.samples import scan_arguments


def test_a_missing_compiler_has_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    compilation.compiled_library.cache_clear()
    monkeypatch.setattr(compilation, "compiler", lambda: None)
    with pytest.raises(ModuleNotFoundError, match=r"selective_scan: .* needs a C\+\+ compiler.* backend 'chunked'$"):
        selective_scan(*scan_arguments(), backend="compiled")


@pytest.mark.skipif(library.compiler() is None, reason="there is no C++ compiler on this machine")
def test_the_library_is_that_of_the_scan_and_loaded_once() -> None:
    assert library.scan_library().selective_scan_forward is not None
    assert library.scan_library() is library.scan_library()
