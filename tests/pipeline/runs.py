"""Runs of the whole pipeline, as a user starts them."""

import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pandas as pd

from repository import ROOT

ORDER = ["Metadata_Plate", "Metadata_WellNumber", "Metadata_Site", "Metadata_Frame", "Metadata_Label"]


class Results:
    """What a run leaves in a folder of its own; those of its subclasses start it."""

    @property
    def out(self):
        return self.folder / "results"

    @property
    def tasks(self):
        """Process -> how many tasks the last run ran."""
        trace = pd.read_table(max(self.out.glob("pipeline_info/trace_*.tsv")))
        return trace["name"].str.extract(r"(\w+)(?: \(|$)")[0].value_counts().to_dict()


class Run(Results):
    """One `nextflow run` in a folder of its own, ended."""

    def __init__(self, folder, *options, parser="v2", profile="venv", pipeline=ROOT):
        folder.mkdir(exist_ok=True)
        command = [ROOT / "engine/nextflow", "run", pipeline, "-profile", profile, "-ansi-log", "false"]
        command += map(str, options)
        env = os.environ | {"NXF_SYNTAX_PARSER": parser}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        self.folder, self.code, self.said = folder, done.returncode, done.stdout + done.stderr

    @property
    def images(self):
        return pd.read_table(self.out / "images.tsv")

    @property
    def cells(self):
        """The cell tables, sorted, without the partition's column."""
        table = pd.read_parquet(self.out / "profiles/single_cells").drop(columns="plate")
        return table.sort_values(ORDER, ignore_index=True)


def kill(folder, process, *options):
    """Start a run in a folder, and kill its head as soon as a task of a PROCESS has begun."""
    folder.mkdir(exist_ok=True)
    command = [ROOT / "engine/nextflow", "run", ROOT, "-profile", "venv", "-ansi-log", "false", *options]
    log = folder / "log"
    with open(log, "w") as file:
        words, env = [str(word) for word in command], os.environ | {"NXF_SYNTAX_PARSER": "v2"}
        head = subprocess.Popen(words, cwd=folder, env=env, stdout=file, stderr=file, start_new_session=True)
    while not re.search(rf"Submitted process > [\w:]*:{process} ", log.read_text()):
        assert head.poll() is None, "it has ended"
        time.sleep(0.05)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()


def screen_options(screen, source=None, table="data_to_process.tsv", **params):
    """Options of a run on a screen laid out as the archive's."""
    screens = next(path for path in screen.glob("*.tsv") if path.name in ("screens.tsv", "example-plates.tsv"))
    given = {"input": screen / table, "screens": screens, "study": "example", "source": source or screen}
    given |= {"camera_offset": 6}  # what both the demo's camera and the kit's give without light
    given |= {"well_profiles": "none"} | params
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def image(tool):
    """Name of a tool's container image."""
    version = re.search(r"\bversion *= '(.+)'", (ROOT / "nextflow.config").read_text())[1]
    return f"{os.environ.get('IDRSTREAM_REGISTRY') or 'ghcr.io/idrstream'}/{tool}:{version}"


def podman_has(tool):
    """Whether podman is here, with the image of a tool."""
    here = shutil.which("podman")
    return here and not subprocess.run(["podman", "image", "exists", image(tool)]).returncode


def rms(ratio):
    return float(np.sqrt(np.mean((ratio - 1) ** 2)))
