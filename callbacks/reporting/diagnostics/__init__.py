"""Drawings of what the stages made: embeddings, spectra, distances."""
