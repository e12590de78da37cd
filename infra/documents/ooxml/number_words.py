"""Numbers of lists as they are written in other ways than digits and letters: 第三章, ③, 丙, 3rd, в."""

_DIGITS = "〇一二三四五六七八九"
_TENS = ("", "十", "百", "千")
_COUNTED = ("chineseCounting", "chineseCountingThousand", "taiwaneseCounting", "taiwaneseCountingThousand")
_COUNTED_IN_JAPAN = ("japaneseCounting", "koreanCounting")
_DIGIT_BY_DIGIT = ("ideographDigital", "japaneseDigitalTenThousand", "taiwaneseDigital", "koreanDigital2")
_CIRCLED = ("decimalEnclosedCircle", "decimalEnclosedCircleChinese")
_ROWS = {
    "ideographTraditional": "甲乙丙丁戊己庚辛壬癸",
    "ideographZodiac": "子丑寅卯辰巳午未申酉戌亥",
    "russianLower": "абвгдежзиклмнопрстуфхцчшщэюя",
    "russianUpper": "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ",
    "ganada": "가나다라마바사아자차카타파하",
    "iroha": "イロハニホヘトチリヌルヲワカヨタレソツネナラム",
    "aiueo": "アイウエオカキクケコサシスセソタチツテトナニヌネノ",
}
_MAX_COUNTED = 9_999
_MAX_CIRCLED = 20


def written(number: int, form: str) -> str:
    """``number`` in the numbering format ``form`` of Word; empty if the format is none of these."""
    if form == "ordinal":
        return f"{number}{_ending(number)}"
    if form in _CIRCLED and 0 < number <= _MAX_CIRCLED:
        return chr(ord("①") + number - 1)
    if form in _DIGIT_BY_DIGIT and number >= 0:
        return "".join(_DIGITS[int(digit)] for digit in str(number))
    if form in _COUNTED + _COUNTED_IN_JAPAN and 0 < number <= _MAX_COUNTED:
        return _counted(number, is_chinese=form in _COUNTED)
    row = _ROWS.get(form, "")
    return row[number - 1] if 0 < number <= len(row) else ""


def _ending(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _counted(number: int, *, is_chinese: bool) -> str:
    """一百零五 in Chinese, 百五 in Japanese; ten and its like begin without a one, in Chinese only below twenty."""
    digits = str(number)
    pieces: list[str] = []
    for place, digit in zip(range(len(digits) - 1, -1, -1), map(int, digits), strict=True):
        if digit:
            is_silent = digit == 1 and place > 0 and (not is_chinese or (place == 1 and not pieces))
            pieces.append(("" if is_silent else _DIGITS[digit]) + _TENS[place])
        elif is_chinese and pieces[-1] != "零":
            pieces.append("零")
    return "".join(pieces).rstrip("零")
