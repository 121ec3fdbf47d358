"""FusionMamba, fusion with state space models (Peng et al., TGRS 2024): one part of the network a file."""
