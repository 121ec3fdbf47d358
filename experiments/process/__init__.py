"""The process of a command: what started it, its signals, what it prints, and the status that it ends with."""
