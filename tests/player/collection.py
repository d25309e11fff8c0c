"""The small collection the player is tested with: entries, types and sections, three languages.

Few texts, true to the subject; some lack a language on purpose, to be shown in French.
"""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]

BUCKETS = 4
LANGUAGES: list[dict[str, Any]] = [
    {"tag": "fr", "name": "Français", "dir": "ltr", "fallback": ["en"]},
    {"tag": "ja", "name": "日本語", "dir": "ltr", "fallback": ["fr"]},
    {"tag": "ar", "name": "العربية", "dir": "rtl", "fallback": ["fr"]},
]
TAGS: list[str] = [language["tag"] for language in LANGUAGES]
TODAY_IS_AFTER = "2020-01-01"
"""Rights of one picture ended on this day."""


def text(fr: str, ja: str | None = None, ar: str | None = None) -> Values:
    """A localised text: a language that lacks it shows the French one and says so."""
    return {"fr": fr, "ja": ja, "ar": ar}


def paragraph(fr: str, ja: str | None = None, ar: str | None = None) -> Values:
    """A localised rich text of one paragraph a language."""
    return {
        tag: None if words is None else [{"t": "p", "c": [words]}]
        for tag, words in text(fr, ja, ar).items()
    }


def same(value: object) -> Values:
    """A value all languages share."""
    return {"*": value}


def entry(entry_id: str, entry_type: str, **fields: Values) -> Values:
    """An entry before it is resolved for one language."""
    return {"id": entry_id, "type": entry_type, "fields": fields}


def block(block_id: str, block_type: str, **fields: Values) -> Values:
    """A story block before it is resolved for one language."""
    return {"id": block_id, "type": block_type, "fields": fields}


LENS = same({"lat": 50.4322, "lon": 2.8333})
STORY = [
    block(
        "b1",
        "paragraph",
        text=paragraph(
            "Deux terrils jumeaux dominent la plaine.",
            "双子のボタ山が平野を見おろす。",
            "تلّان توأمان يطلّان على السهل.",
        ),
    ),
    block("b2", "heading", text=text("Sous la terre", "地の下", "تحت الأرض")),
    block("b3", "figure", image=same("photo-headframe")),
    block(
        "b4",
        "quote",
        text=paragraph("On descendait à quatre heures.", "四時に坑に下りた。"),
        source=text("Un mineur", "ある坑夫"),
    ),
    block("b5", "gallery", images=same(["photo-headframe", "photo-wide", "photo-expired"])),
    block("b6", "audio", sound=same("sound-whistle")),
    block("b7", "film", film=same("film-basin")),
    block("b8", "map", places=same(["loos", "lewarde"])),
    *[
        block(
            f"long{number}",
            "paragraph",
            text=paragraph(
                f"Étape {number} du récit. " * 24,
                f"物語の第{number}段落。" * 30,
                f"الفقرة {number} من القصة. " * 24,
            ),
        )
        for number in range(6)
    ],
]

