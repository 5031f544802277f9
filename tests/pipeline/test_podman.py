"""A run of the stream with podman: planned, fetched and computed in a real image, merged in a virtual environment."""

import pytest
from runs import image, podman_has

CONFIG = """
process {{
    withLabel: cellpose {{ container = '{acquire}' }}     // which has what the stand-ins for networks need
    withLabel: profiles {{ container = null }}
}}
"""


@pytest.mark.skipif(not podman_has("acquire"), reason="podman has no image of acquire (make images ENGINE=podman)")
def test_the_cells_are_those_of_a_run_without_containers(stream, whole, tmp_path):
    (tmp_path / "site.config").write_text(CONFIG.format(acquire=image("acquire")))
    stream.profile = "podman,venv"
    # Nextflow 25.04 by its newer parser knows no profile as soon as there is another configuration.
    run = stream.run("--batch_size", 8, "-c", tmp_path / "site.config", NXF_SYNTAX_PARSER="v1")
    assert run.code == 0, run.said
    inside = [path.parent for path in run.folder.glob("work/*/*/.command.run") if "podman run" in path.read_text()]
    assert len(inside) == 4  # PLAN, FETCH, SEGMENT, EMBED; of these no more than a plan and receipts are left
    assert run.cells == whole.cells
