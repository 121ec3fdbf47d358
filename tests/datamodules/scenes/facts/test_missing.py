"""Marks of missing values: what is declared in which spelling, what a type can hold, what is written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from datamodules.scenes.facts.missing import Missing, declared_marks, valid_range


@pytest.mark.parametrize(
    ("stated", "marks"),
    [
        (None, ()),
        ("-9999", (-9999.0,)),
        ("{-9999, -9999, 0}", (-9999.0, 0.0)),
        (b"-3.4e+38 ", (-3.4e38,)),
        ("1e20", (1e20,)),
        ("none", ()),
        (np.array([-32767], "i2"), (-32767.0,)),
        (np.float32(0.5), (0.5,)),
    ],
)
def test_what_files_state(stated: Any, marks: tuple[float, ...]) -> None:  # noqa: ANN401
    assert declared_marks(stated) == marks


def test_nan_is_declared_once() -> None:
    (mark,) = declared_marks("nan NaN")
    assert math.isnan(mark)


def test_a_mark_is_compared_as_the_type_holds_it() -> None:
    values = np.array([0.25, -3.4028234663852886e38, np.nan], np.float32)
    mask = Missing(declared_marks("-3.40282346638529e+38"), usual=()).mask(values)
    assert mask is not None
    assert mask.tolist() == [False, True, True]
    assert Missing((-9999.0,)).mask(np.array([0, 55537], np.uint16)) is None
    assert Missing((0.5,), usual=()).mask(np.array([0, 1], np.int16)) is None


@pytest.mark.parametrize(
    ("dtype", "hidden"), [("f4", [-9999.0, -32768.0]), ("i2", [-9999, -32768]), ("i4", [-9999, -99999])]
)
def test_usual_marks_count_undeclared(dtype: str, hidden: list[float]) -> None:
    values = np.array([1, *hidden, 2], dtype)
    mask = Missing().mask(values)
    assert mask is not None
    assert mask.tolist() == [False, True, True, False]
    assert Missing(usual=()).mask(values) is None


def test_what_is_written() -> None:
    assert Missing((-9999.0,)).written(np.dtype("i2")) == -9999.0
    assert math.isnan(Missing().written(np.dtype("f4")) or 0.0)
    assert Missing((-9999.0,)).written(np.dtype("u2")) is None
    assert Missing((math.nan, 0.0)).written(np.dtype("u2")) == 0.0


def test_what_is_said() -> None:
    marks = Missing((-9999.0,), word="data ignore value")
    assert marks.shown(np.array([-9999], "i2")) == "-9999, its data ignore value"
    assert marks.shown(np.array([-32768], "i2")) == "-32768, which usually marks them"
    assert marks.shown(np.array([np.inf], "f4")) == "NaN or infinite"
    assert marks.shown(np.array([7], "i2")) == "where its mask is 0"


OPEN = (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("attributes", "dtype", "found"),
    [
        ({}, "i2", OPEN),
        ({"valid_range": np.array([0, 10000], "i2")}, "i2", (0.0, 10000.0)),
        ({"valid_min": np.int16(0)}, "i2", (0.0, math.inf)),
        ({"Valid_Max": np.array([1.5], "f4")}, "f4", (-math.inf, 1.5)),
        ({"valid_range": np.array([0.1, 1.0]), "scale_factor": 1e-4, "add_offset": 0.1}, "i2", (0.0, 9000.0)),
        ({"valid_range": np.array([1, 0], "i2")}, "i2", OPEN),
        ({"valid_range": np.array([0, 1, 2], "i2")}, "i2", OPEN),
        ({"valid_min": "none", "valid_max": math.nan}, "f4", OPEN),
        ({"valid_range": np.array([0.0, 1.0]), "scale_factor": 0.0}, "i2", OPEN),
    ],
)
def test_valid_ranges(attributes: dict[str, Any], dtype: str, found: tuple[float, float]) -> None:
    assert valid_range(attributes, np.dtype(dtype)) == pytest.approx(found)


def test_what_lies_outside_of_the_valid_range_is_missing() -> None:
    marks = Missing(usual=(), valid=(0.0, 100.0))
    values = np.array([-1, 0, 100, 101], np.int16)
    mask = marks.mask(values)
    assert mask is not None
    assert mask.tolist() == [True, False, False, True]
    assert marks.shown(values[mask]) == "-1, outside of its valid range"
    assert marks.may_occur(np.dtype("i2"))
    assert not Missing(usual=(), valid=(0.0, 255.0)).may_occur(np.dtype("u1"))
    assert marks.written(np.dtype("i2")) == -32768.0
    assert marks.written(np.dtype("u1")) == 255.0
    assert Missing(usual=(), valid=(0.0, 255.0)).written(np.dtype("u1")) is None
    assert Missing((-5.0,), valid=(0.0, 100.0)).shown(np.array([-5], np.int16)) == "-5, outside of its valid range"
