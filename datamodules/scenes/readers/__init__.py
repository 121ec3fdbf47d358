"""File formats: each reader turns one file or folder into a float32 cube `C x H x W`, when asked and not before."""

from datamodules.scenes.readers.mat import read_mat, read_mat_cube
from datamodules.scenes.readers.png_stack import read_png_stack

__all__ = ["read_mat", "read_mat_cube", "read_png_stack"]
