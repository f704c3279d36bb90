"""First-person clips of a table with toys and a hand."""
