"""A GPU of this machine is one task's at a time, whosever the others are. No GPU is needed to see it."""

import itertools
import os
import shutil
import subprocess

import pytest
from runs import ROOT, image, podman_has

PROJECT = """
process SEGMENT {
    label 'gpu'

    script:
    "echo \\$CUDA_VISIBLE_DEVICES \\$(date +%s.%N) > seen; sleep 1; date +%s.%N >> seen"
}

process EMBED {
    label 'gpu'

    script:
    "echo \\$CUDA_VISIBLE_DEVICES \\$(date +%s.%N) > seen; sleep 1; date +%s.%N >> seen"
}

workflow {
    SEGMENT()
    EMBED()
}
"""

CONFIG = """
includeConfig 'conf/base.config'
includeConfig 'conf/engines.config'
includeConfig 'conf/gpu.config'
profiles {
    none {                              // there is no GPU to hand to a container
        process {
            withLabel: gpu { container = '%s'; containerOptions = null }
        }
    }
}
"""


@pytest.fixture(params=[("venv", "v2"), ("podman,gpu,none", "v1")])
def profile(request):
    if request.param[0] != "venv" and not podman_has("acquire"):
        pytest.skip("podman or its image of acquire is not here (make images ENGINE=podman TOOLS=acquire)")
    return request.param


@pytest.fixture
def project(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "main.nf").write_text(PROJECT)
    (tmp_path / "nextflow.config").write_text(CONFIG % image("acquire"))
    return tmp_path


def run(project, profile, devices, *names):
    """(device, start, end) of the tasks of runs that go on at the same time."""
    profiles, parser = profile
    env = os.environ | {
        "NXF_SYNTAX_PARSER": parser,
        "CUDA_VISIBLE_DEVICES": devices,
        "IDRSTREAM_LOCKS": str(project / "locks"),
    }
    heads = []
    for name in names:
        (project / name).mkdir()
        command = [ROOT / "engine/nextflow", "run", project, "-profile", profiles]
        heads.append(subprocess.Popen(command, cwd=project / name, env=env))
    assert [head.wait() for head in heads] == [0] * len(names)
    found = [path.read_text().split() for name in names for path in (project / name).glob("work/*/*/seen")]
    return sorted((device, float(start), float(end)) for device, start, end in found)


def test_tasks_of_two_processes_and_of_two_runs_share_two_gpus_each_in_turn(project, profile):
    tasks = run(project, profile, "2,5", "one", "other")
    assert len(tasks) == 4 and {device for device, _, _ in tasks} == {"2", "5"}
    for (device, _, end), (following, start, _) in itertools.pairwise(tasks):
        assert following != device or end <= start
