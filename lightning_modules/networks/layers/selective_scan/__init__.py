"""Selective scan of Mamba in four interchangeable implementations, with the second input of CO2IF."""

from __future__ import annotations

from lightning_modules.networks.layers.selective_scan.backends import Backend
from lightning_modules.networks.layers.selective_scan.interface import selective_scan
from lightning_modules.networks.layers.selective_scan.problem import SecondInput

__all__ = ["Backend", "SecondInput", "selective_scan"]
