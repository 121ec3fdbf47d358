"""The command `solver-table`: see `experiments.commands.solver_table.table`."""

from experiments.commands.solver_table.table import main

__all__ = ["main"]
