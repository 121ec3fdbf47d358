"""BDT, bidirectional dilation transformer (Deng et al., IJCAI 2023): one part of the network a file."""
