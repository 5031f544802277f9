"""What is installed is what was locked: every file by its checksum, from whatever registry."""

import re
from pathlib import Path

import pytest

LOCKS = sorted(Path(__file__).parents[2].glob("containers/*/requirements.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_a_lock_has_the_checksum_of_every_package_and_names_no_registry(lock):
    text = lock.read_text()
    packages = re.findall(r"^[a-z0-9].*(?:\n    (?!#).*)*", text, re.MULTILINE)
    assert len(packages) > 15
    assert all(re.fullmatch(r"\S+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+", package) for package in packages)
    assert "://" not in text
