"""A Slurm of one node, with a GPU that is none, for as long as a test wants it."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "scontrol", "sbatch", "squeue")
MEMORY = 16_000  # MB that the node says it has

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """Why there can be none here, or None."""
    absent = [name for name in PROGRAMS if not (shutil.which(name) or Path("/usr/sbin", name).exists())]
    if absent:
        return f"{', '.join(absent)} not installed (.ci/cluster does it)"
    return None if os.geteuid() == 0 else "Slurm's daemons want root"


@contextmanager
def running(folder):
    """Start it in FOLDER; yields the environment in which its commands find it."""
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "gpu0").touch()
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={folder}/gpu0\n")
    settings = {"host": host, "ports": free_ports(2), "folder": folder, "cpus": os.cpu_count(), "memory": MEMORY}
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(**settings))
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    folder.chmod(0o755)
    munged = ["--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key"]
    munged += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    env = os.environ | {"SLURM_CONF": str(conf)}
    with ExitStack() as daemons:
        for name, *options in (["munged", *munged], ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]):
            daemons.enter_context(daemon(name, options, env, folder))
            time.sleep(1)
        wait_until(lambda: "idle" in said(env, "sinfo", "-h", "-o", "%T"))
        yield env


@contextmanager
def daemon(name, options, env, folder):
    program = shutil.which(name) or f"/usr/sbin/{name}"
    with open(folder / f"{name}.said", "w") as log:
        process = subprocess.Popen([program, *options], env=env, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def said(env, *command):
    return subprocess.run(command, env=env, capture_output=True, text=True).stdout


def wait_until(there, seconds=60):
    for _ in range(10 * seconds):
        if found := there():
            return found
        time.sleep(0.1)
    raise TimeoutError


def free_ports(count):
    with ExitStack() as sockets:
        opened = [sockets.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]
