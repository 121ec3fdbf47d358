"""Restoration networks, one file each; pure torch."""
