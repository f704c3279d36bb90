"""The choices of `firsthand convert source=`."""

from dataclasses import MISSING, fields

import pytest
import yaml

from firsthand.build.datasets import CHOICES


@pytest.mark.parametrize("name", CHOICES)
def test_the_file_of_a_source_shows_every_setting_with_its_default(project, name):
    shown = yaml.safe_load((project / "configs" / "source" / f"{name}.yaml").read_text())
    assert shown.pop("defaults") == [f"{name}_schema", "_self_"]
    assert shown.pop("root") == "${oc.select:root}"
    defaults = {f.name: f.default for f in fields(CHOICES[name]) if f.name != "root"}
    assert MISSING not in defaults.values()
    lists = {name: list(v) if isinstance(v, tuple) else v for name, v in defaults.items()}
    assert shown == lists
