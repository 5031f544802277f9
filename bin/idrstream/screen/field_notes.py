"""What the log of a run says of flat-fields and of a plate's range of grey levels, in sentences."""

from collections import Counter

from idrstream.readers import bit_depth


def of_range(name, frames):
    """The range of grey levels of a plate, in a sentence; None where it has none.

    name    of the plate
    frames  as bit_depth.of_plate gives it; None without reference frames
    """
    if not frames or not frames["bits"]:
        return None
    why = ""
    if frames["significant"] == frames["bits"]:
        why = ", as its files say"
    elif frames["bits"] == bit_depth.fitting(frames["highest"]):
        why = ", the fewest that hold its reference frames"
    return f"{name}: grey levels up to {frames['highest']}, of {frames['bits']} bits{why}"


def of_fields(name, fields):
    """What is doubtful of the flat-fields of a plate or batch, a sentence each.

    name    of the plate, or id of the batch
    fields  name -> facts of each field, as in fields.json
    """
    refused = Counter(facts["reason"] for facts in fields.values() if facts["status"] == "refused")
    sentences = []
    for reason, count in refused.items():
        whom = f"{count} of {len(fields)} images" if len(fields) > 1 else "it"
        sentences.append(f"{name}: no flat-field for {whom}, so none is applied: {reason}")
    for facts in fields.values():
        if facts["status"] == "ok":
            left_out = facts.get("left_out", {}).items()
            sentences += [f"{key} {reason}: left out of its plate's flat-field" for key, reason in left_out]
            sentences += _of_offset(name, facts.get("camera_offset", {}))
    return sentences


def _of_offset(name, offset):
    if offset.get("state") == "none":
        so = "is taken for 0, so the flat-field may be several per cent too flat"
        return [f"{name}: the camera's offset could not be estimated and {so}: {offset['reason']}"]
    if offset.get("state") == "rough":
        levels = f"{offset['low']} to {offset['high']} grey levels from {offset['nuclei']} nuclei"
        share = f"{100 * offset['bound']:.1f}".removesuffix(".0")
        return [f"{name}: the camera's offset is estimated roughly, {levels}; the flat-field may be off by {share} %"]
    return []
