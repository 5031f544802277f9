"""Runs with podman: planned, fetched and computed in a real image, merged in a virtual environment."""

import tempfile
from pathlib import Path

import pytest
from inputs import LIGHT, write_images, write_sheet
from runs import Run, image, podman_has

CONFIG = """
process {{
    withLabel: cellpose {{ container = '{acquire}' }}     // which has what the stand-ins for networks need
    withLabel: profiles {{ container = null }}
}}
"""
OTHER_DISK = Path("/dev/shm")

pytestmark = pytest.mark.skipif(
    not podman_has("acquire"), reason="podman has no image of acquire (make images ENGINE=podman)"
)


@pytest.fixture
def site(tmp_path):
    """Options of a run in these containers."""
    (tmp_path / "site.config").write_text(CONFIG.format(acquire=image("acquire")))
    return ["-c", tmp_path / "site.config"]


# Nextflow 25.04 by its newer parser knows no profile as soon as there is another configuration.


def test_the_cells_are_those_of_a_run_without_containers(stream, whole, site):
    stream.profile = "podman,venv"
    run = stream.run("--batch_size", 8, *site, NXF_SYNTAX_PARSER="v1")
    assert run.code == 0, run.said
    inside = [path.parent for path in run.folder.glob("work/*/*/.command.run") if "podman run" in path.read_text()]
    assert len(inside) == 4  # PLAN, FETCH, SEGMENT, EMBED; of these no more than a plan and receipts are left
    assert run.cells == whole.cells


@pytest.fixture
def other_disk():
    if not OTHER_DISK.is_dir():
        pytest.skip(f"{OTHER_DISK} is not here")
    with tempfile.TemporaryDirectory(dir=OTHER_DISK) as folder:
        yield Path(folder)


def test_images_on_two_disks_and_behind_links_are_read_and_a_disk_that_is_not_there_is_no_missing_well(
    light, site, other_disk, tmp_path
):
    near, far, _ = write_images(tmp_path / "near", "1.tif") + write_images(other_disk / "far", "2.tif", "3.tif")
    (tmp_path / "linked").symlink_to(other_disk / "far")
    (tmp_path / "near/linked.tif").symlink_to(write_images(other_disk / "behind", "4.tif")[0])
    lost = [tmp_path / "near/none.tif", other_disk / "unmounted/6.tif"]
    images = [near, far, tmp_path / "linked/3.tif", tmp_path / "near/linked.tif", *lost]
    sheet = tmp_path / "sheet.csv"
    sheet.symlink_to(write_sheet(other_disk / "a:b,$c.csv", images))
    options = [*LIGHT, "--input", sheet, "--stop_after", "qc", "--max_failed", 1, *site]
    run = Run(tmp_path / "run", *options, pipeline=light, profile="podman,venv", parser="v1")
    assert run.code == 0, run.said
    assert run.images["status"].tolist() == ["segmented"] * 4 + ["failed"] * 2
    none, unmounted = run.images["reason"].iloc[4:]
    assert none == f"MissingWell: {lost[0]}: there is no such file."
    assert unmounted.startswith(f"Unreachable: {lost[1].parent}: this folder cannot be read; is its disk mounted")


def test_a_folder_of_images_is_read_wherever_its_links_lead(light, site, other_disk, tmp_path):
    write_images(tmp_path / "in/P1", "A01.tif")
    (tmp_path / "in/P1/B01.tif").symlink_to(*write_images(other_disk / "behind", "4.tif"))
    write_images(other_disk / "far", "A02.tif")
    (tmp_path / "in/P2").symlink_to(other_disk / "far")
    options = [*LIGHT, "--input", tmp_path / "in", "--pattern", "{plate}/{well}.tif", "--stop_after", "qc", *site]
    run = Run(tmp_path / "run", *options, pipeline=light, profile="podman,venv", parser="v1")
    assert run.code == 0, run.said
    assert run.images[["plate", "well"]].agg(" ".join, axis=1).tolist() == ["P1 A01", "P1 B01", "P2 A02"]
    assert run.images["status"].tolist() == ["segmented"] * 3


def test_a_folder_that_podman_cannot_mount_is_refused_before_anything_is_fetched(light, site, tmp_path):
    for name in "a:b", "a$b":
        sheet = write_sheet(tmp_path / f"{name}.csv", write_images(tmp_path / name, "1.tif"))
        run = Run(tmp_path / "run", *LIGHT, "--input", sheet, *site, pipeline=light, profile="podman,venv", parser="v1")
        assert run.code != 0
        assert f'the images\' folder {tmp_path / name}: podman can mount none with "{name[1]}" in its path' in run.said
        assert "FETCH" not in run.said
