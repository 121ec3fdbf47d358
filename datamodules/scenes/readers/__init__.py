"""File formats: each reader turns one file or folder into a float32 cube `C x H x W`, when asked and not before."""

from datamodules.scenes.readers.cube_file import CubeFile, check_shape
from datamodules.scenes.readers.envi import EnviCube
from datamodules.scenes.readers.mat import MatCube, read_mat, read_mat_cube
from datamodules.scenes.readers.png_stack import read_png_stack

__all__ = ["CubeFile", "EnviCube", "MatCube", "check_shape", "read_mat", "read_mat_cube", "read_png_stack"]
