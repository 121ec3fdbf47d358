"""What launchers tell a process in the environment: checked before Lightning and PyTorch read it."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from hyperalign.errors import UsageError

__all__ = ["RANK_VARIABLES", "check_launcher", "keep_stacks_back", "lacking_variable"]

RANK_VARIABLES = ("LOCAL_RANK", "SLURM_PROCID", "RANK")
"""What launchers tell a process of its number; the first process speaks for all."""

_NUMBERS = {
    **dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK"), (0, None)),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), (1, None)),
    **dict.fromkeys(("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_JOB_ID"), (0, None)),
    **dict.fromkeys(("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES"), (1, None)),
    **dict.fromkeys(("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_LOCAL_RANK"), (0, None)),
    **dict.fromkeys(("JSM_NAMESPACE_SIZE",), (1, None)),
    **dict.fromkeys(("MASTER_PORT", "STANDALONE_PORT"), (1, 65535)),
}
"""Variables that must be whole numbers, with the least and the largest one."""

_COUNTED = {
    "RANK": "WORLD_SIZE",
    "LOCAL_RANK": "LOCAL_WORLD_SIZE",
    "SLURM_PROCID": "SLURM_NTASKS",
    "JSM_NAMESPACE_RANK": "JSM_NAMESPACE_SIZE",
}
"""Numbers of processes, and the variables with their count."""

_SEVERAL = ("WORLD_SIZE", "SLURM_NTASKS", "JSM_NAMESPACE_SIZE")
"""Variables that say how many processes a launcher started."""
_LINKED = ("MASTER_PORT", "STANDALONE_PORT")
"""Variables that Kubernetes sets as well, to `tcp://HOST:PORT`, for a service called master or standalone."""

_NO_GPU = ("", "-1", "none", "void", "nodevfiles")
"""How schedulers and people hide every GPU."""


def check_launcher(environment: MutableMapping[str, str] | None = None) -> None:
    """Refuse variables of torchrun, SLURM, LSF and CUDA that do not hold what they must.

    Ports that Kubernetes set for a service are unset where no launcher started several processes.

    Args:
        environment: the process's own when None.

    Raises:
        UsageError: one sentence, naming the variable.
    """
    given = os.environ if environment is None else environment
    if all(given.get(name, "1").strip() in ("", "1") for name in _SEVERAL):
        for name in _LINKED:
            if "://" in given.get(name, ""):
                del given[name]
    found: dict[str, int] = {}
    for name, (least, largest) in _NUMBERS.items():
        if name in given:
            found[name] = _number(name, given[name], least, largest)
    for name, count in _COUNTED.items():
        if name in found and count in found and found[name] >= found[count]:
            raise UsageError(
                f"The variable {name} is {found[name]} and {count} is {found[count]}, where processes are numbered "
                "from 0: unset both, or start the command by the launcher that sets them."
            )
    _check_devices(given.get("CUDA_VISIBLE_DEVICES", ""))


def lacking_variable(error: BaseException) -> str | None:
    """Return the sentence of an error that Lightning raises where a launcher set some of its variables alone.

    Args:
        error: any error.

    Returns:
        None where it is another error.
    """
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    if not (isinstance(name, str) and name in _NUMBERS):
        return None
    return (
        f"The variable {name} is not set where others say that a launcher started this command: start it by `srun` or "
        "`torchrun`, or unset the variables SLURM_* or TORCHELASTIC_*."
    )


def _number(name: str, text: str, least: int, largest: int | None) -> int:
    number = int(text) if text.strip().isascii() and text.strip().isdecimal() else -1
    if number < least or (largest is not None and number > largest):
        wanted = f"from {least} on" if largest is None else f"from {least} to {largest}"
        raise UsageError(
            f"The variable {name} is {text[:40]!r}, where a whole number {wanted} is expected: unset it, or start the "
            "command by the launcher that sets it."
        )
    return number


def _check_devices(text: str) -> None:
    if text.strip().lower() in _NO_GPU:
        return
    for part in text.split(","):
        word = part.strip()
        if not (word.removeprefix("-").isdecimal() or word.startswith(("GPU-", "MIG-"))):
            raise UsageError(
                f"The variable CUDA_VISIBLE_DEVICES is {text[:80]!r}, which names no GPUs and would hide all of them: "
                "give their numbers, such as 0,1, or unset it."
            )


def keep_stacks_back(environment: MutableMapping[str, str] | None = None) -> None:
    """Have PyTorch print no stacks of its own where another process is gone, which is told in a sentence.

    Whoever wants to see them (`HYPERALIGN_TRACEBACK=1`), or has set its level of logging, is given them.

    Args:
        environment: of this process and those that it starts.
    """
    given = os.environ if environment is None else environment
    if given.get("HYPERALIGN_TRACEBACK") != "1":
        given.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
