"""Recordings on disk: one HDF5 layout, readers for foreign formats, the window sampler."""
