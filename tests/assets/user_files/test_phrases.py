"""A phrase that stands in one note only brings that note first, in every script."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.index.published import open_index
from assets.user_files.ingest import ingest
from infra.storage.root import Storage
from tests.assets.user_files.material import write_text

NOTES = {
    "zh": (
        "今天的会议讨论了{}的事情。大家同意把{}交给委员会在下个月处理。",
        ("灯塔", "维修合同"),
        ("码头", "门票价格"),
        ("渡轮", "值班名单"),
    ),
    "ja": (
        "本日の会議では{}について話し合った。{}は来月委員会が扱うことになった。",
        ("灯台", "修理契約"),
        ("波止場", "入場料金"),
        ("図書館", "蔵書目録"),
    ),
    "ko": (
        "오늘 회의에서는 {}에 대해 논의했다. {}은 다음 달 위원회가 처리하기로 했다.",
        ("등대", "수리계약서"),
        ("부두", "입장권가격"),
        ("도서관", "장서목록"),
    ),
    "hi": (
        "आज की बैठक में {} पर चर्चा हुई। सदस्यों ने {} को समिति को सौंपा।",
        ("प्रकाशस्तंभ", "मरम्मत अनुबंध"),
        ("घाट", "टिकट मूल्य"),
        ("जलाशय", "जल स्तर"),
    ),
    "th": (
        "การประชุมวันนี้หารือเรื่อง{}และเห็นชอบให้ส่ง{}ให้คณะกรรมการ",
        ("ประภาคาร", "สัญญาซ่อมแซม"),
        ("ท่าเรือ", "ราคาตั๋ว"),
        ("ห้องสมุด", "รายการหนังสือ"),
    ),
    "ar": (
        "ناقش اجتماع اليوم موضوع {} واتفق الجميع على إحالة {} إلى اللجنة.",
        ("المنارة", "عقد الصيانة"),
        ("الرصيف", "سعر التذكرة"),
        ("المكتبة", "فهرس الكتب"),
    ),
    "he": (
        "בישיבה היום דנו ב{}. הוחלט להעביר את {} לוועדה.",
        ("מגדלור", "חוזה התיקון"),
        ("רציף", "מחיר הכרטיס"),
        ("ספרייה", "קטלוג הספרים"),
    ),
    "ru": (
        "На заседании обсуждали {}. Решено передать {} комиссии.",
        ("маяк", "договор ремонта"),
        ("причал", "цену билета"),
        ("паром", "список дежурных"),
    ),
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    folder = tmp_path_factory.mktemp("notes")
    for language, (text, *phrases) in NOTES.items():
        for number, pair in enumerate(phrases):
            write_text(folder / f"docs/{language}_{number}.txt", text.format(*pair))
    storage = Storage(folder / "root")
    ingest([Path(folder / "docs")], storage)
    return storage


@pytest.mark.parametrize("language", NOTES)
def test_a_phrase_brings_its_own_note_first(notes: Storage, language: str):
    index = open_index(notes)
    asked = {
        phrase: f"{language}_{number}.txt"
        for number, pair in enumerate(NOTES[language][1:])
        for phrase in pair
    }
    assert {phrase: index.search(phrase, 1)[0].title for phrase in asked} == asked


@pytest.mark.parametrize(("phrase", "note"), [("منارة", "ar_0.txt"), ("도서관에서", "ko_2.txt")])
def test_an_article_or_a_particle_more_or_less_does_not_matter(notes: Storage, phrase: str, note: str):
    assert open_index(notes).search(phrase, 1)[0].title == note
