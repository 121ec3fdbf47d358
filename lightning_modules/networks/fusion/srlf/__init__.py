"""SRLF-Net, selective re-learning (Liu, Liu, Dian, Li, CVPR 2025): one part of the network a file."""
