"""The streams of an output folder as IDR_stream's CSV files, each in batches of the rows of its own table."""

from pathlib import Path

from idrstream.base import files, tables, traces
from idrstream.images.frames import image_key
from idrstream.runs import ledger
from idrstream.screen import outcome
from idrstream.screen.export import Export

STREAMS = Path("pipeline_info", "streams.json")  # a types.StreamView per stream of the last run
LOG = "stream.log"


class View(Export):
    """The cells of a stream in one of its variants.

    name  of its folder, such as ``training_data__ic``
    """

    def __init__(self, outdir, shapes, batch_size, stream, variant):
        self.stream, self.variant, self.name = stream, variant, f"{stream['name']}__{variant}"
        super().__init__(outdir, shapes, batch_size)

    def write_log(self, folder, count):
        """Write a summary of the stream's images and COUNT cells to FOLDER, for people."""
        failed = [row for row in self.images if row["status"] not in ledger.finished(True)]
        lines = [
            f"stream    {self.name}",
            f"images    {len(self.images)} of {len(self.stream['rows'])} frames",
            f"cells     {count} in {sum(map(bool, self.batches.values()))} batches",
            f"failures  {len(failed)}",
            f"seconds   {self._seconds():.0f} of all stages, its images' share of their batches",
            *self.notes,
            *(f"  {outcome.place(row)}: {row.get('reason', '')}" for row in failed),
        ]
        files.write_text(Path(folder) / LOG, "\n".join(lines) + "\n")

    def _seconds(self):
        tasks = traces.read(self.outdir)
        spent = tasks[tasks["status"] != "CACHED"].groupby("tag")["seconds"].sum()
        parts = ("plate", "well", "site", "frame")
        keys = {image_key(*(row[part] for part in parts), self.variant) for row in self.images}
        shares = {
            entry["batch"]: sum(row["key"] in keys for row in entry["images"]) / len(entry["images"])
            for entry in ledger.read(self.outdir)[0]
        }
        return sum(spent.get(batch, 0) * share for batch, share in shares.items())

    def _rows(self):
        """The stream's images, `row` being the place in its own table."""
        places, images = self.stream["rows"], []
        for row in super()._rows():
            name = image_key(*(row[part] for part in ("plate", "well", "site", "frame")))
            if row.get("variant") == self.variant and row["row"] and name in places:
                images.append(row | {"row": str(places[name])})
        self.images = images
        return images

    def _fit(self, rows):
        """Nothing to check: they are all of one variant."""

    def _wants_outlines(self):
        return self.stream["outlines"]


def views(outdir, shapes, batch_size=None):
    """The streams of the last run into OUTDIR, each once per variant.

    Raises tables.Problems for a folder into which no run with streams has ended, or that cannot be exported.
    """
    path = Path(outdir) / STREAMS
    if not path.exists():
        raise tables.Problems([f"{outdir}: its last run had no streams ({STREAMS} is missing); leave out --streams"])
    return [
        View(outdir, shapes, batch_size, stream, variant)
        for stream in files.read_json(path)
        for variant in stream["variants"]
    ]
