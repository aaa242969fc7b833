"""The trainer needs the extra `train`; where that is not installed, its tests are not there either."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["test_train.py"]
