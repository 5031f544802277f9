"""A GPU of this machine is one task's at a time, whosever the others are. No GPU is needed to see it."""

import itertools
import os
import shutil
import subprocess

import pytest
from runs import ROOT

PROJECT = """
process SEGMENT {
    label 'gpu'

    input:
    val x

    script:
    "echo segment \\$CUDA_VISIBLE_DEVICES \\$(date +%s.%N) >> $x; sleep 1; date +%s.%N >> $x"
}

process EMBED {
    label 'gpu'

    input:
    val x

    script:
    "echo embed \\$CUDA_VISIBLE_DEVICES \\$(date +%s.%N) >> $x; sleep 1; date +%s.%N >> $x"
}

workflow {
    SEGMENT(params.out + '/segment')
    EMBED(params.out + '/embed')
}
"""


@pytest.fixture
def project(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "main.nf").write_text(PROJECT)
    (tmp_path / "nextflow.config").write_text("includeConfig 'conf/base.config'\nincludeConfig 'conf/engines.config'\n")
    return tmp_path


def run(project, devices, *names):
    """(device, start, end) of the tasks of runs that go on at the same time."""
    env = os.environ | {"CUDA_VISIBLE_DEVICES": devices, "IDRSTREAM_LOCKS": str(project / "locks")}
    heads = []
    for name in names:
        (project / name).mkdir()
        command = [ROOT / "engine/nextflow", "run", project, "-profile", "venv", "--out", project / name]
        heads.append(subprocess.Popen(command, cwd=project / name, env=env | {"NXF_SYNTAX_PARSER": "v2"}))
    assert [head.wait() for head in heads] == [0] * len(names)
    found = [(project / name / task).read_text().split() for name in names for task in ("segment", "embed")]
    return sorted((device, float(start), float(end)) for _, device, start, end in found)


def test_tasks_of_two_processes_and_of_two_runs_take_one_gpu_in_turn(project):
    tasks = run(project, "0", "one", "other")
    assert [device for device, _, _ in tasks] == ["0"] * 4
    assert all(end <= start for (_, _, end), (_, start, _) in itertools.pairwise(tasks))


def test_two_tasks_have_two_gpus_between_them(project):
    tasks = run(project, "2,5", "one")
    assert [device for device, _, _ in tasks] == ["2", "5"]
