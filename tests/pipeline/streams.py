"""Runs of the pipeline without its networks, which may be disturbed; for the tests of the stream and of faults."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
from runs import ORDER, ROOT, Results

WELLS = range(1, 9)
PARTS = ("bin", "lib", "modules", "workflows", "conf", "assets/studies", "assets/models", "assets/qc.yml", "main.nf")
PARTS += ("assets/multiqc.yml", "assets/multiqc.css", "nextflow.config", "nextflow_schema.json", "containers")
NO_REPORT = "#!/bin/sh\nmkdir -p report/qc/pictures && touch report/multiqc_report.html\n"


def copy_pipeline(copy, report=False):
    """Copy the pipeline into a folder; without REPORT, that is an empty page."""
    for part in PARTS:
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, copy / part)
    (copy / ".venvs").symlink_to(ROOT / ".venvs")
    if not report:
        (copy / "bin/report.py").write_text(NO_REPORT)
    return copy


def make_light(copy, report=False):
    """The same with its networks replaced by `light.py`."""
    copy_pipeline(copy, report)
    for command in ("segment", "embed", "measure"):
        light = copy / f"bin/screen_{command}.py"
        light.write_text(f"#!/usr/bin/env python3\n{Path(__file__).with_name('light.py').read_text()}")
        light.chmod(0o755)
    return copy


class Stream(Results):
    """A run of the light pipeline in a folder of its own, which may be killed."""

    profile, features = "venv", "deep"

    def __init__(self, light, screen, folder):
        self.light, self.screen, self.folder, self.runs = light, screen, folder, 0
        folder.mkdir(exist_ok=True)

    def asked(self):
        return ["--input", self.screen / "data_to_process.tsv", *self.place()]

    def place(self):
        """Where the movies of a table of wells lie."""
        return ["--screens", self.screen / "screens.tsv", "--source", self.screen, "--study", "example"]

    def start(self, *options, **env):
        words = [*self.asked(), "--illumination", "none", "--diameter", 22, "--well_profiles", "none"]
        words += ["--features", self.features, "--bit_depth", 8]
        command = [ROOT / "engine/nextflow", "run", self.light, "-profile", self.profile, "-ansi-log", "false"]
        self.runs += 1
        env = os.environ | {"NXF_SYNTAX_PARSER": "v2", "FAULT_LOG": str(self.folder / f"fault-{self.runs}")} | env
        words = [str(word) for word in (*command, *words, "--batch_size", 1, *options)]
        with open(self.folder / f"log-{self.runs}", "w") as log:
            self.head = subprocess.Popen(
                words, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def wait_for(self, words, times=1):
        """Wait until the head has said so, so many times."""
        while (self.folder / f"log-{self.runs}").read_text().count(words) < times:
            assert self.head.poll() is None, "it has ended"
            time.sleep(0.05)
        return self

    def end(self):
        self.code = self.head.wait()
        self.said = (self.folder / f"log-{self.runs}").read_text()
        return self

    def run(self, *options, **env):
        return self.start(*options, **env).end()

    def kill(self):
        os.killpg(self.head.pid, signal.SIGKILL)
        return self.end()

    @property
    def images(self):
        return pd.read_table(self.out / "images.tsv", keep_default_na=False)

    @property
    def committed(self):
        """Batch -> when its entry was written."""
        entries = [json.loads(path.read_text()) for path in (self.out / "ledger").glob("*.json")]
        return {entry["batch"]: entry["committed"] for entry in entries if entry["committed"]}

    @property
    def cells(self):
        table = pd.read_parquet(self.out / "profiles/single_cells").drop(columns="plate")
        return table.sort_values(ORDER, ignore_index=True).to_parquet()
