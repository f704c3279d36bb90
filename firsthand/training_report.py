"""What pretraining and fine-tuning say when they are done."""

from pathlib import Path

from firsthand.console import say, table
from training.loop import TrainResult


def report(result: TrainResult, path: Path) -> None:
    """Print the final figures and where to look."""
    rows = [(tag, f"{value:.5g}") for tag, value in sorted(result.metrics.items())]
    table(f"after {result.step} steps", ("figure", "value"), rows)
    if result.seconds:
        say(f"{result.seconds:.0f} s, {result.windows_per_second:.0f} windows a second")
    say(f"best checkpoint: step {result.best_step} in {path / 'checkpoints' / 'best'}")
    say(f"to look at it: tensorboard --logdir {path} --samples_per_plugin images=200")
