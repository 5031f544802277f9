"""What docs/screen/outputs.md tells people to type gives the plates' names as they are, whatever those look like."""

import re

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from idrstream.screen import profiles
from repository import ROOT

DOCS = ROOT / "docs/screen"
BLOCKS = [
    pytest.param(code, id=f"{page}-{number}")
    for page in ("outputs", "usage")
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL))
]
NAMES = ("007", "1e5", "2024-01-01", "true", "LT0001_02")
ALIKE = [*((name,) for name in NAMES), NAMES, ("007", "1")]


@pytest.fixture(params=ALIKE, ids=lambda names: "+".join(names))
def screen(request, tmp_path, monkeypatch):
    """An output folder with these plates, of three cells each; the current folder is where it lies."""
    monkeypatch.chdir(tmp_path)
    cells = pd.concat([_cells(plate) for plate in request.param], ignore_index=True)
    rows = [{"plate": plate, "status": "ok"} for plate in request.param]
    profiles.write(cells, rows, "b0000", tmp_path / "results")
    marks = cells[["Metadata_Cell_ID"]].assign(**{"cqc.small.is_outlier": np.arange(len(cells)) % 3 == 0})
    for path, table in (("qc/cells.parquet", marks), ("profiles/wells/selected/P.parquet", cells)):
        (tmp_path / "results" / path).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(tmp_path / "results" / path, index=False)
    return request.param


def _cells(plate):
    cells = pd.DataFrame({"Metadata_Plate": pd.array([plate] * 3, "string"), "Metadata_Gene": "G"})
    return cells.assign(Metadata_Cell_ID=[f"{plate}_c{n}" for n in range(3)], efficientnet_0=np.float32(0.5))


def plates(found):
    """The plates of a table that a recipe has made."""
    if isinstance(found, duckdb.DuckDBPyRelation):
        return set(found.df()["Metadata_Plate"])
    return set((found.collect() if isinstance(found, pl.LazyFrame) else found)["Metadata_Plate"])


@pytest.mark.parametrize("code", BLOCKS)
def test_a_recipe_of_the_docs_runs_and_has_the_plates_by_their_names(code, screen):
    wanted = {"LT0001_02"} & set(screen) if '"in", ["LT0001_02"]' in code else set(screen)
    told = {"pd": pd}
    exec(code, told)
    tables = {name: table for name, table in told.items() if name in ("cells", "wells")}
    assert tables
    for table in tables.values():
        assert plates(table) == wanted
        assert "plate" not in list(table.columns if not isinstance(table, pl.LazyFrame) else table.collect_schema())


@pytest.mark.parametrize("plate", NAMES[:4])
def test_a_recipe_for_some_plates_takes_them_by_name(plate, screen):
    (code,) = (block.values[0] for block in BLOCKS if '"in", ["LT0001_02"]' in block.values[0])
    told = {}
    exec(code.replace("LT0001_02", plate), told)
    assert plates(told["cells"]) == {plate} & set(screen)


@pytest.mark.parametrize("last", ["cells.aggregate", "cells.group_by"])
def test_counts_are_of_the_plates_by_their_names(last, screen):
    (code,) = (block.values[0] for block in BLOCKS if last in block.values[0])
    told = {}
    exec(code.replace(last, f"counted = {last}"), told)
    assert set(told["counted"]["Metadata_Plate"]) == set(screen)
