"""CALVIN's original simulator, from a user's checkout."""
