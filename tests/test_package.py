"""`import kdropout` loads the core and leaves optional packages to their first use."""

import importlib
import inspect
import subprocess
import sys

import pytest

import kdropout

pytestmark = pytest.mark.on_one_backend

# Slow to import, or absent from a plain installation.
OPTIONAL = ("keras_tuner", "matplotlib", "pydantic", "ray", "sklearn", "tensorboard")


@pytest.mark.slow
def test_import_loads_no_optional_package():
    program = (
        "import sys, keras\n"
        "before = set(sys.modules)\n"  # Keras imports some itself
        "import kdropout\n"
        f"brought = set({OPTIONAL}) & (set(sys.modules) - before)\n"
        "assert not brought, brought\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
def test_tuning_is_available_after_import_of_kdropout():
    program = (
        "import sys, kdropout\n"
        "assert 'kdropout.tuning' not in sys.modules\n"
        "assert kdropout.tuning.Rates(0.0, 0.5).high == 0.5\n"
        "assert kdropout.testing.check_layer\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_dir_shows_the_public_names():
    assert {"convert", "layers", "mc_predict", "tuning"} <= set(dir(kdropout))
    assert not {"inspection", "validation", "noise"} & set(dir(kdropout))
    assert all(hasattr(kdropout, name) for name in dir(kdropout))


@pytest.mark.parametrize(
    "name",
    ["callbacks", "inference", "layers", "rate_rules", "schedules", "tuning"],
)
def test_dir_of_a_package_shows_its_exports(name):
    package = importlib.import_module(f"kdropout.{name}")
    assert set(package.__all__) <= set(dir(package))
    assert not [
        name
        for name in dir(package)
        if name.startswith("_") or inspect.ismodule(getattr(package, name))
    ]


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="'kdropout' has no attribute 'Dropout'"):
        kdropout.Dropout  # noqa: B018
