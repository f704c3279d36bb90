"""Files of others, read without trusting them."""
