"""Where bfloat16 and `torch.compile` help: `python -m tests.benchmarks.network_options [--side 64] [STEM ...]`.

CPU seconds of one call without gradients on one thread, of the packaged network (`STEM`) or of its compact form
(`STEM:compact`): in float32, under `--trainer.precision bf16-mixed`, and with `--trainer.callbacks+=CompiledNetwork`;
their errors relative to float32, and what the first compiled call took with the compilers that it started. Forms take
turns, the best of each counts, each network is measured in a process of its own, and one that fails says why.
"""

from __future__ import annotations

import hyperalign  # noqa: F401  first: torchvision is repaired before anything imports it

# isort: split
import resource
import sys
import time
from collections.abc import Callable

import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn

from experiments.commands.gpu_check.checks.specimens import built, inputs_of
from tests.benchmarks.rows import arguments_of, print_rows

STEMS = ("sert:compact", "sert", "sstf_unet", "gdrrn", "promptir", "ssumamba:compact")
HEADER = (
    "| network | float32 | bf16-mixed | error | compiled | error | first compiled call |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def spent() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def called(network: nn.Module, inputs: list[Tensor], precision: MixedPrecision | None = None) -> tuple[Tensor, float]:
    """What the network answers and the CPU seconds that it took."""
    start = time.process_time()
    with torch.no_grad():
        if precision is None:
            answer: Tensor = network(*inputs)
        else:
            with precision.forward_context():
                answer = network(*inputs)
    return answer.float(), time.process_time() - start


def error(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference, relative."""
    return float((found - expected).norm() / expected.norm())


def best(*forms: Callable[[], tuple[Tensor, float]], rounds: int = 4) -> list[float]:
    """The fastest of so many calls of each form, which take turns."""
    return [min(column) for column in zip(*[[form()[1] for form in forms] for _ in range(rounds)], strict=True)]


def row(name: str, side: int) -> str:
    """One line of the table."""
    stem, _, form = name.partition(":")
    plain, compiled = (built(stem, compact=form == "compact").eval() for _ in range(2))
    inputs, half = inputs_of(stem, side), MixedPrecision("bf16-mixed", "cpu")
    expected, _ = called(plain, inputs)
    rounded, _ = called(plain, inputs, half)
    compiled.compile()
    start = spent()
    try:
        translated, _ = called(compiled, inputs)
    except Exception as failure:  # the reason is the result
        seconds = best(lambda: called(plain, inputs), lambda: called(plain, inputs, half))
        reason = " ".join(f"{type(failure).__name__}: {failure}".split())[:120]
        return f"| {name} | {seconds[0]:.3f} s | {seconds[1]:.3f} s | {error(rounded, expected):.0e} | {reason} | | |"
    first = spent() - start
    seconds = best(lambda: called(plain, inputs), lambda: called(plain, inputs, half), lambda: called(compiled, inputs))
    cells = [name, f"{seconds[0]:.3f} s", f"{seconds[1]:.3f} s", f"{error(rounded, expected):.0e}"]
    cells += [f"{seconds[2]:.3f} s", f"{error(translated, expected):.0e}", f"{first:.0f} s"]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table row by row."""
    arguments = arguments_of(__doc__, STEMS, 64)
    # Compilers that run within the measured call, so that their seconds are counted, and find nothing kept.
    torch._inductor.config.compile_threads = 1
    torch._inductor.config.force_disable_caches = True
    return print_rows("tests.benchmarks.network_options", HEADER, arguments, lambda stem: row(stem, arguments.side))


if __name__ == "__main__":
    sys.exit(main())
