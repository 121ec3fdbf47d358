"""Spectral responses of multispectral sensors: packaged tables, a user's CSV, or Gaussian curves."""

from datamodules.responses.registry import RESPONSES, load_response
from datamodules.responses.response import SpectralResponse, gaussian_response

__all__ = ["RESPONSES", "SpectralResponse", "gaussian_response", "load_response"]
