"""File formats: each reader opens one file or folder as a cube of which windows are read.

`open_cube` is the door for any file. The functions `read_...` give whole float32 cubes `C x H x W`.
"""

from datamodules.scenes.readers.axes import AXES
from datamodules.scenes.readers.cube_file import CubeFile, check_depth, check_shape
from datamodules.scenes.readers.envi import EnviCube
from datamodules.scenes.readers.exr import ExrCube
from datamodules.scenes.readers.hdf5 import Hdf5Cube
from datamodules.scenes.readers.mat import read_mat, read_mat_cube
from datamodules.scenes.readers.mat_cube import MatCube
from datamodules.scenes.readers.numpy_file import NpyCube, NpzCube
from datamodules.scenes.readers.png_cube import PngStackCube
from datamodules.scenes.readers.png_stack import read_png_stack
from datamodules.scenes.readers.registry import READERS, open_cube
from datamodules.scenes.readers.survey import Survey, find_cubes, survey
from datamodules.scenes.readers.tiff import TiffCube

__all__ = [
    "AXES",
    "READERS",
    "CubeFile",
    "EnviCube",
    "ExrCube",
    "Hdf5Cube",
    "MatCube",
    "NpyCube",
    "NpzCube",
    "PngStackCube",
    "Survey",
    "TiffCube",
    "check_depth",
    "check_shape",
    "find_cubes",
    "open_cube",
    "read_mat",
    "read_mat_cube",
    "read_png_stack",
    "survey",
]
