"""The experiments: the `lightning` command, the YAML files of both papers, and the reports."""

import torchvision_repair  # noqa: F401
