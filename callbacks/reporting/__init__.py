"""What a run shows a person: results tables, pictures, progress, what loggers are given."""
