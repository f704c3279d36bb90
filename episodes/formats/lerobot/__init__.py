"""Datasets of LeRobot (Cadene et al. 2024), read and written."""
