"""Fusion networks: LR-HSI, HR-MSI and, where a network has one, a caption; pure torch."""
