"""The parts of the check, one a file; `check` of each is given a `Task` and notes what it finds."""
