"""Whether the compiled loops serve: by device, dtype, compiler and what was asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from callbacks.transfer.compiled import library
from callbacks.transfer.compiled.library import address, takes_compiled
from hyperalign.compilation import library as compilation

needs_compiler = pytest.mark.skipif(compilation.compiler() is None, reason="there is no C++ compiler on this machine")
IMAGE = torch.zeros(3, 2, 2)


@pytest.fixture(autouse=True)
def nothing_announced() -> Iterator[None]:
    library._built.cache_clear()
    yield
    library._built.cache_clear()


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    compilation.compiled_library.cache_clear()
    monkeypatch.setattr(compilation, "compiler", lambda: None)
    yield
    compilation.compiled_library.cache_clear()


@needs_compiler
def test_auto_takes_them_for_float32_on_a_cpu_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert takes_compiled("auto", IMAGE)
        assert takes_compiled("auto", IMAGE)
    assert caplog.messages == ["spectral transfer on cpu: backend 'compiled'"]
    assert takes_compiled("compiled", IMAGE)
    assert not takes_compiled("torch", IMAGE)
    assert not takes_compiled("auto", IMAGE.double())
    assert not takes_compiled("auto", IMAGE.to("meta"))


def test_auto_does_without_a_compiler_and_says_why(without_compiler: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert not takes_compiled("auto", IMAGE)
        assert not takes_compiled("auto", IMAGE)
    (message,) = caplog.messages
    assert message.startswith("spectral transfer on cpu: backend 'torch', as there are no compiled loops (")
    assert "needs a C++ compiler" in message


def test_what_cannot_be_had_is_a_sentence(without_compiler: None) -> None:
    with pytest.raises(ValueError, match=r"works on float32 on a CPU, got torch.float64 on cpu: take backend 'auto'"):
        takes_compiled("compiled", IMAGE.double())
    with pytest.raises(ModuleNotFoundError, match=r"SpectralTransfer: .* compiler.* take backend 'torch'"):
        takes_compiled("compiled", IMAGE)


@needs_compiler
def test_auto_does_without_a_cache_that_can_be_written_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HYPERALIGN_CACHE", str(tmp_path / "file"))
    compilation.compiled_library.cache_clear()
    with caplog.at_level(logging.INFO):
        assert not takes_compiled("auto", IMAGE)
    assert "set HYPERALIGN_CACHE to a folder that can be written" in caplog.text
    with pytest.raises(OSError, match="set HYPERALIGN_CACHE"):
        takes_compiled("compiled", IMAGE)


def test_memory_is_handed_over_only_in_order_and_of_one_dtype() -> None:
    assert address(IMAGE) == IMAGE.data_ptr()
    with pytest.raises(AssertionError):
        address(IMAGE.transpose(0, 1))
    with pytest.raises(AssertionError):
        address(IMAGE.double())
    with pytest.raises(AssertionError):
        address(IMAGE, torch.int64)
