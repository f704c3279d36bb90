"""CALVIN's recordings (Mees et al. 2022)."""
