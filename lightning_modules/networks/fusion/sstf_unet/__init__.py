"""SSTF-Unet, spatial-spectral transformer U-Net (Liu, Feng, Dian, Li, TNNLS 2023): one part of the network a file."""
