from firsthand.episodes.storage.merge import EpisodeWriter


def write(path, episodes, splits=("train", "valid", "train"), **kwargs):
    with EpisodeWriter(path, **kwargs) as writer:
        for episode, split in zip(episodes, splits, strict=True):
            writer.add(episode, split)
    return path
