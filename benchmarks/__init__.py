"""Side-by-side measurements, each comparing what it compares within one run."""
