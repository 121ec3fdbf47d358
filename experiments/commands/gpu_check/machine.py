"""The machine a check ran on: card, driver, memory, versions."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess

from experiments.reproduction.provenance import versions

PACKAGES = (
    "torch",
    "triton",
    "mamba-ssm",
    "faiss-gpu-cu12",
    "faiss-cpu",
    "lightning",
    "diffusers",
    "transformers",
    "numpy",
)


def machine(device: str) -> dict[str, str]:
    """Return what tells one machine from another, by name.

    Args:
        device: `cuda` or `cpu`; on `cuda` this starts CUDA in the calling process.
    """
    import torch

    told = {"device": device, "python": platform.python_version(), "cores": str(os.cpu_count() or 1)}
    if device == "cuda":
        card = torch.cuda.get_device_properties(0)
        told["device"] = card.name
        told["memory"] = f"{card.total_memory / 2**30:.1f} GiB"
        told["capability"] = f"{card.major}.{card.minor}"
        told["driver"] = _driver()
        told["CUDA"] = str(torch.version.cuda)
    return told | dict.fromkeys(PACKAGES, "") | versions(PACKAGES)


def _driver() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    words = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603 - no input
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.splitlines()[0].strip() if found.stdout.strip() else ""
