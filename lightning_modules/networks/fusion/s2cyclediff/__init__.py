"""S2CycleDiff, spatial-spectral bilateral cycle diffusion (Qu et al., AAAI 2024): one part of the network a file."""
