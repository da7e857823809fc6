from ei.dissector.fields import FIELDS, Kind, show


def test_numbers_are_little_endian_and_values_look_as_in_tshark() -> None:
    assert show("ei.sealed_length", b"\x01\x02") == "513"
    assert show("ei.receiver_index", b"\x01\x00\x00\xab") == "0xab000001"
    assert show("ei.tag", b"\x01\xff") == "01:ff"
    assert show("ei.source", b"\xfd\x35" + bytes(13) + b"\x01") == "fd35::1"


def test_every_field_has_its_title_and_one_namespace() -> None:
    for name, (kind, title) in FIELDS.items():
        assert name.startswith("ei.")
        assert isinstance(kind, Kind)
        assert title
