"""The experiments: the `lightning` command, the YAML files of both papers, and the reports."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
