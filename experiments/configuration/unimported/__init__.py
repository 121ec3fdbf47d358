"""Answers that need no torch: help, `--print_config` and refusals, read from the sources of the classes they are about.

Importing torch and Lightning takes longer than a person waits for a help text. What a configuration may hold is written
in the signatures of classes, and those can be read without running them. Whatever cannot be read with certainty raises
`UncertainError`, and the parser itself answers.
"""
