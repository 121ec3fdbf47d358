"""The noise predictor against that of diffusers."""

from __future__ import annotations

import torch

from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork
from lightning_modules.networks.generation.hsigene.unet import ConditionedUNet, UNetWidths, encoder_stages
from tests.lightning_modules.networks.generation.hsigene.drawn import draw, drawn_conditions
from tests.lightning_modules.networks.generation.hsigene_official import (
    SMALL,
    PlainForm,
)


def test_the_unet_is_that_of_stable_diffusion(network: HSIGeneNetwork, plain: PlainForm) -> None:
    from diffusers import UNet2DConditionModel
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    reference = UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=2,
        cross_attention_dim=SMALL.context,
        attention_head_dim=SMALL.heads,
        norm_num_groups=SMALL.groups,
        class_embed_type="identity",
    ).eval()
    unet = {name: value for name, value in plain.state.items() if name.startswith("model.diffusion_model.")}
    reference.load_state_dict(convert_ldm_unet_checkpoint(unet, dict(reference.config)))
    conditions = drawn_conditions(network)
    latent, timesteps = draw(2, 4, 8, 8), torch.full((2,), 481)
    control = network.local_adapter(latent, timesteps, conditions.context, conditions.local)
    with torch.no_grad():
        expected = reference(
            latent,
            timesteps,
            encoder_hidden_states=conditions.context,
            class_labels=conditions.metadata,
            down_block_additional_residuals=tuple(control[:-1]),
            mid_block_additional_residual=control[-1],
        ).sample
    assert float(expected.std()) > 0.05
    torch.testing.assert_close(network(latent, 481, conditions), expected, rtol=1e-4, atol=1e-5)


def test_every_stage_says_how_many_channels_it_gives() -> None:
    widths = UNetWidths(latent=3, base=8, multipliers=(1, 2, 2), blocks=1, attended=2, heads=2, context=4, groups=4)
    stages, given = encoder_stages(widths)
    assert widths.embedding == 32
    assert given == [8, 8, 8, 16, 16, 16]
    assert [len(list(stage.children())) for stage in stages] == [1, 2, 1, 2, 1, 1]
    features, size = draw(1, 3, 8, 8), 8
    for stage, channels in zip(stages, given, strict=True):
        features = stage(features, draw(1, 32), draw(1, 5, 4))
        size = features.shape[-1]
        assert features.shape == (1, channels, size, size)
    assert size == 2
    asked: list[tuple[int, int, int]] = []

    def first_block(level: int, entering: int, leaving: int) -> torch.nn.Module:
        asked.append((level, entering, leaving))
        return torch.nn.Identity()

    encoder_stages(widths, first_block)
    assert asked == [(0, 8, 8), (1, 8, 16), (2, 16, 16)]


@torch.no_grad()
def test_control_is_added_to_skips_and_middle_and_metadata_to_the_time() -> None:
    torch.manual_seed(0)
    widths = UNetWidths(latent=3, base=8, multipliers=(1, 2), blocks=1, attended=1, heads=2, context=4, groups=4)
    unet, latent, context = ConditionedUNet(widths).eval(), draw(2, 3, 4, 4), draw(2, 5, 4)
    none = [torch.zeros(())] * 5
    found = unet(latent, torch.tensor([3, 700]), torch.zeros(()), context, none)
    assert found.shape == latent.shape
    alone = unet(latent[1:], torch.tensor([700]), torch.zeros(()), context[1:], none)
    torch.testing.assert_close(alone, found[1:], rtol=1e-4, atol=1e-5)
    for place in range(5):
        control = [torch.ones(()) if number == place else zero for number, zero in enumerate(none)]
        changed = unet(latent, torch.tensor([3, 700]), torch.zeros(()), context, control)
        assert float((changed - found).abs().max()) > 1e-4, place
    assert float((unet(latent, torch.tensor([3, 700]), draw(2, 32), context, none) - found).abs().max()) > 1e-4
