"""What tests of the readers in Java share: the frames that a file gives, and a format that only they read."""

from idrstream import sources
from idrstream.readers import planes
from idrstream.readers.movie import open_movie


def frames_of(path, frames, reader="bioformats", **choice):
    choice = planes.Choice(**choice)
    with sources.open_location(path) as file, open_movie(file, path.name, choice, reader) as movie:
        return [movie.read(frame) for frame in frames]


def write_ics(path, images):
    """An Image Cytometry Standard file, version 2: a header of text, then the pixels."""
    frames, height, width = images.shape
    kind = "real" if images.dtype.kind == "f" else "integer"
    header = f"""\t
ics_version\t2.0
filename\t{path.stem}
layout\tparameters\t4
layout\torder\tbits\tx\ty\tt
layout\tsizes\t{8 * images.itemsize}\t{width}\t{height}\t{frames}
layout\tcoordinates\tvideo
layout\tsignificant_bits\t{8 * images.itemsize}
representation\tformat\t{kind}
representation\tsign\t{"unsigned" if images.dtype.kind == "u" else "signed"}
representation\tcompression\tuncompressed
representation\tbyte_order\t{chr(9).join(map(str, range(1, images.itemsize + 1)))}
end
"""
    path.write_bytes(header.encode() + images.astype(images.dtype.newbyteorder("<")).tobytes())
