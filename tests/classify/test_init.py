import subprocess
import sys

import pytest

import classify


@pytest.mark.parametrize("name", classify.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(classify, name).__doc__


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="No classify attribute nothing"):
        _ = classify.nothing


@pytest.mark.parametrize("module", ["classify", "classify.cli"])
def test_importing_costs_no_heavy_library(module: str) -> None:
    code = f"import {module}, sys; print({{'torch', 'numpy', 'h5py', 'sklearn'}} & set(sys.modules))"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert found.strip() == "set()"
