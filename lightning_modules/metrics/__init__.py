"""How restored cubes are scored: the protocol object and its streaming form."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.metrics.protocol import MetricProtocol
from lightning_modules.metrics.streaming import SceneMean, given_scores, latest_scores

__all__ = ["MetricProtocol", "SceneMean", "given_scores", "latest_scores"]
