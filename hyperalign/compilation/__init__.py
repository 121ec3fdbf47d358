"""C++ loops for CPUs, built by the machine's own compiler."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from hyperalign.compilation.library import compiled_library, compiler

__all__ = ["compiled_library", "compiler"]
