"""Small models, made once for all tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import Quantisation
from tests.support.checkpoints import Shape, write_checkpoint

Importer = Callable[..., tuple[Path, ModelPackage]]


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Importer:
    """Makes (checkpoint folder, package) of a shape and a quantisation; each only once."""
    made: dict[tuple[str, Quantisation], tuple[Path, ModelPackage]] = {}

    def make(shape: Shape, quantisation: Quantisation = "f32") -> tuple[Path, ModelPackage]:
        key = (repr(shape), quantisation)
        if key not in made:
            folder = tmp_path_factory.mktemp("model")
            source = write_checkpoint(folder / "source", shape)
            made[key] = (source, import_folder(source, Library(folder / "library"), quantisation=quantisation))
        return made[key]

    return make
