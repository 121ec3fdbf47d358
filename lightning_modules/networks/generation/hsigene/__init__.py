"""HSIGene (Pang et al., arXiv 2409.12470): the latent diffusion model that generates 48-band cubes, one file a part."""
