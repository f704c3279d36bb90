"""Pretraining, fine-tuning and evaluation on this machine, small."""

from firsthand.cli.console import say
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.demo import report as demo_report
from firsthand.demo.demo import DemoConfig, demo

SCHEMA = Schema(DemoConfig)


def execute(config: DemoConfig, run: Run) -> None:
    """Run the stages, print the table, write the report."""
    result = demo(config, run.path)
    demo_report.show(result)
    report = demo_report.write(result, run.path)
    say(f"{sum(result.seconds.values()) / 60:.1f} minutes; the report: {report}")
    say(f"to look at it: tensorboard --logdir {run.path} --samples_per_plugin images=200")
