"""Marks of missing values: what is declared in which spelling, what a type can hold, what is written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from datamodules.scenes.facts.missing import Missing, declared_marks


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
