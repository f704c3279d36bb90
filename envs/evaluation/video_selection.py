"""Which trials are filmed, and which of the videos are kept."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from firsthand.envs.evaluation.config import EvaluationConfig
from firsthand.envs.evaluation.records import Record
from firsthand.envs.evaluation.trials import RolloutJob, Trial


def job_with_videos(
    kind: str, records: Mapping[int, Record], config: EvaluationConfig, out: Path, trial: Trial
) -> RolloutJob:
    """Film a trial unless enough of those before it have made sure that no video will be kept."""
    before = Counter(
        record["success"]
        for record in records.values()
        if record["group"] == trial.group and record["index"] < trial.index
    )
    videos = {}
    for success, word in ((True, "success"), (False, "failure")):
        path = out / "videos" / f"{kind}-{trial.index:05d}-{trial.group}-{word}.mp4"
        wanted = config.cameras and before[success] < _limit(config, success)
        videos[success] = path if wanted else None
    return RolloutJob(trial, videos[True], videos[False])


def choose_videos(
    kind: str, records: dict[int, Record], config: EvaluationConfig, out: Path
) -> None:
    """Keep the videos of the first successes and failures of every group, and no others."""
    count: Counter[tuple[str, bool]] = Counter()
    for index in sorted(records):
        record = records[index]
        outcome = (record["group"], record["success"])
        count[outcome] += 1
        if count[outcome] > _limit(config, record["success"]):
            records[index] = record | {"video": None}
    kept = {record["video"] for record in records.values()}
    for path in (out / "videos").glob(f"{kind}-*.mp4*"):
        if f"videos/{path.name}" not in kept:
            path.unlink()


def _limit(config: EvaluationConfig, success: bool) -> int:
    limit = config.success_videos if success else config.failure_videos
    return sys.maxsize if limit is None else limit
