from classify.picture_style import picture_style


def test_a_text_with_dollar_signs_is_no_formula() -> None:
    from matplotlib.figure import Figure

    with picture_style():
        text = Figure().text(0, 0, "$x$")

    assert not text.get_parse_math()
