"""Learning from demonstrations: behaviour cloning together with the video loss."""
