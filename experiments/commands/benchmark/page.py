"""The roofline page: what binds each subject, how near it is to that, and how it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.commands.benchmark.limits import Limits
from experiments.commands.benchmark.measured import Measured, Size, exponent
from experiments.commands.benchmark.subjects import SUBJECTS

HEAD = """\
# Roofline

Written by `hyperalign benchmark{device}`; figures in `docs/measured/{file}`. {machine}

At most {peak:.0f} GFLOP/s (float32 matrix product) and {bandwidth:.1f} GB/s (copy, both ways), in the same process.
*Products* are operations of matrix products and convolutions, *others* all the rest (one a value; transforms and
factorisations by formula). *Bytes* are what all operations read and write if no cache helped: more than 100 % of the
bandwidth means that caches do. The *floor* is the longer of products at the peak and bytes at the bandwidth, *bound*
says which, *reached* is the floor over the seconds taken. Seconds are {clock}.
Networks are those of the packaged configurations at published size, called once without gradients.
"""

CLOCKS = {"cpu": "those of the processor, one thread", "cuda": "those of the clock"}


def page(
    machine: Mapping[str, str], limits: Limits, found: Sequence[Measured], device: str = "cpu", file: str = ""
) -> str:
    """Return the page.

    Args:
        machine: what tells one machine from another.
        limits: what it can do at most.
        found: the subjects, in the order of the page.
        device: `cpu` or `cuda`.
        file: name of the JSON with the figures.
    """
    words = ", ".join(f"{name} {value}" for name, value in machine.items() if value)
    head = HEAD.format(
        device="" if device == "cpu" else f" --device {device}",
        file=file or f"roofline_{device}.json",
        machine=f"Machine: {words}.",
        peak=limits.operations / 1e9,
        bandwidth=limits.bandwidth / 1e9,
        clock=CLOCKS[device],
    )
    return "\n".join([head, *_shares(limits, found), "", *_growth(found), *_refusals(found), *_missing(found)]) + "\n"


def floor_seconds(size: Size, limits: Limits) -> tuple[float, float]:
    """Return the seconds that products take at the peak, and bytes at the bandwidth."""
    return size.products / limits.operations, size.moved / limits.bandwidth


def _shares(limits: Limits, found: Sequence[Measured]) -> list[str]:
    head = ("subject", "size", "products", "others", "bytes", "seconds", "of the peak", "of the bandwidth")
    lines = [_row(*head, "bound", "reached"), "| --- | --- |" + " ---: |" * 6 + " --- | ---: |"]
    for one in found:
        size = one.reference
        if size is None:
            continue
        products, moved = floor_seconds(size, limits)
        lines.append(
            _row(
                one.name,
                f"{size.side} x {size.side} x {size.bands}",
                f"{size.products / 1e9:.3g} G",
                f"{size.others / 1e9:.3g} G",
                f"{size.moved / 1e9:.3g} G",
                f"{size.seconds:.3g}",
                f"{products / size.seconds:.0%}",
                f"{moved / size.seconds:.0%}",
                "products" if products > moved else "memory",
                f"{max(products, moved) / size.seconds:.0%}",
            )
        )
    return lines


def _growth(found: Sequence[Measured]) -> list[str]:
    lines = [
        "## Growth",
        "",
        "Exponents of seconds and of the memory of tensors, fitted over the sizes measured: 1 is linear. MiB is the",
        "largest sum of bytes that tensors made on the way held at one time, at the largest scene.",
        "",
        _row("subject", "sides", "seconds", "memory", "bands", "seconds", "memory", "MiB"),
        "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    for one in found:
        if one.reference is None:
            continue
        pixels = [float(size.side**2) for size in one.by_side]
        bands = [float(size.bands) for size in one.by_bands]
        cells = [_told(exponent(pixels, [size.seconds for size in one.by_side]))]
        cells.append(_told(exponent(pixels, [float(size.most) for size in one.by_side])))
        more = [_told(exponent(bands, [size.seconds for size in one.by_bands]))]
        more.append(_told(exponent(bands, [float(size.most) for size in one.by_bands])))
        sides = ", ".join(str(size.side) for size in one.by_side)
        counts = ", ".join(str(size.bands) for size in one.by_bands)
        lines.append(_row(one.name, sides, *cells, counts, *more, f"{one.reference.most / 2**20:.1f}"))
    return lines


def _refusals(found: Sequence[Measured]) -> list[str]:
    told = [f"- {one.name}, {size}: {reason}" for one in found for size, reason in one.refused.items()]
    return ["", "Sizes that were refused:", "", *told] if told else []


def _missing(found: Sequence[Measured]) -> list[str]:
    names = {one.name for one in found}
    missing = [name for name in SUBJECTS if name not in names]
    return ["", f"Not measured: {', '.join(missing)}."] if missing else []


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
