"""From names in settings to objects: corpora, datasets, policies, actors."""
