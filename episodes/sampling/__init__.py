"""Which windows are read, from which recordings, in which order."""
