"""Counts what a piece of work computes and moves, operation by operation of torch, on any device."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

UNCOUNTED = {
    "aten::_local_scalar_dense",
    "aten::empty.memory_format",
    "aten::empty_like",
    "aten::empty_strided",
    "aten::new_empty",
    "aten::new_empty_strided",
    "aten::set_.source_Tensor",
}
"""Operations that neither compute nor move anything, beside views."""

MOVING = (
    *("_to_copy", "arange", "cat", "clone", "copy_", "embedding", "fill", "flip", "full", "gather", "index"),
    *("masked_fill", "ones", "pad", "repeat", "roll", "scatter", "stack", "take", "unfold", "where", "zero"),
)
"""Beginnings of the names of operations that move values and compute none."""

CHOOSING = ("gather", "index_select", "index.Tensor", "take", "embedding")
"""Of those, the ones that read no more of a tensor than they give."""


class Counter(TorchDispatchMode):
    """Counts inside a `with` block.

    Attributes:
        products: operations of matrix products and convolutions, a multiplication and an addition being two.
        others: operations of everything else: one a value of the larger side of an elementwise operation or a sum,
            5 n log2 n for a Fourier transform, and the leading terms of Golub and Van Loan for factorisations.
        moved: bytes that all operations read and write if no cache helped them.
        most: largest sum of bytes that tensors made inside the block held at one time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products, self.others, self.moved, self.most = 0, 0, 0, 0
        self._alive = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's own signature
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - as above
        """Run one operation and count it."""
        given = dict(kwargs or {})
        answer = func(*args, **given)
        name = func.name()
        if func.is_view or name in UNCOUNTED:
            return answer
        entering, leaving = _tensors((args, given)), _tensors(answer)
        packet = func._overloadpacket
        if packet in flop_registry:
            self.products += int(flop_registry[packet](*args, **given, out_val=answer))
        else:
            products, others = operations(name.removeprefix("aten::"), entering, leaving)
            self.products += products
            self.others += others
        self.moved += _bytes(name, entering, leaving)
        self._hold(leaving)
        return answer

    def _hold(self, leaving: Iterable[Tensor]) -> None:
        """Add the memory of new tensors until they are gone."""
        for tensor in leaving:
            storage = tensor.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            if key in self._known:
                continue
            self._known.add(key)
            self._alive += size
            self.most = max(self.most, self._alive)
            weakref.finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._alive -= size


def operations(name: str, entering: Sequence[Tensor], leaving: Sequence[Tensor]) -> tuple[int, int]:
    """Return the operations of one call that torch's own counter does not know: of products, and others.

    Args:
        name: of the operation, such as `mv` or `linalg_qr`.
        entering: its tensors.
        leaving: its results.
    """
    base = name.partition(".")[0]
    if base in _PRODUCTS:
        return _PRODUCTS[base](entering, leaving), 0
    for beginning, formula in _FORMULAS.items():
        if base.startswith(beginning):
            return 0, formula(entering[0])
    if base.startswith(MOVING):
        return 0, 0
    return 0, max((tensor.numel() for tensor in (*entering, *leaving)), default=0)


def _attention(entering: Sequence[Tensor], leaving: Sequence[Tensor]) -> int:
    query, key, value = entering[:3]
    places = math.prod(query.shape[:-1])
    return 2 * places * key.shape[-2] * (query.shape[-1] + value.shape[-1])


def _distances(entering: Sequence[Tensor], leaving: Sequence[Tensor]) -> int:
    return 3 * leaving[0].numel() * entering[0].shape[-1]


_PRODUCTS: dict[str, Callable[[Sequence[Tensor], Sequence[Tensor]], int]] = {
    "mv": lambda entering, leaving: 2 * entering[0].numel(),
    "addmv": lambda entering, leaving: 2 * entering[1].numel(),
    "dot": lambda entering, leaving: 2 * entering[0].numel(),
    "mkldnn_convolution": lambda entering, leaving: 2 * leaving[0].numel() * entering[1][0].numel(),
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_cdist_forward": _distances,
    "_fused_adam_": lambda entering, leaving: 0,
}


def _lengths(matrix: Tensor) -> tuple[int, int, int]:
    """Number of matrices, their longer and their shorter side."""
    rows, columns = matrix.shape[-2:]
    return math.prod(matrix.shape[:-2]), max(rows, columns), min(rows, columns)


def _fourier(tensor: Tensor) -> int:
    return int(5 * tensor.numel() * max(1.0, math.log2(max(2, tensor.numel() // max(1, tensor.shape[0])))))


def _singular_values(matrix: Tensor) -> int:
    count, long, short = _lengths(matrix)
    return count * (4 * long * short**2 + 22 * short**3)


def _triangles(matrix: Tensor) -> int:
    count, long, short = _lengths(matrix)
    return count * 4 * short**2 * (long - short // 3)


def _cubic(factor: float) -> Callable[[Tensor], int]:
    def formula(matrix: Tensor) -> int:
        count, long, _ = _lengths(matrix)
        return int(factor * count * long**3)

    return formula


_FORMULAS: dict[str, Callable[[Tensor], int]] = {
    "_fft": _fourier,
    "_linalg_svd": _singular_values,
    "_linalg_eigh": _cubic(9),
    "linalg_eig": _cubic(25),
    "linalg_qr": _triangles,
    "linalg_cholesky": _cubic(1 / 3),
    "_linalg_solve": _cubic(2 / 3),
    "linalg_inv": _cubic(2),
    "linalg_lu": _cubic(2 / 3),
    "linalg_solve_triangular": _cubic(1),
}


def _tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _bytes(name: str, entering: Sequence[Tensor], leaving: Sequence[Tensor]) -> int:
    """Bytes that are read and written: each tensor once, of a repeated one what there is of it."""
    out = {id(tensor): _size(tensor) for tensor in leaving}
    read = {id(tensor): _size(tensor) for tensor in entering if id(tensor) not in out}
    if any(part in name for part in CHOOSING) and leaving:
        limit = _size(leaving[0])
        read = {key: min(size, limit) for key, size in read.items()}
    again = sum(out[id(tensor)] for tensor in entering if id(tensor) in out and not _only_written(name))
    return sum(out.values()) + sum(read.values()) + again


def _only_written(name: str) -> bool:
    return any(part in name for part in ("copy_", "zero_", "fill_", ".out"))


def _size(tensor: Tensor) -> int:
    values = math.prod(length for length, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
    return values * tensor.element_size()


@torch.no_grad()
def counted(work: Callable[[], object]) -> Counter:
    """Return what a piece of work counts, without gradients around it.

    Args:
        work: the piece of work; what it gives is forgotten.
    """
    counter = Counter()
    with counter:
        work()
    return counter
