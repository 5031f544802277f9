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
    time { Needs.batch([images: 4], task) }

    script:
    "echo ${task.time} > time; echo \\$CUDA_VISIBLE_DEVICES \\$(date +%s.%N) > seen; sleep 1; date +%s.%N >> seen"
}

process MEASURE {
    time { Needs.batch([images: 4], task) }

    script:
    "echo ${task.time} > time"
}

process EMBED {
    label 'gpu'

    script:
    "echo \\$CUDA_VISIBLE_DEVICES \\$(date +%s.%N) > seen; sleep 1; date +%s.%N >> seen"
}

workflow {
    SEGMENT()
    EMBED()
    MEASURE()
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
    for folder in "conf", "lib":
        shutil.copytree(ROOT / folder, tmp_path / folder)
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
    times = [path.read_text() for path in project.glob("o*/work/*/*/time")]  # a wait does not count against any
    assert sorted(times) == ["1h 4m\n", "1h 4m\n", "null\n", "null\n"]
