"""Every task a job of a real Slurm, of one node. `make test-cluster`."""

import re
import subprocess

import pytest
import slurm
from streams import Stream, make_light

HEAD = {"BEGIN", "COMMIT", "SUMMARY", "KEEP", "KEEP_REPORT"}

pytestmark = pytest.mark.skipif(slurm.missing() is not None, reason=str(slurm.missing()))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm.running(tmp_path_factory.mktemp("slurm")) as env:
        yield env


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """As the other tests' light pipeline, but asking Slurm more often."""
    copy = make_light(tmp_path_factory.mktemp("pipeline"))
    conf = copy / "conf/schedulers.config"
    conf.write_text(conf.read_text().replace("pollInterval = '10 sec'", "pollInterval = '1 sec'"))
    return copy


@pytest.fixture
def stream(light, screen, cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", cluster["SLURM_CONF"])
    run = Stream(light, screen, tmp_path / "run")
    run.profile = "slurm,venv"
    return run


def jobs(stage):
    """Numbers of the jobs of a stage that run."""
    listed = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%A %j"], check=True, capture_output=True, text=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if f"_{stage}_" in line]


def scripts(run):
    """Process -> .command.run of one of its tasks."""
    texts = [path.read_text() for path in run.folder.glob("work/*/*/.command.run")]
    return {re.search(r"### name: '(?:\w+:)*(\w+)", text)[1]: text for text in texts}


@pytest.mark.full
def test_a_job_that_is_cancelled_is_tried_again(stream, whole):
    stream.start("--batch_size", 4, SECONDS="4")
    slurm.wait_until(lambda: list(stream.folder.glob("work/*/*/labels")))  # at work: before, Nextflow's own trap fails
    (job, *_others) = jobs("SEGMENT")
    subprocess.run(["scancel", job], check=True)
    run = stream.end()
    assert run.code == 0, run.said
    assert re.search(r"SEGMENT.*Execution is retried", run.said)
    assert {name for name, text in scripts(run).items() if "#SBATCH" not in text} == HEAD
    assert run.cells == whole.cells


@pytest.mark.full
def test_a_head_that_is_killed_goes_on_where_its_jobs_were(stream, whole):
    stream.start("--batch_size", 2, SECONDS="1").wait_for(" (b", 9)
    stream.kill()
    finished = stream.committed
    slurm.wait_until(lambda: not slurm.said(None, "squeue", "-h"))
    run = stream.run("--batch_size", 2, "-resume")
    assert run.code == 0, run.said
    assert finished.items() <= run.committed.items()
    assert "Cached process > SCREEN:" in run.said
    assert run.cells == whole.cells


@pytest.mark.parametrize("by", ["environment", pytest.param("configuration", marks=pytest.mark.full)])
def test_only_tasks_that_can_use_a_gpu_ask_for_one_beside_the_options_of_the_site_and_they_take_turns(
    by, stream, monkeypatch, tmp_path
):
    stream.profile, options = "slurm,venv,gpu", ["--batch_size", 4]
    if by == "environment":
        monkeypatch.setenv("SLURM_ACCOUNT", "lab")
    else:  # with which only the older parser knows our profiles
        (tmp_path / "site.config").write_text('process.clusterOptions = { "--account=lab" }')
        options += ["-c", tmp_path / "site.config"]
    run = stream.run(*options, NXF_SYNTAX_PARSER="v2" if by == "environment" else "v1")
    assert run.code == 0, run.said
    jobs = {name: text for name, text in scripts(run).items() if "#SBATCH" in text}
    assert {name for name, text in jobs.items() if "#SBATCH --account=lab --gres=gpu:1\n" in text} == {
        "SEGMENT",
        "EMBED",
    }
    assert all("#SBATCH --account=lab" in text for text in jobs.values())
    assert not any("gpu_lock.sh" in text for text in jobs.values())
