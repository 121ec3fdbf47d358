"""DDP over two machines, as far as one can be two: two names, two temporary folders, one folder that both see."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hyperalign.command.search_path import ROOT
from tests.experiments.test_two_processes import WORDS

UNSHARE = shutil.which("unshare") or ""
LAUNCHER = "import os, socket, sys; socket.sethostname(sys.argv[1]); os.execv(sys.argv[2], sys.argv[2:])"
"""Takes a name of its own before it becomes the process of a rank."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def host(folder: Path, number: int, port: int) -> subprocess.Popen[str]:
    """Start the one process of a host with its own name, temporary folder, cache and working directory."""
    own = folder / f"host{number}"
    for name in ("tmp", "cache", "work"):
        (own / name).mkdir(parents=True)
    (own / "work" / "mynet.py").write_text((ROOT / "examples" / "mynet.py").read_text())
    environment = {key: value for key, value in os.environ.items() if key not in ("LOCAL_RANK", "WORLD_SIZE", "RANK")}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    environment |= {"MASTER_PORT": str(port), "NODE_RANK": str(number), "LOCAL_RANK": "0"}
    environment |= {"TMPDIR": str(own / "tmp"), "HYPERALIGN_CACHE": str(own / "cache"), "GLOO_SOCKET_IFNAME": "lo"}
    words = list(WORDS)
    words[words.index("--trainer.devices") + 1] = "1"
    shared = folder / "shared"
    words += ["--trainer.num_nodes", "2", "--proxy.store", str(shared / "stages")]
    words += ["--trainer.default_root_dir", str(shared / "runs")]
    command = [sys.executable, "-m", "experiments", "adapt", *words]
    return subprocess.Popen(
        [UNSHARE, "--uts", sys.executable, "-c", LAUNCHER, f"node{number}", *command],
        cwd=own / "work", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def may_be_two_hosts() -> bool:
    if not UNSHARE:
        return False
    words = [UNSHARE, "--uts", sys.executable, "-c", LAUNCHER, "other", sys.executable, "-c", ""]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_two_hosts_adapt_as_one_run(tmp_path: Path) -> None:
    if not may_be_two_hosts():
        pytest.skip("this user may not give a process a host name of its own (unshare --uts)")
    port = free_port()
    hosts = [host(tmp_path, number, port) for number in range(2)]
    try:
        outputs = [one.communicate(timeout=600) for one in hosts]
    finally:
        for one in hosts:
            one.kill()
    assert [one.returncode for one in hosts] == [0, 0], [error[-1500:] for _, error in outputs]
    run = tmp_path / "shared" / "runs" / "lightning_logs" / "version_0"
    with (run / "results.csv").open(newline="") as file:
        rows = [(row["test_set"], row["scene"]) for row in csv.DictReader(file)]
    assert len(rows) == len(set(rows)) == 4
    assert sum("next:" in output for output, _ in outputs) == 1
    # both made a part of the shared stages, whose files tell no host, and neither left anything half
    assert len(list((tmp_path / "shared" / "stages").rglob("*.npy"))) == 3 * 3
    assert not list((tmp_path / "shared").rglob(".*.tmp*"))
