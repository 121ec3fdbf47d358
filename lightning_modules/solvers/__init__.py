"""Training-free methods: plain functions on tensors, without Lightning or file access; defaults as published."""

import torchvision_repair  # noqa: F401
from lightning_modules.solvers.result import Progress, SolverError, SolverResult

__all__ = ["Progress", "SolverError", "SolverResult"]
