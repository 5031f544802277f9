"""What profiles make of a task, as far as it shows without the engine: a stand-in only runs what it is given."""

import functools
import os
import re
import subprocess

import pytest
from runs import ROOT, Run, screen_options

from make_screen import make_screen

REPORTS = ("dag", "report", "timeline", "trace")

# Mounts what is a folder, and leaves out its own options: what follows the image is the command. It fails to start PLAN
# and FETCH once, as Apptainer fails where a node's mounts do.
STAND_IN = """#!/bin/bash
if [[ $1 == pull ]]; then touch "$3"; exit; fi
count=$(($(cat "$0.count" 2>/dev/null) + 1)); echo $count >"$0.count"
if ((count == 1 || count == 3)); then echo "FATAL: while mounting image"; exit 255; fi
while [[ $1 != *.img ]]; do [[ $1 != -B || -d $2 ]] || exit 255; shift; done
exec "${@:2}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Process -> .command.run of a task, of a run by Singularity with a GPU; and the folder of its images."""
    folder = tmp_path_factory.mktemp("singularity")
    make_screen(folder / "screen", plates=["DM0001_01"], wells=[3], frames=1, shape=(64, 64))
    (folder / "singularity").write_text(STAND_IN)
    (folder / "singularity").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{ROOT}/.venvs/acquire/bin:{os.environ['PATH']}")
        patch.setenv("NXF_SINGULARITY_CACHEDIR", str(folder / "images"))
        patch.setenv("TMPDIR", str(folder / "scratch of mine"))
        options = screen_options(folder / "screen", illumination="none", diameter=22, bit_depth=8)
        run = Run(folder / "run", *options, "-stub", profile="singularity,gpu")
    assert run.code == 0, run.said
    assert run.said.count("terminated with an error exit status (255) -- Execution is retried (1)") == 2
    texts = [path.read_text() for path in run.folder.glob("work/*/*/.command.run")]
    return {re.search(r"### name: '(?:\w+:)*(\w+)", text)[1]: text for text in texts}, folder / "images"


def launch(script):
    """The line that starts the container; None if there is none."""
    found = re.search(r"^.*singularity exec.*$", script, re.MULTILINE)
    return found and found[0]


def test_only_tasks_that_can_use_a_gpu_are_given_one(scripts):
    given = {process for process, script in scripts[0].items() if "--nv" in (launch(script) or "")}
    assert given == {"SEGMENT", "EMBED"}


def test_a_container_has_no_home_but_the_folder_of_its_task(scripts):
    contained = {process: script for process, script in scripts[0].items() if launch(script)}
    assert set(scripts[0]) - set(contained) == {"BEGIN", "COMMIT", "SUMMARY", "KEEP", "KEEP_REPORT"}
    for script in contained.values():
        assert "--no-home" in launch(script)
        assert '\nexport HOME="\\$PWD"\n' in script
        assert "cd $NXF_TASK_WORKDIR; eval $(nxf_container_env)" in launch(script)


def test_a_container_has_the_folder_for_temporary_files_where_there_is_one(scripts):
    for script in filter(launch, scripts[0].values()):
        assert '${TMPDIR:+-B "$TMPDIR"}' in launch(script)
        assert script.index("|| unset TMPDIR\n") < script.index("(nxf_launch |")


def test_images_are_fetched_once_into_the_folder_named_for_them(scripts):
    assert len(list(scripts[1].glob("*.img"))) == 3


@functools.cache
def config(profiles, parser="v1", **variables):
    env = os.environ | {"NXF_SYNTAX_PARSER": parser} | variables
    command = [ROOT / "engine/nextflow", "config", "-flat", "-profile", profiles, ROOT]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    return re.sub("^WARN.*\n", "", said, flags=re.MULTILINE)


@pytest.mark.parametrize("profiles", ["docker,slurm,gpu", "singularity,gpu"])
def test_profiles_say_the_same_to_both_parsers_and_take_nothing_away(profiles):
    older, newer = (set(config(profiles, parser).splitlines()) for parser in ("v1", "v2"))
    assert {line.split(" = ")[0] for line in older ^ newer} <= {f"{name}.file" for name in REPORTS}  # with the time
    kept = {line.split(" = ")[0] for line in config("standard").splitlines() if line.startswith("process.")}
    assert kept <= {line.split(" = ")[0] for line in older}


