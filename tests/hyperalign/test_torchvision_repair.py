"""The remedy for a torchvision whose compiled part does not load beside this torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperalign import torchvision_repair


def test_a_library_that_cannot_be_loaded_does_not_count(tmp_path: Path) -> None:
    assert not torchvision_repair.compiled_part_loads(tmp_path)
    (tmp_path / "_C.so").write_bytes(b"not a library")
    (tmp_path / "_C.py").write_text("")
    assert not torchvision_repair.compiled_part_loads(tmp_path)


def test_the_installed_torchvision_imports_after_it() -> None:
    torchvision = pytest.importorskip("torchvision")
    assert torchvision.ops.nms is not None
    assert not any(isinstance(finder, torchvision_repair.RepairBeforeImport) for finder in sys.meta_path)


USES_A_TORCHVISION_THAT_DOES_NOT_LOAD = """
import sys
from hyperalign import torchvision_repair
assert "torch" not in sys.modules
import torchvision
import torch
print(torch.ops.torchvision.nms.default._schema)
print(torch.ops.torchvision.qnms.default._schema)
boxes = torch.zeros(1, 4)
try:
    torch.ops.torchvision.nms(boxes, boxes[:, 0], 0.5)
except Exception as error:
    print(type(error).__name__)
"""


def test_the_missing_schemas_are_defined_where_the_compiled_part_does_not_load(tmp_path: Path) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "_C.so").write_bytes(b"built for another torch")
    # like the real one, it asks for the operator while it is being imported
    (package / "__init__.py").write_text(
        'import torch\ntorch.library.register_fake("torchvision::nms")(lambda *inputs: None)\n'
    )
    root = Path(torchvision_repair.__file__).parents[1]
    finished = subprocess.run(
        [sys.executable, "-c", USES_A_TORCHVISION_THAT_DOES_NOT_LOAD],
        cwd=root, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    names = ("torchvision::nms", "torchvision::qnms")
    assert finished.stdout.split("\n") == [*(name + signature for name in names), "NotImplementedError", ""]
