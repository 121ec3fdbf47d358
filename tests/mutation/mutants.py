"""Mutation testing of the numerical core: small faults put into its source, and the tests that must notice each.

Run by `make mutants`. A first run notes which tests come by which line, and how long each takes; a mutant is then a
fork that imports one changed module and runs the tests that come by its line, the quickest first. A mutant that no test
kills is a survivor, listed with its place. Which mutants are tried is drawn by a seed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import math
import os
import pickle
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutation.small_faults import Mutant, mutants_of  # noqa: E402

TARGETS: dict[str, tuple[str, str]] = {
    "metrics": ("lightning_modules/metrics", "tests/lightning_modules/metrics"),
    "transfer": ("callbacks/transfer", "tests/callbacks/transfer"),
    "degradations": ("datamodules/degradations", "tests/datamodules/degradations"),
    "grid": ("lightning_modules/networks/upsampled.py", "tests/lightning_modules/networks/test_upsampled.py"),
}
"""Folder or module, and its tests, by the name of the part."""

SECONDS = 300
"""Time after which a mutant counts as killed: what never ends is noticed."""

OURS = ("hyperalign", "lightning_modules", "datamodules", "callbacks", "experiments", "tests")


class Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from a changed tree."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.name = mutant.path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.mutant.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.mutant.tree, str(self.mutant.path), "exec")

    def get_source(self, fullname: str) -> None:
        return None


@dataclass
class Coverage:
    """Which tests come by which lines, as a plugin of pytest.

    Attributes:
        source: the folder or module whose lines are noted.
        seconds: of each test.
        lines: the tests of each line, by the module's path; code that runs on import bears the empty name.
    """

    source: Path
    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.traced.switch_context(item.nodeid)
        started = time.monotonic()
        result = yield
        self.seconds[item.nodeid] = time.monotonic() - started
        return result

    def run(self, tests: str) -> int:
        """Run the tests and note what they come by; return pytest's status."""
        import coverage

        watched = self.source / "*" if self.source.is_dir() else self.source
        self.traced = coverage.Coverage(data_file=None, include=[str(watched)], config_file=False)
        self.traced.start()
        status = run_pytest([tests], [self])
        self.traced.stop()
        data = self.traced.get_data()
        for path in data.measured_files():
            self.lines[path] = data.contexts_by_lineno(path)
        return status


def run_pytest(tests: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Run tests without a word and return pytest's status."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark", "-p", "no:faulthandler"]
    options += ["-o", "addopts=--import-mode=importlib -m 'not slow'"]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main([*options, *tests], list(plugins)))


def forked(work: object, seconds: float) -> tuple[int, bytes]:
    """Run a function in a fork; return its status (-9 when it took too long) and what it gave back."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        code = 1
        try:
            os.setsid()
            code, answer = work()  # type: ignore[operator]
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(answer)
        finally:
            os._exit(code)
    os.close(writing)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(process, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(process, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return os.waitstatus_to_exitcode(status), answer


def covered(source: Path, tests: str) -> Coverage:
    """Return which tests come by the lines of a part, which must all pass."""

    def work() -> tuple[int, bytes]:
        noted = Coverage(source)
        status = noted.run(str(ROOT / tests))
        return status, pickle.dumps((noted.seconds, noted.lines))

    status, answer = forked(work, 3600)
    if status != 0:
        raise SystemExit(f"The tests in {tests} fail without any fault: mend them first.")
    return Coverage(source, *pickle.loads(answer))  # noqa: S301  # written by the fork above


def survives(mutant: Mutant, noted: Coverage, tests: str) -> bool:
    """Run the tests that come by a mutant's lines, and tell whether all of them pass."""
    lines = noted.lines.get(str(mutant.path), {})
    names = {name for line in range(mutant.line, mutant.end + 1) for name in lines.get(line, [])}
    if "" in names or not names:
        own = ROOT / tests / f"test_{mutant.path.stem}.py"
        chosen = [str(path) for path in (own, ROOT / tests) if path.exists()]
    else:
        chosen = sorted(names, key=lambda name: noted.seconds.get(name, 0.0))

    def work() -> tuple[int, bytes]:
        sys.meta_path.insert(0, Changed(mutant))
        return run_pytest(chosen), b""

    return forked(work, SECONDS)[0] == 0


def preload() -> None:
    """Import what all tests import, and forget our own modules again, so that a fork imports only these anew."""
    os.chdir(ROOT)
    for name in ("hyperalign", "callbacks", "experiments.cli", "skimage.metrics", "lightning.pytorch.callbacks"):
        importlib.import_module(name)
    importlib.import_module("torch").set_num_threads(1)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS and "mutation" not in name]:
        if name != "tests":
            del sys.modules[name]


def interval(killed: int, number: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of the share of all mutants that the tests kill, of a sample drawn by chance."""
    if number == 0:
        return 0.0, 1.0
    z, share = 1.959963985, killed / number
    middle, half = share + z * z / (2 * number), z * math.sqrt((share * (1 - share) + z * z / (4 * number)) / number)
    return (middle - half) / (1 + z * z / number), (middle + half) / (1 + z * z / number)


def tried(part: str, given: argparse.Namespace) -> list[str]:
    """Try a part's mutants for as long as they are given time, tell the share, and return the survivors."""
    source, tests = TARGETS[part]
    where = ROOT / source
    paths = sorted(where.glob("*.py")) if where.is_dir() else [where]
    found = [
        mutant
        for path in paths
        if path.name != "__init__.py" and (not given.module or path.stem in given.module)
        for mutant in mutants_of(path)
    ]
    random.Random(given.seed).shuffle(found)
    noted = covered(where, tests)
    until, number, survivors = time.monotonic() + 60 * given.minutes / len(given.parts), 0, []
    for mutant in found[: given.most]:
        if time.monotonic() > until:
            break
        number += 1
        if survives(mutant, noted, tests):
            survivors.append(f"{mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.what}")
            sys.stdout.write(f"survived: {survivors[-1]}\n")
            sys.stdout.flush()
    killed = number - len(survivors)
    low, high = interval(killed, number)
    sys.stdout.write(
        f"{part}: {killed} of {number} tried mutants killed ({killed / max(1, number):.0%}, 95 % interval {low:.0%} to "
        f"{high:.0%}), of {len(found)} in all\n"
    )
    sys.stdout.flush()
    return survivors


def main() -> int:
    """Try mutants of every part, and list the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(TARGETS), help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=40.0, help="time for all parts together")
    parser.add_argument("--module", nargs="*", default=[], help="names of modules, to try no others")
    parser.add_argument("--most", type=int, default=None, help="how many mutants of a part; all by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    preload()
    return 1 if sum(len(tried(part, given)) for part in given.parts) else 0


if __name__ == "__main__":
    raise SystemExit(main())
