"""What pretraining and fine-tuning print in the end. (Here, as `training` prints no tables.)"""

from pathlib import Path

from firsthand.cli.console import say, table
from firsthand.common.ranks import rank
from firsthand.training.loop import TrainResult


def report(result: TrainResult, path: Path) -> None:
    """Print the final metrics and where the checkpoint is, in the first of the processes."""
    if rank():
        return
    if not result.taken:
        say(f"already finished: all {result.step} steps were taken before")
    rows = [(tag, f"{value:.5g}") for tag, value in sorted(result.metrics.items())]
    table(f"after {result.step} steps", ("figure", "value"), rows)
    if result.seconds:
        say(f"{result.seconds:.0f} s, {result.windows_per_second:.0f} windows a second")
    chosen = f", the lowest {result.best_by}," if result.best_by else ""
    say(f"best checkpoint: step {result.best_step}{chosen} in {path / 'checkpoints' / 'best'}")
    say(f"to look at it: tensorboard --logdir {path} --samples_per_plugin images=200")
