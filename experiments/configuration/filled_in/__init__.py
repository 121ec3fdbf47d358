"""What a command fills in by itself: the model of a checkpoint, the overlays and the source for a folder of cubes."""
