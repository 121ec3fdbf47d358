"""Pictures for the Trainer's loggers: to those that show pictures, known by their methods and not by their classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import Logger
from PIL import Image


def log_picture(loggers: Iterable[Logger], name: str, path: Path, step: int) -> None:
    """Show a picture in every logger that can; the others keep to the file.

    Those with `log_image` (Weights & Biases) are given the file, those whose `experiment` has `add_image` (TensorBoard)
    its pixels.

    Args:
        loggers: the Trainer's.
        name: what the picture is called there, parts separated by `/`.
        path: the picture's file.
        step: the Trainer's global step.
    """
    for logger in loggers:
        log_image = getattr(logger, "log_image", None)
        if callable(log_image):
            log_image(key=name, images=[str(path)], step=step)
            continue
        add_image = getattr(getattr(logger, "experiment", None), "add_image", None)
        if callable(add_image):
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            add_image(name, pixels, global_step=step, dataformats="HWC")


def log_configuration(loggers: Iterable[Logger], settings: Mapping[str, Any]) -> None:
    """Give the whole configuration of a run to the loggers that compare runs by it (Weights & Biases).

    The others keep files, beside which `config.yaml` lies already.

    Args:
        loggers: the Trainer's.
        settings: nested, plain values.
    """
    for logger in loggers:
        if callable(getattr(logger, "log_image", None)):
            logger.log_hyperparams(dict(settings))


def log_table(loggers: Iterable[Logger], name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Show a table in every logger that shows tables (Weights & Biases).

    Args:
        loggers: the Trainer's.
        name: what it is called there.
        columns: headings.
        rows: one sequence a line, as long as the headings.
    """
    for logger in loggers:
        shown = getattr(logger, "log_table", None)
        if callable(shown):
            shown(key=name, columns=list(columns), data=[list(row) for row in rows])
