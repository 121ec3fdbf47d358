"""Building C++ loops: once, with our header, and with a sentence where they cannot be built."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hyperalign.compilation import compiled_library, compiler, library

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")

LOOPS = """#include "lanes.h"
extern "C" void fill(int64_t lanes, int threads, float* out) {
  over_lanes(lanes, threads, [&](int64_t lane) { out[lane] = power_of_two(-static_cast<float>(lane)); });
}
"""


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("HYPERALIGN_CACHE", str(tmp_path / "cache"))
    compiled_library.cache_clear()
    yield
    compiled_library.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "loops.cpp"
    path.write_text(LOOPS, encoding="utf-8")
    return path


def test_a_missing_compiler_and_one_that_fails_have_their_sentence(
    monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> None:
    def refuse(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
        return subprocess.CompletedProcess(words, 1, "", "no header\nand more\n")

    monkeypatch.setattr(library, "compiler", lambda: None)
    with pytest.raises(ModuleNotFoundError, match=r"^Loops: .* needs a C\+\+ compiler: install g\+\+ or clang\+\+"):
        compiled_library(source, "Loops", "plain")
    monkeypatch.setattr(library, "compiler", lambda: "c++")
    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(
        ModuleNotFoundError, match=r"^Loops: c\+\+ cannot build .* \(no header\); .* take backend 'plain'"
    ):
        compiled_library(source, "Loops", "plain")
    refusal = "In file included from here:\nloops.h: error: no such thing\n"
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 1, "", refusal))
    with pytest.raises(ModuleNotFoundError, match=r"'compiled' \(loops.h: error: no such thing\); name"):
        compiled_library(source, "Loops", "plain")
    assert not list(tmp_path.rglob("*.so"))


@needs_compiler
def test_a_library_is_built_once_and_then_found(monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path) -> None:
    compiled_library(source, "Loops", "plain")
    (built,) = (tmp_path / "cache" / "compiled").iterdir()
    assert built.name.startswith("loops-")
    assert built.suffix == ".so"
    compiled_library.cache_clear()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was built again"))
    assert compiled_library(source, "Loops", "plain").fill is not None


def test_a_compiler_that_is_no_program_or_makes_nothing_has_its_sentence(
    monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> None:
    program = tmp_path / "compiler"
    for text, said in (("no program", "Exec format error"), ("#!/bin/sh\n", "ended without an error and left no file")):
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("CXX", str(program))
        with pytest.raises(ModuleNotFoundError, match=rf"^Loops: .*cannot build .*{said}.*take backend 'plain'"):
            compiled_library(source, "Loops", "plain")
    assert not list((tmp_path / "cache" / "compiled").iterdir())


@needs_compiler
@pytest.mark.parametrize("damage", ["cut", "empty", "junk"])
def test_a_damaged_library_is_built_again(source: Path, tmp_path: Path, damage: str) -> None:
    # Loading a file that was cut would end the process by a signal.
    compiled_library(source, "Loops", "plain")
    (built,) = (tmp_path / "cache" / "compiled").iterdir()
    whole = built.read_bytes()
    built.unlink()  # it is loaded: writing into it would end this process as well
    built.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "junk": b"junk" * 4000}[damage])
    compiled_library.cache_clear()
    out = (ctypes.c_float * 1)()
    compiled_library(source, "Loops", "plain").fill(ctypes.c_int64(1), ctypes.c_int(1), out)
    assert out[0] == 1


@needs_compiler
def test_a_library_that_only_another_machine_can_load_stays_and_one_is_built_beside(
    source: Path, tmp_path: Path
) -> None:
    compiled_library(source, "Loops", "plain")
    folder = tmp_path / "cache" / "compiled"
    (built,) = folder.iterdir()
    stem = built.stem.rpartition("-")[0]
    foreign = bytearray(built.read_bytes())
    foreign[18:20] = b"\xff\x7f"  # a processor that nobody has
    built.unlink()
    for content in (bytes(foreign), b"hardly a library"):
        path = folder / "content"
        path.write_bytes(content)
        path.rename(folder / library._name(stem, path))
    compiled_library.cache_clear()
    assert compiled_library(source, "Loops", "plain").fill is not None
    assert len(list(folder.iterdir())) == 3


@needs_compiler
def test_a_cache_that_cannot_be_written_has_its_sentence(
    monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HYPERALIGN_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"^Loops: .*cannot be kept in .*set HYPERALIGN_CACHE .*take backend 'plain'"):
        compiled_library(source, "Loops", "plain")


@needs_compiler
@pytest.mark.parametrize("threads", [1, 3])
def test_every_lane_is_worked_on_by_any_number_of_threads(source: Path, threads: int) -> None:
    out = (ctypes.c_float * 200)()
    compiled_library(source, "Loops", "plain").fill(ctypes.c_int64(200), ctypes.c_int(threads), out)
    assert list(out) == pytest.approx([2.0 ** -min(lane, 126) for lane in range(200)], rel=3e-7)


@needs_compiler
def test_what_headers_say_decides_which_file_serves(
    monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> None:
    header = tmp_path / "ours" / "lanes.h"
    header.parent.mkdir()
    header.write_text(library.HEADER.read_text(encoding="utf-8") + "// more\n", encoding="utf-8")
    found = [compiled_library(source, "Loops", "plain")._name]
    for change in ("ours", "beside"):
        compiled_library.cache_clear()
        if change == "ours":
            monkeypatch.setattr(library, "HEADER", header)
        else:
            source.with_name("beside.h").write_text("// beside\n", encoding="utf-8")
        found.append(compiled_library(source, "Loops", "plain")._name)
    assert len(set(found)) == 3
