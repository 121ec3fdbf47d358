"""Tables of the papers as YAML, run where they are not yet, and kept in a store that a page is made of."""
