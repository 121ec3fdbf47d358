"""A caption that knows which part of its scene says what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """A part of a scene.

    Attributes:
        top: first row in pixels.
        left: first column in pixels.
        height: rows.
        width: columns.
    """

    top: int
    left: int
    height: int
    width: int

    def shared(self, other: Window) -> int:
        """Return how many pixels two windows have in common."""
        rows = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        columns = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        return max(0, rows) * max(0, columns)

    def moved_into(self, part: Window, coarser: int = 1) -> Window:
        """Return what lies in a part, counted from its first pixel, in pixels that are `coarser` times as coarse."""
        top, left = (max(one, start) - start for one, start in zip(self[:2], part[:2], strict=True))
        bottom = min(self.top + self.height, part.top + part.height) - part.top
        right = min(self.left + self.width, part.left + part.width) - part.left
        rows, columns = top // coarser, left // coarser
        return Window(rows, columns, -(-bottom // coarser) - rows, -(-right // coarser) - columns)

    def enlarged(self, ratio: int) -> Window:
        """Return the same part in pixels that are `ratio` times as fine."""
        return Window(*(ratio * one for one in self))


class Region(NamedTuple):
    """What is seen in one part of a scene.

    Attributes:
        box: the part, in pixels of the whole scene (of a pair: of its multispectral image).
        text: what is seen there.
    """

    box: Window
    text: str


class RegionCaption(str):
    """The caption of a whole scene, which as a string it is, beside those of its parts.

    Attributes:
        regions: the parts, which may overlap and need not cover the scene.
    """

    __slots__ = ("regions",)

    regions: tuple[Region, ...]

    def __new__(cls, caption: str, regions: Sequence[Region] = ()) -> RegionCaption:
        """Return a caption with its regions."""
        made = super().__new__(cls, caption)
        made.regions = tuple(regions)
        return made

    def __reduce__(self) -> tuple[type[RegionCaption], tuple[str, tuple[Region, ...]]]:
        """Keep the regions in copies, and on the way from a worker."""
        return type(self), (str(self), self.regions)

    def of(self, window: Window) -> str:
        """Return the texts of the regions in a window, that of most pixels first; the caption where there is none."""
        found = [(one.box.shared(window), -number, one.text) for number, one in enumerate(self.regions)]
        seen = [text for pixels, _, text in sorted(found, reverse=True) if pixels]
        return " ".join(dict.fromkeys(seen)) if seen else str(self)

    def within(self, part: Window, coarser: int = 1) -> RegionCaption:
        """Return the caption of a part of the scene, with the regions that reach into it, in the part's own pixels.

        Args:
            part: in pixels of the whole scene.
            coarser: side of the part's own pixels in those of the whole scene.
        """
        found = [one for one in self.regions if one.box.shared(part)]
        return RegionCaption(str(self), [Region(one.box.moved_into(part, coarser), one.text) for one in found])

    def beyond(self, height: int, width: int) -> tuple[Region, ...]:
        """Return the regions that have no pixel in common with a scene of this size."""
        return tuple(one for one in self.regions if not one.box.shared(Window(0, 0, height, width)))


def caption_of(caption: str, window: Window) -> str:
    """Return what a caption says of a window: of one without regions, all that it says."""
    return caption.of(window) if isinstance(caption, RegionCaption) else caption
