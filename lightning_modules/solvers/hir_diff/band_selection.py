"""Three bands that carry a cube, and the coefficients that bring all the others back (HIR-Diff, CVPR 2024).

Strong rank-revealing QR: Gu, Eisenstat, "Efficient algorithms for computing a strong rank-revealing QR factorization",
SIAM J. Sci. Comput. 17(4), 1996.
"""

from __future__ import annotations

from typing import Literal, get_args

import scipy.linalg
import torch
from torch import Tensor

from lightning_modules.solvers.result import SolverError

__all__ = ["Selection", "band_coefficients", "strong_columns"]

Selection = Literal["rrqr", "even"]
"""How bands are chosen: by strong rank-revealing QR, or evenly spaced."""


def strong_columns(matrix: Tensor, bound: float = 1.2) -> list[int]:
    """Choose as many columns as the matrix has rows so that no other column has a coefficient above the bound in them.

    Args:
        matrix: `k x C` of full rank, k < C.
        bound: largest coefficient, at least 1.

    Returns:
        The numbers of the k columns, in the order the exchanges leave them in.
    """
    count = matrix.shape[0]
    values = matrix.double().cpu()
    order: list[int] = scipy.linalg.qr(values.numpy(), mode="r", pivoting=True)[1].tolist()
    while True:
        coefficients = torch.linalg.solve(values[:, order[:count]], values[:, order[count:]])
        # The first one too large in column-major order is exchanged, which at least multiplies the volume by the bound.
        large = (coefficients.T.square() > bound**2).nonzero()
        if len(large) == 0:
            return order[:count]
        other, chosen = (int(index) for index in large[0])
        order[count], order[count + other] = order[count + other], order[count]
        order[chosen:count] = [*order[chosen + 1 : count], order[chosen]]
        order[count - 1], order[count] = order[count], order[count - 1]


def band_coefficients(cube: Tensor, selection: Selection = "rrqr", count: int = 3) -> tuple[Tensor, list[int]]:
    """Choose bands of a cube and find what every band is made of, in the cube's leading subspace.

    Args:
        cube: `C x H x W`, observed.
        selection: see `Selection`.
        count: of bands, and dimension of the subspace.

    Returns:
        Coefficients `C x count`, the identity at the chosen bands; and their numbers in ascending order.

    Raises:
        SolverError: the cube has too few bands, or spans fewer dimensions.
    """
    if selection not in get_args(Selection):
        raise SolverError(f"The selection of bands is {selection!r}; take one of {', '.join(get_args(Selection))}.")
    bands, pixels = cube.shape[0], cube.flatten(1).double()
    if bands <= count:
        raise SolverError(f"HIR-Diff takes {count} bands of a cube that has {bands}; give a cube of more bands.")
    values, vectors = torch.linalg.eigh(pixels @ pixels.T)
    if values[-count] <= 1e-13 * values[-1]:
        raise SolverError(
            f"The cube given to HIR-Diff spans fewer than {count} dimensions (constant or proportional bands); it "
            "needs no diffusion model."
        )
    leading = vectors[:, -count:].flip(1)
    if selection == "rrqr":
        chosen = sorted(strong_columns(leading.T))
    else:
        chosen = [bands * (index + 1) // (count + 1) for index in range(count)]
    return (leading @ torch.linalg.inv(leading[chosen])).to(cube), chosen
