"""Which errors a person reads as one sentence, and the status that the command line ends with."""

from __future__ import annotations

import errno
import os
import re
import sys

from experiments.process.launchers import lacking_variable
from experiments.process.sigterm import TERMINATED
from hyperalign.errors import HyperalignError, sentence

MISUSE, FAILURE, INTERRUPTED = 2, 1, 130
_RAISED = re.compile(r"^((?:\w+\.)+\w+): ", flags=re.MULTILINE)


_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS)
"""What a disk answers that takes no more; libraries often leave the file's name out."""
_CUT = re.compile(r"^\d+ requested and \d+ written$")
"""What NumPy says then."""


_TRACKERS = ("wandb.", "mlflow.", "comet_ml.", "neptune.")
"""Packages of services that keep results, whose errors are of their own kinds."""


_OTHER_TASKS = re.compile(r"^You set `(devices|num_nodes)=")
"""What Lightning raises where SLURM or torchrun started another number of processes than the Trainer has."""


_WORKER = re.compile(r"^DataLoader worker \(pid \d+\) is killed by signal: (\w+(?: \w+)*)")
"""What PyTorch raises in the main process when a process that loads patches is gone."""


def told(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence and the exit status of an error; None where only its traceback helps.

    Told are the errors of this project wherever they were raised (here, in a loader's worker, in a process that the
    Trainer started), what Lightning says about a Trainer that cannot be, files that cannot be read or written, and a
    GPU whose memory is full.
    """
    if isinstance(error, HyperalignError):
        return sentence(error), error.exit_code
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if "torch.multiprocessing.spawn.ProcessRaisedException" in names:
        return _of_process(str(error))
    if "lightning.fabric.utilities.exceptions.MisconfigurationException" in names:
        return " ".join(str(error).split()), MISUSE
    if "torch.OutOfMemoryError" in names or "torch.cuda.OutOfMemoryError" in names:
        return (
            "The memory of the GPU is full: make --data.batch_size, --data.patch_size or --model.tile smaller, or give "
            "--trainer.precision bf16-mixed.",
            FAILURE,
        )
    if any(name.startswith(_TRACKERS) for name in names):
        return _of_tracker(error)
    if isinstance(error, RuntimeError) and (killed := _WORKER.match(str(error))):
        return _of_worker(killed[1])
    if isinstance(error, RuntimeError) and str(error).startswith("You set `--ntasks="):
        return (
            "SLURM_NTASKS is set and SLURM_NTASKS_PER_NODE is not: ask SLURM for --ntasks-per-node, or unset "
            "SLURM_NTASKS where the command is not started by srun.",
            MISUSE,
        )
    if isinstance(error, ValueError) and _OTHER_TASKS.match(str(error)):
        return " ".join(str(error).split()).replace("HINT: Set", "HINT: set"), MISUSE
    if isinstance(error, ValueError) and str(error).startswith("loaded state dict"):
        return (
            f"The checkpoint's optimiser is not that of this run ({' '.join(str(error).split())}): take a checkpoint "
            "of this run, or give it as model.init_args.source to begin with its weights.",
            FAILURE,
        )
    if (lacking := lacking_variable(error)) is not None:
        return lacking, MISUSE
    watch = sys.modules.get("hyperalign.watch")
    if watch is not None and (lost := watch.lost_rank(error)):
        return lost, FAILURE
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        return _of_file(error)
    return None


def _of_file(error: OSError) -> tuple[str, int] | None:
    """A file that is not there or cannot be used, by its name."""
    if error.filename is None and (error.errno in _DISK or _CUT.match(str(error))):
        reason = os.strerror(error.errno) if error.errno in _DISK else "The disk is full"
        return f"{reason}: a file could not be written; free some space, or name another folder for it.", FAILURE
    if error.filename is None or error.strerror is None:
        text = " ".join(str(error).split())
        return (text, FAILURE) if isinstance(error, FileNotFoundError) and text else None
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    return f"{error.strerror}: {name}; check the path, its permissions and the space on its disk.", FAILURE


def _of_tracker(error: BaseException) -> tuple[str, int]:
    """What a service that keeps results says where it cannot be reached or wants a key."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    service = type(error).__module__.partition(".")[0]
    return f"{service} cannot keep this run: {text}; or choose another logger, such as --config logger/csv.", MISUSE


def _of_worker(signal_name: str) -> tuple[str, int]:
    """A process that loads patches, ended from outside: with the run, as schedulers do, or for want of memory."""
    if signal_name == "Terminated":
        return "A process that loads patches was ended by SIGTERM, and the run with it: start it again.", TERMINATED
    return (
        f"A process that loads patches was ended from outside ({signal_name}), as where the memory of the machine is "
        "full: make --data.num_workers or --data.batch_size smaller.",
        FAILURE,
    )


def _of_process(text: str) -> tuple[str, int] | None:
    """The error of this project that ended a process of the Trainer's, found by its class in the text it left."""
    for found in reversed(list(_RAISED.finditer(text))):
        module, _, last = found[1].rpartition(".")
        kind = getattr(sys.modules.get(module), last, None)
        if isinstance(kind, type) and issubclass(kind, HyperalignError):
            return text[found.end() :].strip(), kind.exit_code
    return None
