"""Names of published S2CycleDiff checkpoints: examples of every part, and what is left out."""

from __future__ import annotations

import re

import pytest

from lightning_modules.networks.fusion.s2cyclediff.names import OFFICIAL_NAMES, OFFICIAL_UNUSED

EXAMPLES = {
    "model_spe.self_att.0.groupnorm.weight": "spectral.self_attentions.0.norm.weight",
    "model_spe.cros_att.2.groupnorm_1.bias": "spectral.cross_attentions.2.norm.bias",
    "model_spa.cros_att.1.proj.weight": "spatial.cross_attentions.1.project.weight",
    "model_spa.cros_att.1.downsample.2.weight": "spatial.cross_attentions.1.down.1.weight",
    "model_spa.cros_att.1.upsample.4.bias": "spatial.cross_attentions.1.up.2.bias",
    "model_spe.noise_level_mlp.1.weight": "spectral.embedding.mlp.0.weight",
    "model_spe.noise_level_mlp.3.weight": "spectral.embedding.mlp.2.weight",
    "model_spe.downs.3.conv.weight": "spectral.downs.3.weight",
    "model_spe.skip_downs.3.conv.weight": "spectral.guides.3.weight",
    "model_spe.skip_downs.1.block1.block.0.weight": "spectral.guides.1.block1.norm.weight",
    "model_spa.mid.0.noise_func.noise_func.0.weight": "spatial.mid.0.noise.weight",
    "model_spa.ups.4.block2.block.3.bias": "spatial.ups.4.block2.conv.bias",
    "model_spa.ups.4.res_conv.weight": "spatial.ups.4.skip.weight",
    "model_spa.ups.5.conv.weight": "spatial.ups.5.conv.weight",
    "model_spa.final_conv.block.0.weight": "spatial.tail.norm.weight",
    "model_spa.final_conv.block.3.weight": "spatial.tail.conv.weight",
    "PSF_31.weight": "reduce_cube.weight",
    "PSF_3.weight": "reduce_image.weight",
    "SRF.weight": "response.weight",
}


def ours(name: str) -> str:
    for pattern, replacement in OFFICIAL_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def test_every_part_is_renamed() -> None:
    assert {name: ours(name) for name in EXAMPLES} == EXAMPLES
    used = {pattern for pattern, _ in OFFICIAL_NAMES for name in EXAMPLES if renames(pattern, name)}
    assert used == {pattern for pattern, _ in OFFICIAL_NAMES} - {r"\.downsample\.0\.", r"\.downsample\.4\."} - {
        r"\.upsample\.0\.",
        r"\.upsample\.2\.",
    }


def renames(pattern: str, name: str) -> bool:
    """Whether a pattern takes part in renaming this entry."""
    for other, replacement in OFFICIAL_NAMES:
        if other == pattern:
            return re.search(pattern, name) is not None
        name = re.sub(other, replacement, name)
    return False


@pytest.mark.parametrize(
    "name",
    [
        "betas",
        "posterior_mean_coef1",
        "PSF.weight",
        "model_spe.skip_downs.1.block2.block.0.weight",
        "model_spa.skip_downs.1.noise_func.noise_func.0.bias",
        "model_spe.cros_att.0.downsample.0.weight",
        "model_spa.cros_att.0.qkv_1.weight",
        "model_spa.cros_att.0.upsample.6.bias",
    ],
)
def test_what_nobody_reads_is_left_out_and_nothing_else(name: str) -> None:
    assert any(re.search(pattern, name) for pattern in OFFICIAL_UNUSED)
    left_out = {one for one in EXAMPLES for pattern in OFFICIAL_UNUSED if re.search(pattern, one)}
    assert left_out == set()
