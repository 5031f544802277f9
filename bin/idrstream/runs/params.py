"""The params of a run: by nextflow_schema.json, and the files and folders that every workflow takes."""

import jsonschema

from idrstream import sources
from idrstream.base import schemas, tables


def problems(params, schema):
    """Everything that is wrong with PARAMS (name -> value, None where not given), one sentence each.

    An unknown name is a problem too: Nextflow itself takes any, and a typing error would silently mean the default.
    schema  nextflow_schema.json, read
    """
    workflow = params["workflow"]
    known = {name: rule for group in schema["$defs"].values() for name, rule in group["properties"].items()}
    known = {name: rule | rule["x-workflows"].get(workflow, {}) for name, rule in known.items()}
    own = [name for name, rule in known.items() if workflow in rule["x-workflows"]]
    found = []
    for name, value in params.items():
        if name not in known:
            near = tables.nearest(name, own)
            found.append(f"--{name}: there is no such param.{near} All are listed by --help all.")
        elif value is not None and name not in own:
            whose = " and ".join(known[name]["x-workflows"])
            found.append(f"--{name}: a param of --workflow {whose}; {workflow} has none of this name")
        elif value is not None and (
            error := next(iter(jsonschema.Draft202012Validator(known[name]).iter_errors(value)), None)
        ):
            found.append(f"--{name} {value}: {schemas.expected(known[name], error)}")
    return found


def no_file(name, value):
    """The sentence about a param whose file is missing."""
    why = "it must be a file, not an address" if sources.scheme(value) else sources.fault(str(value))
    return f"--{name} {value}: {why or 'there is no such file'}"


def no_model(values, given, schema, param="model"):
    """A list of one sentence where PARAM is neither a file nor a network that we know; else empty.

    values  params by name
    given   names of the files and folders that exist
    """
    if param in given:
        return []
    rule = schema["$defs"]["segmentation"]["properties"]["model"]
    names = [*rule["x-shipped"], *rule["x-weights"]]
    near = tables.nearest(values[param], names)
    return [f"--{param} {values[param]}: neither a file nor a model of idrstream's or Cellpose 3's.{near}"]


def no_outdir(values, given):
    """A list of one sentence where --outdir cannot be written; else empty. Arguments as of `no_model`."""
    if "outdir" in given:
        return []
    place = str(values["outdir"])
    why = "results go to a folder, not to an address" if sources.scheme(place) else sources.fault(place)
    return [f"--outdir {place}: {why or 'this folder cannot be written'}"]
