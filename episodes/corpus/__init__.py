"""Many recordings as one: manifest, index, statistics, stored features, files elsewhere."""
