"""Names of the published S2CycleDiff checkpoints and ours."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["OFFICIAL_NAMES", "OFFICIAL_UNUSED"]

OFFICIAL_NAMES: Sequence[tuple[str, str]] = (
    (r"^model_spe\.", "spectral."),
    (r"^model_spa\.", "spatial."),
    (r"\.self_att\.", ".self_attentions."),
    (r"\.cros_att\.", ".cross_attentions."),
    (r"\.groupnorm(_[12])?\.", ".norm."),
    (r"(_attentions\.\d)\.proj\.", r"\1.project."),
    *((rf"\.downsample\.{2 * number}\.", f".down.{number}.") for number in range(3)),
    *((rf"\.upsample\.{2 * number}\.", f".up.{number}.") for number in range(3)),
    (r"\.noise_level_mlp\.1\.", ".embedding.mlp.0."),
    (r"\.noise_level_mlp\.3\.", ".embedding.mlp.2."),
    (r"\.noise_func\.noise_func\.0\.", ".noise."),
    (r"\.skip_downs\.", ".guides."),
    (r"\.((?:downs|guides)\.\d+)\.conv\.", r".\1."),
    (r"\.block([12])\.block\.0\.", r".block\1.norm."),
    (r"\.block([12])\.block\.3\.", r".block\1.conv."),
    (r"\.res_conv\.", ".skip."),
    (r"\.final_conv\.block\.0\.", ".tail.norm."),
    (r"\.final_conv\.block\.3\.", ".tail.conv."),
    (r"^PSF_31\.", "reduce_cube."),
    (r"^PSF_3\.", "reduce_image."),
    (r"^SRF\.", "response."),
)
"""Pairs of expression and replacement, in turn."""

OFFICIAL_UNUSED: Sequence[str] = (
    r"^(betas|alphas_cumprod|alphas_cumprod_prev|pred_coef\d|variance|posterior_\w+)$",
    r"^PSF\.",
    r"skip_downs\.\d+\.(block2|noise_func)\.",
    r"^model_spe\.cros_att\.\d\.(groupnorm_2|downsample|upsample)",
    r"^model_spa\.cros_att\.\d\.(groupnorm_1|qkv_[12])",
    r"\.(downsample|upsample)\.6\.",
)
"""Entries that are computed here, or that no working use of the published code reads."""
