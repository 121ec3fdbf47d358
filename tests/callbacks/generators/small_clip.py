"""A CLIP model of random weights on disk, in the layout of a downloaded one, and a small HSIGene checkpoint."""

from __future__ import annotations

import json
import string
from pathlib import Path

import torch

from tests.lightning_modules.networks.generation.hsigene_official import small_official_state


def write_small_clip(folder: Path, width: int = 16) -> str:
    """Write configuration, weights and a tokenizer of letters; tokens and images are embedded `width` wide."""
    from transformers import CLIPConfig, CLIPModel

    folder.mkdir(parents=True, exist_ok=True)
    layers = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": width,
    }
    letters = [*string.ascii_lowercase, *(letter + "</w>" for letter in string.ascii_lowercase)]
    vocabulary = [*letters, "<|startoftext|>", "<|endoftext|>"]
    first, last = len(letters), len(letters) + 1
    text = layers | {"vocab_size": len(vocabulary), "max_position_embeddings": 77}
    text |= {"bos_token_id": first, "eos_token_id": last, "pad_token_id": last}
    vision = layers | {"image_size": 24, "patch_size": 8}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=width)).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = {"tokenizer_class": "CLIPTokenizer", "bos_token": "<|startoftext|>", "model_max_length": 77}
    tokenizer |= {name: "<|endoftext|>" for name in ("eos_token", "unk_token", "pad_token")}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return str(folder)


def write_small_hsigene(path: Path) -> str:
    """Write random weights in the released layout."""
    state = small_official_state()
    torch.save({"state_dict": state | {"betas": torch.zeros(1000)}, "global_step": 1}, path)
    return str(path)
