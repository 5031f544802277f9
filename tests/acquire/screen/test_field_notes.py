"""What the log says of flat-fields and ranges of grey levels, by the facts that FLATFIELD writes."""

import pytest

from idrstream.screen import field_notes

OK = {"kind": "plate", "status": "ok"}
REFUSED = {"kind": "frames", "status": "refused", "reason": "3 frames in a row are needed, there are 2"}


def test_a_field_that_can_be_trusted_needs_no_word():
    assert field_notes.of_fields("P", {"P": OK | {"camera_offset": {"state": "sure", "offset": 6.0}}}) == []


def test_fields_that_are_refused_are_counted_by_their_reason():
    fields = {"P_A01_s1_f1": REFUSED, "P_A01_s1_f2": REFUSED, "P_A01_s1_f3": OK}
    assert field_notes.of_fields("b0001", fields) == [
        "b0001: no flat-field for 2 of 3 images, so none is applied: 3 frames in a row are needed, there are 2"
    ]
    assert field_notes.of_fields("P", {"P": REFUSED})[0].startswith("P: no flat-field for it, so none is applied: ")


def test_frames_left_out_and_an_offset_that_is_no_more_than_rough_are_named():
    offset = {"state": "rough", "offset": 6.5, "low": 5.0, "high": 8.25, "bound": 0.0204, "nuclei": 212}
    facts = OK | {"left_out": {"P_B02_s1_f1": "is of another size"}, "camera_offset": offset}
    assert field_notes.of_fields("P", {"P": facts}) == [
        "P_B02_s1_f1 is of another size: left out of its plate's flat-field",
        "P: the camera's offset is estimated roughly, 5.0 to 8.25 grey levels from 212 nuclei; "
        "the flat-field may be off by 2 %",
    ]


@pytest.mark.parametrize(
    "significant, highest, why",
    [(12, 900, ", as its files say"), (None, 2100, ", the fewest that hold its reference frames"), (None, 900, "")],
)
def test_a_range_is_said_with_what_tells_it(significant, highest, why):
    frames = {"bits": 12, "significant": significant, "highest": highest}
    assert field_notes.of_range("P", frames) == f"P: grey levels up to {highest}, of 12 bits{why}"


@pytest.mark.parametrize("frames", [None, {"bits": None, "significant": None, "highest": 1}])
def test_a_plate_of_floats_or_without_frames_has_no_range(frames):
    assert field_notes.of_range("P", frames) is None
