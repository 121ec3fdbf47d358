"""HIR-Diff: zero-shot restoration by a pretrained diffusion model of three bands of the cube."""
