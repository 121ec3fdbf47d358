"""Splits as data files, one JSON a split with its source: a number means little without the name of its split."""

from datamodules.splits.files import Split, draw_split, load_split, packaged_splits

__all__ = ["Split", "draw_split", "load_split", "packaged_splits"]
