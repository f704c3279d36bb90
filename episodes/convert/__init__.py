"""From a dataset of others to a corpus: items, shards, splits, a report."""
