"""What makes a result what it is: what voids it and what does not, and what is taken again of what is void."""

import json
import re
import shutil
import subprocess
import sys
from importlib import metadata

import click
import pytest
from click.testing import CliRunner

from commits import plan_again
from idrstream.base import files, task
from idrstream.base.tables import Problems
from idrstream.runs import housekeeping
from idrstream.screen import plan, recipe
from idrstream.tissue import recipe as slides
from idrstream.volume import recipe as volumes
from planning import DEFAULTS, SCHEMA, given, planned

FAMILIES = {"features": "deep,cp"}, {"features": "cp"}, {"features": "deep"}, {"stop_after": "qc"}


@pytest.fixture
def copy(tmp_path):
    """A copy of the pipeline's code and locks, to change."""
    for part in ("bin", "containers"):
        shutil.copytree(plan.BIN.parent / part, tmp_path / "copy" / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def change(path, old, new):
    content = path.read_text()
    assert content.count(old) == 1, f"{path.name} no longer has {old!r}"
    path.write_text(content.replace(old, new))


def raise_version(path, name):
    """Raise the version that the text NAME stands before; returns (before, now)."""
    before = int(re.search(rf"{name}(\d+)", path.read_text())[1])
    change(path, f"{name}{before}", f"{name}{before + 1}")
    return before, before + 1


@pytest.fixture
def planned_by(here):
    """A function that runs the planner's command of a copy: plan.json."""

    def planned_by(copy, schema=SCHEMA, **changed):
        params = DEFAULTS | changed
        files.write_json(here / "schema.json", schema)
        named = given(here, params)
        launch = {"params": params, "launch_dir": str(here), "session": "second", "source": "source" in named}
        options = [word for name, path in named.items() if name != "source" for word in (f"--{name}", path)]
        shutil.rmtree(here / "planned", ignore_errors=True)
        words = [sys.executable, copy / "bin/screen_plan.py", "-", here / "schema.json", here / "planned", *options]
        words += ["--locks", copy / "containers"]
        done = subprocess.run(list(map(str, words)), input=json.dumps(launch), text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return files.read_json(here / "planned/plan.json")

    return planned_by


@pytest.fixture
def labelled(here, committed):
    """A function that commits the batches of a plan, with label images."""

    def commit(**changed):
        made = plan_again(here, **changed)
        for asked in made.images:
            files.write_text(here / "labels" / f"{asked['key']}.tif", asked["key"])
        committed(made, save_labels=True)
        return made

    return commit


def assert_settled(written):
    assert (written["stale"], written["batches"]) == ([], [])


def test_a_word_in_a_docstring_and_a_module_of_another_name_void_nothing(here, committed, copy, planned_by):
    committed(plan_again(here))
    before = planned_by(copy)
    assert_settled(before)
    change(copy / "bin/idrstream/cells/segmentation.py", "a frame with a Cellpose 3 network", "a frame by Cellpose")
    (copy / "bin/idrstream/cells/masks.py").rename(copy / "bin/idrstream/cells/flows.py")
    change(
        copy / "bin/idrstream/cells/segmentation.py",
        "import contrast, cpnet, masks, tiles\n",
        "import contrast, cpnet, flows as masks, tiles\n",
    )
    (copy / "bin/idrstream/screen/illumination.py").rename(copy / "bin/idrstream/screen/fields.py")
    change(copy / "bin/screen_flatfield.py", "import illumination", "import fields as illumination")
    change(copy / "bin/idrstream/screen/recipe.py", '"screen/illumination.py"', '"screen/fields.py"')
    after = planned_by(copy)
    assert_settled(after)
    assert after["stages"]["segment"]["code"] != before["stages"]["segment"]["code"], "Nextflow's cache is another's"


def test_three_new_params_at_their_defaults_void_nothing_and_at_other_values_do(here, committed, copy, planned_by):
    committed(plan_again(here))
    new = {"segment_channel": "DNA", "smooth": 0.0, "crop_size": 128}
    lines = '"segment_channel": (("segment",), "DNA"), "smooth": (("segment",), 0), "crop_size": (OWN, 128),'
    change(copy / "bin/idrstream/screen/recipe.py", '    "dp_config": (', f'    {lines}\n    "dp_config": (')
    schema = json.loads(json.dumps(SCHEMA))
    schema["$defs"]["segmentation"]["properties"] |= {
        name: {"description": "new", "x-workflows": {"screen": {}}} for name in new
    }
    assert_settled(planned_by(copy, schema, **new))
    written = planned_by(copy, schema, **new | {"smooth": 1.5, "crop_size": 256})
    assert len(written["stale"]) == 3 and written["differs"] == "smooth 0, now 1.5, crop_size 128, now 256"


@pytest.mark.parametrize("made", FAMILIES, ids=lambda made: next(iter(made.values())))
def test_a_raised_version_voids_exactly_the_batches_that_have_its_stage(made, here, committed, copy, monkeypatch):
    committed(plan_again(here, **made))
    old, new = raise_version(copy / "bin/idrstream/cells/measurement/__init__.py", '"Texture": ')
    monkeypatch.setattr(plan, "BIN", copy / "bin")
    after = planned(here, **made)
    if "cp" not in made.get("features", ""):
        return assert_settled({"stale": after.stale, "batches": after.batches})
    assert (len(after.stale), len(after.batches)) == (3, 3)
    assert after.differs == f"Texture features version {old}, now {new}"
    assert after.recipe["version.measure.Texture"] == new
    housekeeping.begin(_written(after, here), here / "out", here / "work")
    committed(plan_again(here, batches="0", **made))
    assert_settled({"stale": planned(here, **made).stale, "batches": planned(here, batches="0", **made).batches})
    monkeypatch.undo()
    assert planned(here, **made).stale == [batch["id"] for batch in after.batches][:1], "the others are no longer there"


def _written(made, here):
    shutil.rmtree(here / "plan", ignore_errors=True)
    plan.write(made, here / "plan")
    return files.read_json(here / "plan/plan.json")


def test_where_features_alone_are_void_label_images_are_taken_from_stale(here, labelled, committed, copy, monkeypatch):
    before = labelled(batches="0,1")
    old, new = raise_version(copy / "bin/idrstream/cells/measurement/__init__.py", '"Texture": ')
    monkeypatch.setattr(plan, "BIN", copy / "bin")
    after = plan_again(here)
    kept = [path for batch in after.batches for path in batch["kept"]]
    names = [f"labels/plate={asked['plate']}/{asked['key']}.tif" for asked in before.images]
    assert sorted(kept) == sorted(f"stale/{after.stamp}/{name}" for name in names)
    assert [bool(batch["kept"]) for batch in after.batches] == [True, True, False]
    sentence = f"2 committed batches (6 images) used other settings (Texture features version {old}, now {new}): they "
    fate = "will be moved to stale/ and their images fetched again; the label images of 6 are reused\n"
    assert sentence + fate in after.text()
    housekeeping.begin(_written(after, here), here / "out", here / "work")
    assert all((here / "out" / path).exists() for path in kept)
    assert [path for batch in planned(here).batches for path in batch["kept"]] == kept, "the run was killed here"
    committed(after, save_labels=True)
    assert all((here / "out" / name).exists() for name in names), "committed anew"
    assert_settled({"stale": planned(here).stale, "batches": planned(here).batches})


def test_label_images_are_not_taken_where_they_would_not_be_the_same(here, labelled, copy, monkeypatch):
    labelled()
    assert all(batch["kept"] for batch in planned(here, embed_input=224).batches)
    for changed in {"diameter": 20}, {"embed_input": 224, "redo": True}:
        assert not any(batch["kept"] for batch in planned(here, **changed).batches)
    old, new = raise_version(copy / "bin/idrstream/cells/segmentation.py", "\nVERSION = ")
    monkeypatch.setattr(plan, "BIN", copy / "bin")
    made = planned(here)
    assert len(made.stale) == 3 and not any(batch["kept"] for batch in made.batches)
    assert f"(segmentation version {old}, now {new})" in made.text()


def test_what_a_run_does_not_use_is_no_part_of_its_recipe(here):
    own = {key for key in planned(here).recipe if not key.startswith("version.")}
    assert own == {"model", "camera_offset"}, "the others at their defaults"
    for illumination in "none", "frames":
        auto, zero, six = (planned(here, illumination=illumination, camera_offset=o).recipe for o in ("auto", 0, 6))
        assert auto == zero and six == zero | {"camera_offset": 6}
    assert planned(here, features="cp").recipe == planned(here, features="cp", crop_mask=True, embed_input=224).recipe
    assert planned(here, diameter=22).recipe == planned(here, diameter=22.0).recipe
    assert planned(here, diameter=22).images == planned(here, diameter=22.0).images


def test_a_library_that_computes_voids_what_it_computed_and_another_does_not(here, committed, copy):
    def again(**changed):
        params = DEFAULTS | changed
        found = given(here, params) | {"locks": copy / "containers"}
        return plan.make(params, str(here), "second", found, SCHEMA)

    committed(plan_again(here, features="deep"))
    change(copy / "containers/cellpose/requirements.txt", "tifffile==2026.3.3", "tifffile==2027.1.1")
    change(copy / "containers/cellpose/requirements.txt", "cellpose==3.1.1.3", "cellpose==3.1.9")
    change(copy / "containers/profiles/requirements.txt", "cp-measure==0.3.0", "cp-measure==0.4.0")
    assert_settled({"stale": again(features="deep").stale, "batches": again(features="deep").batches})
    change(copy / "containers/cellpose/requirements.txt", "openvino==2026.4.1", "openvino==2026.5.0")
    made = again(features="deep")
    assert len(made.stale) == 3 and made.differs == "openvino 2026.4, now 2026.5"
    assert "openvino=2026.5" in made.stages["segment"]["args"] and "--libraries" not in made.stages["fetch"]["args"]


def test_every_stage_and_library_is_read_and_counts_from_what_it_is_today():
    assert recipe.BOOK.read_versions(plan.BIN / "idrstream").keys() == recipe.STAGES.keys()
    locked = recipe.BOOK.read_locks(plan.BIN.parent / "containers")
    assert locked.keys() == {key for key in recipe.BOOK.keys if key.startswith("library.")}
    named = {stage for library in recipe.LIBRARIES for stage in library.stages}
    named |= {stage for stages, _ in recipe.PARAMS.values() for stage in stages}
    named |= {stage for stages in recipe.COMMANDS.values() for stage in stages}
    assert named <= recipe.STAGES.keys()


def test_every_version_that_modules_have_is_that_of_a_stage():
    package = plan.BIN / "idrstream"
    versions = re.compile(r"^([A-Z_]*VERSION) = [0-9]", re.M)
    found = {
        (str(path.relative_to(package)), name)
        for path in package.rglob("*.py")
        for name in versions.findall(path.read_text("utf-8"))
    }
    stages = [stage for book in (recipe.BOOK, slides.BOOK, volumes.BOOK) for stage in book.stages.values()]
    assert found <= {(stage.module, stage.version) for stage in stages} and len(found) > 15


def test_a_version_that_is_not_there_is_said(copy):
    change(copy / "bin/idrstream/cells/nuclei.py", "\nVERSION = ", "\nVERSION = None  # ")
    with pytest.raises(LookupError, match=r"nuclei\.py: VERSION has no integer for cells"):
        recipe.BOOK.read_versions(copy / "bin/idrstream")
    change(copy / "containers/profiles/requirements.txt", "centrosome==", "centrosom==")
    with pytest.raises(LookupError, match=r"containers/profiles/requirements\.txt: centrosome is missing"):
        recipe.BOOK.read_locks(copy / "containers")


def test_a_stage_stops_where_another_version_is_installed_than_the_plan_counts_on():
    @click.command()
    @task.libraries
    def stage():
        click.echo("computed")

    version = metadata.version("click")
    major, minor, *_ = version.split(".")
    also = f"click={major},pytest={metadata.version('pytest')}"
    for right in ("", f"click={version}", f"click={major}.{minor}", also):
        assert CliRunner().invoke(stage, ["--libraries", right] if right else []).output == "computed\n"
    done = CliRunner().invoke(stage, ["--libraries", f"click={major}.{minor}1,no-such-library=1.0"])
    assert done.exit_code == 64
    wrong = f"click {major}.{minor}1 is expected, {version} is installed; no-such-library 1.0 is expected, none is"
    assert wrong in done.output and "rebuild the environment from its lock" in done.output


def test_an_output_folder_of_another_version_is_refused_and_left_alone(here, committed):
    committed(plan_again(here))
    path = next((here / "out/ledger").glob("*.json"))
    entry = files.read_json(path)
    for key in "code", "version.of_the_future":
        files.write_json(path, entry | {"recipe": entry["recipe"] | {key: {"segment": "0" * 12}}})
        with pytest.raises(Problems) as problems:
            planned(here)
        (sentence,) = problems.value.sentences
        assert sentence.startswith("--outdir out: another version of idrstream (0.1.0, or a later one) wrote its")
        assert sentence.endswith("name another --outdir")