ENTRIES = [
    entry(
        "loos",
        "place",
        title=text(
            "Base 11/19 de Loos-en-Gohelle",
            "ロース＝アン＝ゴエルの第11・19坑",
            "قاعدة 11/19 في لوس",
        ),
        kind=same("pit"),
        coords=same({"lat": 50.4397, "lon": 2.7796}),
        image=same("photo-headframe"),
        lead=paragraph(
            "Les plus hauts terrils d’Europe.",
            "ヨーロッパで最も高いボタ山。",
            "أعلى تلال الفحم في أوروبا.",
        ),
        story=same(STORY),
        confidence=same("medium"),
        note=text("La date d’ouverture est discutée.", "開坑の年には諸説がある。"),
        sources=same("MBM-WH"),
        depth_m=same(986),
        precision_m=same(1500),
    ),
    entry(
        "lewarde",
        "place",
        title=text(
            "Centre historique minier de Lewarde",
            "ルワルド鉱業歴史センター（Lewarde）",
            "مركز لواردِ التاريخي للمناجم",
        ),
        kind=same("museum"),
        coords=same({"lat": 50.3317, "lon": 3.1689}),
        lead=paragraph("Le musée de la mine."),
        confidence=same("high"),
        sources=same("CHM"),
    ),
    entry("ecomusee", "place", title=text("Écomusée du charbon"), kind=same("museum"), coords=LENS),
    entry(
        "tagawa",
        "place",
        title=text("Musée de Tagawa", "田川市石炭・歴史博物館"),
        kind=same("museum"),
        coords=same({"lat": 33.64, "lon": 130.81}),
        lead=paragraph("Jumeau du bassin minier.", "炭鉱の町の博物館。"),
    ),
    *[
        entry(
            f"pit-{number}",
            "place",
            title=text(f"Fosse {number}", f"第{number}坑", f"بئر رقم {number}"),
            kind=same("pit"),
            coords=same({"lat": 50.40 + (number % 5) * 0.02, "lon": 2.6 + number * 0.05}),
        )
        for number in range(1, 13)
    ],
    entry(
        "story-coal",
        "story",
        title=text("Naissance d’un pays noir", "黒い国の誕生", "ميلاد بلد أسود"),
        lead=paragraph("Trois siècles de charbon.", "炭鉱の三百年。", "ثلاثة قرون من الفحم."),
        image=same("photo-wide"),
        story=same(STORY[:4]),
        place=same("loos"),
    ),
    entry(
        "drawing",
        "object",
        title=text("Dessin de galerie", "坑道の絵"),
        image=same("photo-headframe"),
        place=same("tagawa"),
    ),
    entry(
        "tour-five",
        "tour",
        title=text("D’ouest en est", "西から東へ", "من الغرب إلى الشرق"),
        lead=paragraph("Deux lieux, une journée.", "二か所を一日で。"),
        mode=same("bicycle"),
        distance_km=same(31.5),
        known=text("Les lieux sont officiels.", "場所は公式。"),
        suggested=text("L’ordre est le nôtre."),
        stops=same(
            [
                block(
                    "s1",
                    "stop",
                    place=same("loos"),
                    text=paragraph("Monter sur le terril.", "ボタ山に登る。"),
                    basis=same("known"),
                ),
                block(
                    "s2",
                    "stop",
                    place=same("lewarde"),
                    text=paragraph("Descendre au fond."),
                    distance_km=same(30.2),
                    basis=same("suggested"),
                ),
            ]
        ),
    ),
    entry(
        "found",
        "timeline_entry",
        title=text(
            "La houille est trouvée à Fresnes.",
            "フレンヌで石炭が見つかる。",
            "العثور على الفحم في فرين.",
        ),
        date=same("1720-02-03"),
        theme=same("discovery"),
        place=same("loos"),
    ),
    entry(
        "closed",
        "timeline_entry",
        title=text("La dernière gaillette remonte.", "最後の石炭が揚がる。"),
        date=same("1990-12"),
        theme=same("closing"),
        sources=same("SEED"),
    ),
    entry(
        "listed",
        "timeline_entry",
        title=text("Le bassin est inscrit au patrimoine mondial.", "世界遺産に登録。"),
        date=same("2012"),
        theme=same("heritage"),
    ),
    entry(
        "festival",
        "event",
        title=text("Fête de la Sainte-Barbe", "聖バルバラ祭"),
        kind=same("festival"),
        start=same("2026-12-04"),
        end=same("2026-12-06"),
        status=same("planned"),
        place=same("loos"),
        season=text("Hiver 2026", "2026年冬", "شتاء 2026"),
    ),
    entry(
        "cancelled",
        "event",
        title=text("Nuit noire", "黒い夜"),
        kind=same("exhibition"),
        start=same("2020-06"),
        status=same("cancelled"),
        place=same("lewarde"),
        season=text("Été 2020", "2020年夏", "صيف 2020"),
    ),
    entry(
        "chevalement",
        "glossary_term",
        term={
            "fr": ["chevalement"],
            "ja": [
                {"t": "ruby", "base": "竪坑", "reading": "たてこう"},
                {"t": "ruby", "base": "櫓", "reading": "やぐら"},
            ],
            "ar": ["برج البئر"],
        },
        domain=same("surface"),
        definition=paragraph("Charpente dressée au-dessus du puits.", "竪坑の上に立つ骨組み。"),
    ),
    entry(
        "mine",
        "glossary_term",
        term={
            "fr": ["mine de charbon"],
            "ja": [{"t": "ruby", "base": "炭鉱", "reading": "たんこう"}],
            "ar": ["مَنْجَم"],
        },
        domain=same("depth"),
        definition=paragraph(
            "Lieu d’où l’on tire la houille.", "石炭を掘る場所。", "مكان استخراج الفحم."
        ),
    ),
    entry(
        "lodz",
        "glossary_term",
        term={"fr": ["Łódź"], "ja": ["ウッチ"], "ar": ["لودز"]},
        domain=same("surface"),
        definition=paragraph("Ville de Pologne, d’où vinrent des mineurs.", "ポーランドの町。"),
    ),
]

