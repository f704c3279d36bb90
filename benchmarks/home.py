"""How long a home takes to render: frames a second, and hours of experience for SAYCam-S's size.

    python -m firsthand.benchmarks.home                    # an hour at 96 and at 224 pixels
    python -m firsthand.benchmarks.home --hours 33.3 --sizes 96

An hour of experience is 18,000 frames, SAYCam-S has 600,000. Test sets are not rendered: their time
does not grow with the hours.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from firsthand.synthetic.home.corpus import HomeConfig, make_home

SAYCAM = 600_000  # frames


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the rendering of a home.")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 224], help="pixels")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    for size in chosen.sizes:
        with tempfile.TemporaryDirectory(prefix="home_") as folder:
            config = HomeConfig(
                hours=chosen.hours, size=size, evaluation=False, workers=chosen.workers
            )
            begun = time.perf_counter()
            out = make_home(config, Path(folder) / "home")
            seconds = time.perf_counter() - begun
            frames = json.loads((out / "home.json").read_text())["frames"]
            megabytes = sum(path.stat().st_size for path in out.rglob("*.jpg")) / 1e6
        print(
            f"{size} pixels, {chosen.workers} workers: {frames} frames in {seconds / 60:.1f} "
            f"minutes, {megabytes:.0f} MB; at this pace {SAYCAM} take "
            f"{SAYCAM / frames * seconds / 60:.0f} minutes"
        )


if __name__ == "__main__":
    main()
