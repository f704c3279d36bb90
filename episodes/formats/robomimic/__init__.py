"""Demonstrations of robomimic (Mandlekar et al. 2021) and LIBERO (Liu et al. 2023)."""
