"""Random image-to-text models, saved by `save_pretrained` as a user would have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = ("red", "green", "blue", "grey", "balloons", "cloth", "beads", "on", "in", "a", "table", "wall", "of", "glass")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")
SIDE = 16

VISION = {
    "image_size": SIDE,
    "patch_size": 4,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
TEXT = {
    "vocab_size": len(WORDS) + len(SPECIAL),
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
}
TOKENS = {"pad_token_id": 0, "bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3}


def _words(*special: str) -> Any:  # noqa: ANN401
    from transformers import BertTokenizer

    vocabulary = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
    return BertTokenizer(vocab=vocabulary, additional_special_tokens=["[DEC]", *special])


def _outspoken(network: Any) -> Any:  # noqa: ANN401
    """The network with weights so large that pictures change its words, and with no end of a sentence."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "bias" in name:
                parameter.zero_()
            elif "norm" not in name.lower():
                parameter.normal_(0, 3.0 if "crossattention" in name else 0.5)
            if name.endswith(("predictions.bias", "decoder.bias")):
                parameter[: len(SPECIAL)] = -100
    return network


def save_blip(folder: Path) -> Path:
    """A BLIP, whose processor makes pictures and prompts one input."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    text = {**TEXT, **TOKENS, "encoder_hidden_size": 16}
    config = transformers.BlipConfig(text_config=text, vision_config=VISION)
    _outspoken(transformers.BlipForConditionalGeneration(config)).save_pretrained(folder)
    images = transformers.BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    transformers.BlipProcessor(images, _words()).save_pretrained(folder)
    return folder


def save_encoder_decoder(folder: Path) -> Path:
    """A vision encoder and text decoder, which has no processor of its own."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    decoder = transformers.BertConfig(**TEXT, is_decoder=True, add_cross_attention=True)
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        transformers.ViTConfig(**VISION), decoder
    )
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 0, 3
    _outspoken(transformers.VisionEncoderDecoderModel(config)).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    _words().save_pretrained(folder)
    return folder


CHAT = (
    "{% for m in messages %}{% for c in m.content %}{{ '<image>' if c.type == 'image' else ' ' + c.text }}"
    "{% endfor %}{% endfor %} wall"
)


def save_chat(folder: Path) -> Path:
    """A LLaVA, which is asked about a picture."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    tokenizer = _words("<image>")
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=transformers.LlamaConfig(**{**TEXT, "vocab_size": len(tokenizer)}, pad_token_id=0, eos_token_id=3),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    _outspoken(transformers.LlavaForConditionalGeneration(config)).save_pretrained(folder)
    images = transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = transformers.LlavaProcessor(
        images,
        tokenizer,
        patch_size=4,
        vision_feature_select_strategy="default",
        chat_template=CHAT,
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    return folder
