"""The selective scan as a C++ loop for CPUs, compiled on the machine it runs on."""
