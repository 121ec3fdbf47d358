"""CLIP: frozen towers, the blur-robust encoder, kept embeddings, prompts of tasks."""
