"""The cells of an image, laid out on a small sheet: a function of one cell at a time has less to scan there."""

import numpy as np

GAP = 1  # pixels around a cell: its neighbour on the sheet touches it nowhere


def lay_out(labels, boxes, *images):
    """Lay cells out on a sheet, in rows of falling height.

    labels   (Y, X) label image
    boxes    list of (number, box): slices of (y, x), the cells to lay out
    images   (Y, X) others, which are laid out alike
    returns  a list of (y, x) sheets: of labels, which are 1 ... n in the order of BOXES, and of each image (0 outside
             the cells)

    Within a cell pixels keep their order, so sums over them keep their last digit.
    """
    sizes = np.array([[side.stop - side.start + GAP for side in box] for _, box in boxes]).reshape(-1, 2)
    width = max(int(np.sqrt(sizes.prod(axis=1).sum()) * 1.2), sizes[:, 1].max(initial=0)) + GAP
    places, top, left, height = [None] * len(boxes), GAP, GAP, 0
    for place in np.argsort(-sizes[:, 0], kind="stable"):
        if left + sizes[place, 1] > width:
            top, left, height = top + height, GAP, 0
        places[place] = (top, left)
        left, height = left + sizes[place, 1], max(height, sizes[place, 0])
    sheets = [np.zeros((top + height, width), image.dtype) for image in (labels.astype(np.int32), *images)]
    for new, ((number, box), (row, column)) in enumerate(zip(boxes, places, strict=True), 1):
        mask = labels[box] == number
        target = slice(row, row + mask.shape[0]), slice(column, column + mask.shape[1])
        sheets[0][target][mask] = new
        for sheet, image in zip(sheets[1:], images, strict=True):
            sheet[target][mask] = image[box][mask]
    return sheets
