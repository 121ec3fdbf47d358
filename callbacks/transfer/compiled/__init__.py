"""The transfer's inner loops in C++ for CPUs, compiled on the machine they run on."""
