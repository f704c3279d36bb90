"""A deterministic software rasteriser, and PyBullet worlds drawn with it."""
