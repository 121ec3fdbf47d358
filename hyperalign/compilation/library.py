"""Building C++ loops with the machine's own compiler, once, and loading what came out.

No header or library beside the C++ standard library and our own `lanes.h` is needed. The file is kept in the user's
cache under a name made of the sources, the options and the processor's instructions, for which it is made, and of its
own content.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from hyperalign.errors import FileAccessError, MissingPackageError
from hyperalign.files import put_in_place, remove_stale_files, temporary_path
from hyperalign.folders import cache_folder

__all__ = ["compiled_library", "compiler"]

HEADER = Path(__file__).with_name("lanes.h")
OPTIONS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-fPIC",
    "-shared",
    "-pthread",
    "-fopenmp-simd",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
)


def compiler() -> str | None:
    """Return the C++ compiler: `$CXX`, else g++ or clang++; None where there is none."""
    return next(
        (found for name in (os.environ.get("CXX"), "g++", "clang++") if name and (found := shutil.which(name))), None
    )


def _instructions() -> str:
    """What the processor can do, as far as the system tells."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.is_file() else []
    known = [line for line in lines if line.startswith(("flags", "Features"))][:1]
    return "\n".join([platform.machine(), platform.processor(), *known])


@cache
def compiled_library(source: Path, owner: str, instead: str) -> ctypes.CDLL:
    """Return the loaded library of a C++ file, built first where the cache has none that is whole and loads here.

    Args:
        source: the file; it may include `lanes.h` and the headers beside it.
        owner: what asks for it, named in the sentences of errors.
        instead: the backend that needs no compiler, likewise.

    Raises:
        ModuleNotFoundError: there is no compiler, it refuses, or what it made cannot be loaded; one sentence.
        OSError: the cache cannot be written, or the user has no home; likewise.
    """
    program = compiler()
    if program is None:
        raise MissingPackageError(
            f"{owner}: backend 'compiled' needs a C++ compiler: install g++ or clang++, or name one by $CXX, or "
            f"take backend '{instead}'"
        )
    texts = [part.read_text(encoding="utf-8") for part in (source, HEADER, *sorted(source.parent.glob("*.h")))]
    key = hashlib.sha256("\n".join([*texts, program, *OPTIONS, _instructions()]).encode()).hexdigest()
    folder, stem = cache_folder("compiled"), f"{source.stem}-{key[:16]}"
    for path in sorted(folder.glob(f"{stem}-*.so")):
        # A home shared by several machines may hold what another one's C++ library is needed for.
        with suppress(OSError):
            if path.name == _name(stem, path):
                return ctypes.CDLL(str(path))
    try:
        return ctypes.CDLL(str(_built(program, source, folder, stem)))
    except _RefusedError as error:
        raise MissingPackageError(
            f"{owner}: {program} cannot build backend 'compiled' ({error}); name another compiler by "
            f"$CXX or take backend '{instead}'"
        ) from error
    except OSError as error:
        raise FileAccessError(
            f"{owner}: what backend 'compiled' runs cannot be kept in {folder} or loaded from there ({error}); set "
            f"HYPERALIGN_CACHE to a folder that can be written, or take backend '{instead}'"
        ) from error


class _RefusedError(Exception):
    """What a compiler said that made no library."""


def _name(stem: str, path: Path) -> str:
    """The name that a whole file has: it tells the content, for loading a damaged one can end the process."""
    return f"{stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.so"


def _built(program: str, source: Path, folder: Path, stem: str) -> Path:
    """Build the library into the folder, whole or not at all; returns where it lies."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale_files(folder, below=False)
    temporary = temporary_path(folder, ".tmp.so")
    words = [program, *OPTIONS, f"-I{HEADER.parent}", "-o", str(temporary), str(source)]
    try:
        _compile(words)
        if not temporary.is_file():
            raise _RefusedError("it ended without an error and left no file")
        path = folder / _name(stem, temporary)
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _compile(words: list[str]) -> None:
    """Run the compiler."""
    try:
        done = subprocess.run(  # noqa: S603 - our own source
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise _RefusedError(error.strerror or type(error).__name__) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise _RefusedError(next((line for line in lines if "error" in line), lines[0]))
