"""The commands beside Lightning's own: one file a command."""
