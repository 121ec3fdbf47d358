"""CO2IF, language-bridging fusion (Zhang, Yang, Gao, AAAI 2026): one part of the network a file."""
