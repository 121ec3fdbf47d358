"""Networks that generate hyperspectral cubes; pure torch."""
