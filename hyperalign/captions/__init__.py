"""What is said of a scene, and of its parts: what data sets hand out and networks read."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from hyperalign.captions.regions import Region, RegionCaption, Window, caption_of

__all__ = ["Region", "RegionCaption", "Window", "caption_of"]
