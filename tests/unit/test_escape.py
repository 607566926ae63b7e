from core.escape import printable


def test_what_steers_a_terminal_is_spelled_out() -> None:
    assert printable("a\x1b[31m\n\t\x9b\x7f") == r"a\x1b[31m\n\t\x9b\x7f"
    assert printable("jpg.\u202egnp\u200b\udcff") == r"jpg.\u202egnp\u200b\udcff"
    assert printable("Größe 写真 🚣") == "Größe 写真 🚣"
