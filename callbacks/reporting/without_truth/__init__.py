"""Whether adaptation helped, estimated from noisy observations alone."""
