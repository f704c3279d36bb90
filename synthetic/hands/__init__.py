"""First-person video of a person's hands that do CALVIN's tasks at desks of the same kind."""
