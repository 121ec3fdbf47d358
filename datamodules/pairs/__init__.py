"""Pairs of a hyperspectral and a multispectral image: which files belong together, their common grid, their sensors."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
