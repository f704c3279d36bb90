"""CALVIN's desk and arm as a gymnasium environment."""
