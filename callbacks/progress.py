"""The progress bar of the adaptation stages, drawn with tqdm as Lightning's own default bar is."""

from types import TracebackType
from typing import Protocol, Self

from lightning.pytorch import Trainer
from tqdm import tqdm  # type: ignore[import-untyped]


class Progress(Protocol):
    """What a stage calls to report how far it is."""

    def __call__(self, label: str, done: float, total: int) -> None:
        """Report that `done` of `total` parts of the work named `label` are finished."""
        ...


class StageBar:
    """A `Progress` that draws one tqdm bar per label; used as a context manager, which closes the last bar.

    Args:
        enabled: False draws nothing (other ranks, or a Trainer without progress bar).
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._bar: tqdm | None = None
        self._label = ""

    @classmethod
    def of(cls, trainer: Trainer) -> Self:
        """Return a bar that is drawn where, and only if, the Trainer draws its own."""
        return cls(trainer.is_global_zero and trainer.progress_bar_callback is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, label: str, done: float, total: int) -> None:
        """Draw the bar of `label` at `done` of `total`."""
        if not self.enabled:
            return
        if self._bar is None or label != self._label:
            self._close()
            self._label = label
            layout = "{l_bar}{bar}| {n:.4g}/{total_fmt} [{elapsed}<{remaining}]"
            self._bar = tqdm(desc=label, total=total, bar_format=layout, dynamic_ncols=True)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
