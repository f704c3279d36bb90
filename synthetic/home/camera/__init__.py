"""A child's head camera: how the head moves and what the camera sees."""
