"""Java in a process of ours: it starts with the first image that needs it, and ends with the process."""

import subprocess
import sys

import pytest

from support import needs_java

IMPORT = "import threading; from idrstream.readers import bioformats"
HERE = "bioformats.java()"
IN_A_THREAD = "thread = threading.Thread(target=bioformats.java); thread.start(); thread.join()"


@needs_java
@pytest.mark.parametrize("start", [HERE, IN_A_THREAD], ids=["main", "another"])
def test_a_process_ends_whichever_of_its_threads_has_started_java(start):
    script = f"import sys; sys.path[:0] = {sys.path!r}; {IMPORT}; {start}; print('done')"
    run = subprocess.run([sys.executable, "-c", script], stdout=-1, timeout=120, text=True, check=True)
    assert run.stdout == "done\n"
