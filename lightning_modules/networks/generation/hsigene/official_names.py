"""How the entries of the released HSIGene checkpoint are named there, and here."""

from __future__ import annotations

__all__ = ["OFFICIAL_NAMES", "OTHER_ENTRIES"]

OTHER_ENTRIES = (
    r"^(?!(?:first_stage_model\.(?:encoder|decoder|quant_conv|post_quant_conv)|model\.diffusion_model|local_adapter"
    r"|global_content_adapter|global_text_adapter|metadata_emb)\.)"
)
"""Entries outside of the six parts, which are not read: noise schedule, frozen text encoder, training's leftovers."""

OFFICIAL_NAMES: tuple[tuple[str, str], ...] = (
    # the autoencoder
    (r"^first_stage_model\.quant_conv\.", "autoencoder.to_moments."),
    (r"^first_stage_model\.post_quant_conv\.", "autoencoder.from_latent."),
    (r"^first_stage_model\.", "autoencoder."),
    (r"^(autoencoder\.\w+)\.(?:down|up)\.(\d+)\.", r"\1.levels.\2."),
    (r"^(autoencoder\.\w+\.levels\.\d+)\.block\.", r"\1.blocks."),
    (r"^(autoencoder\.\w+\.levels\.\d+)\.attn\.", r"\1.attention."),
    (r"^(autoencoder\.\w+\.levels\.\d+)\.(?:down|up)sample\.", r"\1.resample."),
    (r"^(autoencoder\.\w+)\.mid\.block_1\.", r"\1.middle.0."),
    (r"^(autoencoder\.\w+)\.mid\.attn_1\.", r"\1.middle.1."),
    (r"^(autoencoder\.\w+)\.mid\.block_2\.", r"\1.middle.2."),
    (r"^(autoencoder\..*)\.nin_shortcut\.", r"\1.skip."),
    (r"^(autoencoder\..*)\.q\.", r"\1.query."),
    (r"^(autoencoder\..*)\.k\.", r"\1.key."),
    (r"^(autoencoder\..*)\.v\.", r"\1.value."),
    (r"^(autoencoder\..*)\.proj_out\.", r"\1.out."),
    # the UNet and the local adapter
    (r"^model\.diffusion_model\.", "unet."),
    (r"\.input_blocks\.", ".down."),
    (r"\.output_blocks\.", ".up."),
    (r"\.middle_block\.", ".middle."),
    (r"\.in_layers\.0\.", ".norm1."),
    (r"\.in_layers\.2\.", ".conv1."),
    (r"\.emb_layers\.1\.", ".embed."),
    (r"\.out_layers\.0\.", ".norm2."),
    (r"\.out_layers\.3\.", ".conv2."),
    (r"\.skip_connection\.", ".skip."),
    (r"(\.down\.\d+\.0)\.op\.", r"\1.conv."),
    (r"\.proj_in\.", ".project_in."),
    (r"^((?:unet|local_adapter)\..*)\.proj_out\.", r"\1.project_out."),
    (r"\.transformer_blocks\.0\.attn1\.", ".self_attention."),
    (r"\.transformer_blocks\.0\.attn2\.", ".cross_attention."),
    (r"\.transformer_blocks\.0\.ff\.", ".feed_forward."),
    (r"\.transformer_blocks\.0\.", "."),
    (r"\.to_q\.", ".query."),
    (r"\.to_k\.", ".key."),
    (r"\.to_v\.", ".value."),
    (r"\.to_out\.0\.", ".out."),
    (r"\.net\.0\.proj\.", ".expand."),
    (r"\.net\.2\.", ".contract."),
    # the local adapter alone
    (r"\.norm_in\.", ".modulate1."),
    (r"\.norm_out\.(?=fdn|attention)", ".modulate2."),
    (r"\.fdn\.conv_gamma\.", ".scale."),
    (r"\.fdn\.conv_beta\.", ".shift."),
    (r"\.(query|key|value)_conv\.", r".\1."),
    (r"\.feature_extractor\.pre_extractor\.", ".pyramid.stem."),
    (r"\.feature_extractor\.extractors\.", ".pyramid.levels."),
    (r"\.feature_extractor\.zero_convs\.", ".pyramid.outputs."),
    (r"^local_adapter\.zero_convs\.(\d+)\.0\.", r"local_adapter.outputs.\1."),
    (r"^local_adapter\.middle_block_out\.0\.", "local_adapter.middle_output."),
    # the global adapters
    (r"^global_content_adapter\.", "content_adapter."),
    (r"^global_text_adapter\.", "text_adapter."),
    (r"\.ff1\.", ".first."),
    (r"\.ff2\.", ".second."),
    (r"^metadata_emb\.mlp_models\.(\d+)\.fc1\.", r"metadata_embedding.projections.\1."),
)
"""Pairs (regular expression, replacement), applied in turn to every official name."""