TYPES: dict[str, Any] = {
    "place": {
        "label": text("Lieu", "場所", "مكان"),
        "plural": text("Lieux", "場所", "أماكن"),
        "fields": {
            "kind": {
                "label": text("Nature", "種類", "النوع"),
                "choices": {
                    "pit": text("Fosse", "竪坑", "بئر"),
                    "museum": text("Musée", "博物館", "متحف"),
                },
            },
            "confidence": {
                "label": text("Confiance", "確かさ", "درجة اليقين"),
                "choices": {
                    "high": text("forte", "高", "عالية"),
                    "medium": text("moyenne", "中", "متوسطة"),
                },
            },
            "depth_m": {"label": text("Profondeur (m)", "深さ（m）", "العمق (م)")},
        },
    },
    "story": {
        "label": text("Récit", "物語", "قصة"),
        "plural": text("Récits", "物語", "قصص"),
        "fields": {},
    },
    "object": {
        "label": text("Œuvre", "作品", "عمل"),
        "plural": text("Œuvres", "作品", "أعمال"),
        "fields": {},
    },
    "tour": {
        "label": text("Parcours", "コース", "مسار"),
        "plural": text("Parcours", "コース", "مسارات"),
        "fields": {
            "mode": {
                "label": text("Mode", "移動", "الوسيلة"),
                "choices": {"bicycle": text("à vélo", "自転車", "بالدراجة")},
            },
            "distance_km": {"label": text("Distance", "距離", "المسافة")},
        },
    },
    "stop": {
        "label": text("Étape", "地点", "محطة"),
        "plural": text("Étapes", "地点", "محطات"),
        "fields": {
            "basis": {
                "label": text("Base", "根拠", "الأساس"),
                "choices": {
                    "known": text("attesté", "確認済み", "مؤكد"),
                    "suggested": text("proposé", "提案", "مقترح"),
                },
            }
        },
    },
    "timeline_entry": {
        "label": text("Date", "年表", "تاريخ"),
        "plural": text("Dates", "年表", "تواريخ"),
        "fields": {
            "theme": {
                "label": text("Thème", "テーマ", "الموضوع"),
                "choices": {
                    "discovery": text("Découverte", "発見", "اكتشاف"),
                    "closing": text("Fermeture", "閉山", "إغلاق"),
                    "heritage": text("Patrimoine", "遺産", "تراث"),
                },
            }
        },
    },
    "event": {
        "label": text("Rendez-vous", "催し", "موعد"),
        "plural": text("Rendez-vous", "催し", "مواعيد"),
        "fields": {
            "kind": {
                "label": text("Nature", "種類", "النوع"),
                "choices": {
                    "festival": text("Fête", "祭り", "مهرجان"),
                    "exhibition": text("Exposition", "展覧会", "معرض"),
                },
            },
            "status": {
                "label": text("État", "状況", "الحالة"),
                "choices": {
                    "planned": text("prévu", "予定", "مقرر"),
                    "cancelled": text("annulé", "中止", "ملغى"),
                },
            },
        },
    },
    "glossary_term": {
        "label": text("Terme", "用語", "مصطلح"),
        "plural": text("Termes", "用語", "مصطلحات"),
        "fields": {
            "domain": {
                "label": text("Domaine", "分野", "المجال"),
                "choices": {
                    "surface": text("Au jour", "坑外", "على السطح"),
                    "depth": text("Au fond", "坑内", "تحت الأرض"),
                },
            }
        },
    },
}

SECTIONS: list[Values] = [
    {
        "id": "places",
        "view": "map",
        "title": text("Les lieux", "場所", "الأماكن"),
        "entries": ["loos", "lewarde", "ecomusee", "tagawa", *[f"pit-{n}" for n in range(1, 13)]],
    },
    {
        "id": "stories",
        "view": "stories",
        "title": text("Récits", "物語", "قصص"),
        "summary": text(
            "Ce que le charbon a fait d’un pays.", "石炭がつくった国。", "ما صنعه الفحم."
        ),
        "entries": ["story-coal"],
    },
    {
        "id": "works",
        "view": "gallery",
        "title": text("Œuvres", "作品", "أعمال"),
        "entries": ["drawing"],
    },
    {
        "id": "tours",
        "view": "tours",
        "title": text("Parcours", "コース", "مسارات"),
        "entries": ["tour-five"],
    },
    {
        "id": "time",
        "view": "timeline",
        "title": text("Trois siècles", "三百年", "ثلاثة قرون"),
        "entries": ["found", "closed", "listed"],
    },
    {
        "id": "programme",
        "view": "events",
        "title": text("Rendez-vous", "催し", "مواعيد"),
        "entries": ["festival", "cancelled"],
    },
    {
        "id": "words",
        "view": "glossary",
        "title": text("Mots de la mine", "炭鉱のことば", "كلمات المنجم"),
        "entries": ["chevalement", "mine", "lodz"],
    },
    {
        "id": "more",
        "view": "list",
        "title": text("Et encore", "その他", "والمزيد"),
        "entries": ["tagawa", "drawing"],
    },
]
