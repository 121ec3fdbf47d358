"""Cubes written by windows, in the format and with the metadata of the cube that they come from."""

from datamodules.scenes.writers.cube_writer import CubeWriter
from datamodules.scenes.writers.registry import WRITERS, writer_for

__all__ = ["WRITERS", "CubeWriter", "writer_for"]
