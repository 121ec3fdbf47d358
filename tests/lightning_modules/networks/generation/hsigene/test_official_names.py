"""The names of the released checkpoint are the network's, one by one."""

from __future__ import annotations

import math
import re

import torch

from lightning_modules.checkpoints import load_official_state
from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork
from lightning_modules.networks.generation.hsigene.official_names import OFFICIAL_NAMES, OTHER_ENTRIES
from tests.lightning_modules.networks.generation.hsigene_official import (
    OfficialNames,
    OfficialSizes,
)


def test_the_names_of_the_released_checkpoint_are_the_networks_one_by_one() -> None:
    shapes = OfficialNames(OfficialSizes()).shapes
    assert len(shapes) == 1528
    assert sum(math.prod(shape) for shape in shapes.values()) == 1_380_533_228
    with torch.device("meta"):
        network = HSIGeneNetwork()
        state = {name: torch.empty(shape) for name, shape in shapes.items()}
    load_official_state(network, state)


def test_entries_outside_of_the_six_parts_are_not_read() -> None:
    for name in ("betas", "cond_stage_model.x", "model_ema.decay", "first_stage_model.loss.logvar", "model.other"):
        assert re.search(OTHER_ENTRIES, name), name
    for name in OfficialNames(OfficialSizes()).shapes:
        assert not re.search(OTHER_ENTRIES, name), name


def test_every_pattern_renames_something_and_no_two_entries_meet() -> None:
    used, ours = set(), []
    for name in OfficialNames(OfficialSizes()).shapes:
        for pattern, replacement in OFFICIAL_NAMES:
            renamed = re.sub(pattern, replacement, name)
            if renamed != name:
                used.add(pattern)
            name = renamed
        ours.append(name)
    assert used == {pattern for pattern, _ in OFFICIAL_NAMES}
    assert len(set(ours)) == len(ours)
