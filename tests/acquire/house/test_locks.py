"""What is installed is what was locked: every file by its checksum, from whatever registry."""

import re
import subprocess

import pytest

from repository import ROOT

LOCKS = sorted(ROOT.glob("containers/*/requirements.txt"))


def test_the_wheels_that_the_docs_have_carried_along_are_named_as_pip_takes_them():
    root = LOCKS[0].parents[2]
    (command,) = re.findall(r"\$\((grep .*)\)", (root / "docs/performance.md").read_text())
    names = subprocess.run(["bash", "-c", command], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    assert len(names) == 6 and all(re.fullmatch(r"[\w-]+==[\w.]+", name) for name in names)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_a_lock_has_the_checksum_of_every_package_and_names_no_registry(lock):
    text = lock.read_text()
    packages = re.findall(r"^[a-z0-9].*(?:\n    (?!#).*)*", text, re.MULTILINE)
    assert len(packages) > 15
    assert all(re.fullmatch(r"\S+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+", package) for package in packages)
    assert "://" not in text
