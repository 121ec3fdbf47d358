"""How scenes become batches: patches, whole scenes, tiles, and how ranks share them."""
