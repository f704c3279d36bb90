"""One HDF5 file of episodes: its layout, its reader and writer, its checksums."""
