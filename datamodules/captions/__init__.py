"""What is seen in every scene, one caption each: packaged files by name, a user's own by path."""

from datamodules.captions.files import CAPTIONS, CaptionError, check_regions, load_captions, write_captions

__all__ = ["CAPTIONS", "CaptionError", "check_regions", "load_captions", "write_captions"]
