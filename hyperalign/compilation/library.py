"""Building C++ loops with the machine's own compiler, once, and loading what came out.

No header or library beside the C++ standard library and our own `lanes.h` is needed. The file is kept in the user's
cache under a name made of the sources, the options and the processor's instructions, for which it is made.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from hyperalign.errors import MissingPackageError
from hyperalign.files import put_in_place
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
    """Return the loaded library of a C++ file, built first where the cache has none.

    Args:
        source: the file; it may include `lanes.h` and the headers beside it.
        owner: what asks for it, named in the sentences of errors.
        instead: the backend that needs no compiler, likewise.

    Raises:
        ModuleNotFoundError: there is no compiler, or it refuses; one sentence.
    """
    program = compiler()
    if program is None:
        raise MissingPackageError(
            f"{owner}: backend 'compiled' needs a C++ compiler: install g++ or clang++, or name one by $CXX, or "
            f"take backend '{instead}'"
        )
    texts = [part.read_text(encoding="utf-8") for part in (source, HEADER, *sorted(source.parent.glob("*.h")))]
    key = hashlib.sha256("\n".join([*texts, program, *OPTIONS, _instructions()]).encode()).hexdigest()
    path = cache_folder("compiled", f"{source.stem}-{key[:16]}.so")
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            built = Path(folder, path.name)
            words = [program, *OPTIONS, f"-I{HEADER.parent}", "-o", str(built), str(source)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own source
            if done.returncode:
                lines = done.stderr.strip().splitlines() or ["no message"]
                said = next((line for line in lines if "error" in line), lines[0])
                raise MissingPackageError(
                    f"{owner}: {program} cannot build backend 'compiled' ({said}); name another compiler by "
                    f"$CXX or take backend '{instead}'"
                )
            put_in_place(built, path)
    return ctypes.CDLL(str(path))
