"""From YAML files and arguments to the objects of a run, and the sentences about mistakes in them."""
