"""What a solver made of the patches that training comes back to, so that each is solved once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

__all__ = ["SolvedPatches"]

MEBIBYTE = 1 << 20


class SolvedPatches:
    """Results of a function of single images, found again by the digest of the image; the oldest give way.

    A result is exactly what would have been computed, so that it changes nothing but the time. Copies start empty: a
    copied network shares no state, and averaged or frozen copies have no use for it.

    Args:
        mebibytes: the most memory that results may take.
    """

    def __init__(self, mebibytes: int) -> None:
        self.mebibytes = mebibytes
        self._found: OrderedDict[bytes, Tensor] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self._found)

    def __deepcopy__(self, memo: object) -> SolvedPatches:
        """Return an empty one of the same size."""
        return SolvedPatches(self.mebibytes)

    def __reduce__(self) -> tuple[type[SolvedPatches], tuple[int]]:
        """Have other processes begin with an empty one."""
        return SolvedPatches, (self.mebibytes,)

    def solved(self, images: Tensor, solve: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the results for a batch of images, computing those that are not known.

        Args:
            images: `B x C x H x W`.
            solve: takes such a batch, image by image independent, and returns one of the same size.
        """
        keys = [_digest(image) for image in images]
        missing = [place for place, key in enumerate(keys) if key not in self._found]
        known = {place: self._found[key] for place, key in enumerate(keys) if key in self._found}
        if missing:
            made = solve(images[missing])
            for place, result in zip(missing, made, strict=True):
                known[place] = result
                self._keep(keys[place], result)
        return torch.stack([known[place].to(images.device) for place in range(len(keys))])

    def _keep(self, key: bytes, result: Tensor) -> None:
        if key in self._found:
            return
        kept = result.detach().cpu().clone()
        self._found[key] = kept
        self._bytes += kept.nbytes
        while self._bytes > self.mebibytes * MEBIBYTE and self._found:
            self._bytes -= self._found.popitem(last=False)[1].nbytes


def _digest(image: Tensor) -> bytes:
    values = np.ascontiguousarray(image.detach().cpu().numpy())
    return hashlib.blake2b(values.data, digest_size=16, key=str(tuple(image.shape)).encode()).digest()