@pytest.mark.parametrize("more", ["", ",gpu"])
def test_a_container_is_told_the_proxies_and_which_gpu_is_its_own(more):
    engines = ("docker", "podman", "singularity", "apptainer")
    for engine in engines:
        told = re.search(rf"\n{engine}.envWhitelist = '(.*)'\n", config(",".join(engines) + more))[1].split(",")
        assert {"https_proxy", "HTTPS_PROXY", "no_proxy", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"} <= set(told)


@pytest.mark.parametrize("engine", ["singularity", "apptainer"])
def test_nothing_but_the_label_gpu_asks_for_a_gpu(engine):
    said = config(f"{engine},gpu")
    assert f"\n{engine}.enabled = true\n" in said
    assert "\nenv.HOME = '$PWD'\n" in said
    settings = re.split(r"\n(?=\w)", said)  # a closure goes on in lines that are indented
    assert {text.split(" = ")[0] for text in settings if "--nv" in text or ".accelerator = " in text} == {
        "process.'withLabel:gpu'.accelerator",
        "process.'withLabel:gpu'.containerOptions",
    }


@pytest.mark.parametrize(
    "profiles, resolved",
    [
        ("slurm", {"SLURM_PARTITION": "process.queue"}),
        (
            "k8s,googlebatch,awsbatch",  # the last of them has the queue
            {
                "K8S_CLAIM": "k8s.storageClaimName",
                "GOOGLE_CLOUD_PROJECT": "google.project",
                "AWS_BATCH_QUEUE": "process.queue",
            },
        ),
    ],
)
def test_what_belongs_to_a_site_comes_from_its_environment(profiles, resolved):
    settings = config(f"{profiles},singularity,gpu", **{name: f"our {name}" for name in resolved}).splitlines()
    assert {f"{setting} = 'our {name}'" for name, setting in resolved.items()} <= set(settings)
    assert "process.'withLabel:head'.executor = 'local'" in settings


GOOGLE = {  # variable -> (value, setting)
    "GOOGLE_CLOUD_PROJECT": ("lab", "google.project = 'lab'"),
    "GOOGLE_LOCATION": ("us-central1", "google.location = 'us-central1'"),
    "GOOGLE_NETWORK": ("net", "google.batch.network = 'net'"),
    "GOOGLE_SUBNETWORK": ("sub", "google.batch.subnetwork = 'sub'"),
    "GOOGLE_PRIVATE_ADDRESS": ("true", "google.batch.usePrivateAddress = true"),
    "GOOGLE_SERVICE_ACCOUNT": ("me@lab.com", "google.batch.serviceAccountEmail = 'me@lab.com'"),
    "GOOGLE_SPOT": ("true", "google.batch.spot = true"),
    "GOOGLE_MACHINE_TYPE": ("n1-standard-8", "process.machineType = 'n1-standard-8'"),
}
GPU = {"GOOGLE_GPU": "nvidia-tesla-t4", "GOOGLE_GPU_COUNT": "2"}


@pytest.mark.parametrize("parser", ["v1", "v2"])
def test_google_batch_takes_each_key_of_deepcell_imagings_configuration_from_the_environment(parser):
    said = config("googlebatch,gpu", parser, **{name: value for name, (value, _) in GOOGLE.items()}, **GPU)
    assert [setting for _, setting in GOOGLE.values() if setting not in said] == []
    asked = "".join(re.findall(r"^process.'withLabel:gpu'.accelerator.*$", said, re.MULTILINE))  # in one line or two
    assert re.search("request(:| = )2", asked) and re.search("type(:| = )'nvidia-tesla-t4'", asked)
    assert "google.batch.maxSpotAttempts = 3" in said
    without = config("googlebatch,gpu", parser, **dict.fromkeys([*GOOGLE, *GPU], ""))
    assert "google.batch.spot = false" in without and "'withLabel:gpu'.accelerator = 1\n" in without


ASK = """
process ASK {
    label 'gpu'
    accelerator 1
    output:
    stdout
    script:
    "echo '<${task.clusterOptions}>'"
}
workflow { ASK().view() }
"""


CLOSURE = "{ [\"--account=${params.lab}\", task.cpus > 1 ? '--exclusive' : null] }"


@pytest.mark.parametrize(
    "site, options, parser",
    [
        (CLOSURE, "--account=lab --gres=gpu:1", "v1"),
        (CLOSURE, "--account=lab --gres=gpu:1", "v2"),
        ("['--account=lab', '--exclude=node7']", "--account=lab --exclude=node7 --gres=gpu:1", "v2"),
        ("null", "--gres=gpu:1", "v1"),
    ],
    ids=["closure, v1", "closure, v2", "list", "null"],
)
def test_a_request_for_a_gpu_stands_beside_the_options_of_a_site_however_they_are_written(
    site, options, parser, tmp_path
):
    conf = f"""
includeConfig '{ROOT}/conf/schedulers.config'
params.lab = 'lab'
profiles {{
    site {{
        process.executor = 'local'                  // it runs the task, and shows what Slurm would be given
        process.clusterOptions = {site}
    }}
}}
"""
    (tmp_path / "nextflow.config").write_text(conf)
    (tmp_path / "main.nf").write_text(ASK)
    command = [ROOT / "engine/nextflow", "-q", "run", ".", "-profile", "slurm,site", "-ansi-log", "false"]
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"NXF_SYNTAX_PARSER": parser}
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.strip() == f"<{options}>"
