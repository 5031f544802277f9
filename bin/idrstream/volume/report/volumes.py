"""What was predicted, of which region, by which network."""

from idrstream.report import page

HEADS = ("volume", "region (voxels, z,y,x)", "voxel (nm)", "checkpoint", "threshold", "slabs", "class", "share in %")


def section(results, _pictures):
    """A table with a row per volume and class."""
    content = page.Section(
        "volumes",
        "Volumes",
        "Regions count from the origin of the container's coordinates. The share is that of the region's voxels in the "
        "segmentation.",
    )
    if not results.volumes:
        content.html.append(page.paragraph("No volume is finished yet."))
        return content
    content.html.append(page.table(HEADS, [row for volume in results.volumes for row in _rows(volume)], "Volumes"))
    return content


def _rows(volume):
    size = " x ".join(f"{edge:g}" for edge in volume.row["voxel_size"])
    row = volume.row
    threshold = "likeliest class" if row["threshold"] is None else f"{row['threshold']:g}"
    about = (volume.name, str(volume.region), size, row["checkpoint"], threshold, len(volume.slabs["maps"]))
    return [(*about, name, 100 * share) for name, share in volume.shares.items()]
