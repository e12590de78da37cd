from infra.errors import nearest_name, unknown_name


def test_the_nearest_known_name_is_offered():
    assert unknown_name("dataset", "slidvqa", ["webqa", "slidevqa"]) == (
        "unknown dataset 'slidvqa': did you mean 'slidevqa'? known are webqa, slidevqa"
    )


def test_nothing_is_offered_for_a_name_that_is_like_no_other():
    assert nearest_name("zzz", ["webqa", "slidevqa"]) == ""
    assert unknown_name("dataset", "z" * 100, ["webqa"]) == f"unknown dataset '{'z' * 60}': known are webqa"
