"""Building the loops of `scan.cpp` with the machine's own compiler, once, and loading what came out.

No header or library beside the C++ standard library is needed. The file is kept in the user's cache under a name made
of the source, the options and the processor's instructions, for which it is made.
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

__all__ = ["compiler", "scan_library"]

SOURCE = Path(__file__).with_name("scan.cpp")
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
def scan_library() -> ctypes.CDLL:
    """Return the loaded library, built first where the cache has none.

    Raises:
        ModuleNotFoundError: there is no compiler, or it refuses; one sentence.
    """
    program = compiler()
    if program is None:
        raise MissingPackageError(
            "selective_scan: backend 'compiled' needs a C++ compiler: install g++ or clang++, or name one by $CXX, or "
            "take backend 'chunked'"
        )
    key = "\n".join([SOURCE.read_text(encoding="utf-8"), program, *OPTIONS, _instructions()])
    path = cache_folder("compiled", f"scan-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so")
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            built = Path(folder, path.name)
            words = [program, *OPTIONS, "-o", str(built), str(SOURCE)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own source
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["no message"])[0]
                raise MissingPackageError(
                    f"selective_scan: {program} cannot build backend 'compiled' ({said}); name another compiler by "
                    "$CXX or take backend 'chunked'"
                )
            put_in_place(built, path)
    return ctypes.CDLL(str(path))
