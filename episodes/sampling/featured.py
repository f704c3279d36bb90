"""Windows that carry stored features in the place of pictures."""

from dataclasses import replace

from firsthand.episodes.corpus.features import StoredFeatures
from firsthand.episodes.episode import Course, Window
from firsthand.episodes.sampling.order import Order
from firsthand.episodes.sampling.windows import Windows


class FeaturedWindows:
    """The windows of one corpus; what its futures show stays pictures: they are to be predicted."""

    def __init__(self, windows: Windows, features: StoredFeatures) -> None:
        self._windows, self._features = windows, features
        self.lanes = windows.lanes

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def decoded_bytes(self) -> int:
        return self._windows.decoded_bytes

    def order(self, seed: int, lanes: int | None = None) -> Order:
        return self._windows.order(seed, lanes)

    def keep_for(self, lanes: int) -> None:
        self._windows.keep_for(lanes)

    def course(self, index: int) -> Course:
        return self._windows.course(index)

    def __getitem__(self, index: int) -> Window:
        window = self._windows[index]
        recording, shown = self._windows.shown(index)
        features = {c: self._features.read(recording, c, shown) for c in window.frames}
        return replace(window, frames={}, features=features)
