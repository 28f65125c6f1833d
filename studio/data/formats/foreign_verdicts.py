"""How other languages than English call the better and the worse answer, a rating, good and bad."""

from __future__ import annotations

SIDES = (
    *(
        ("好", "坏"),
        ("好", "差"),
        ("优", "劣"),
        ("选中", "拒绝"),
        ("接受", "拒绝"),
        ("正例", "负例"),
    ),
    *(("優", "劣"), ("良い", "悪い"), ("採用", "不採用"), ("選択", "却下"), ("좋은", "나쁜")),
    *(("선택", "거부"), ("선호", "비선호"), ("선택된", "거부된")),
    *(("gute", "schlechte"), ("gut", "schlecht"), ("bessere", "schlechtere")),
    *(("besser", "schlechter"), ("bevorzugt", "abgelehnt"), ("bevorzugte", "abgelehnte")),
    *(("bonne", "mauvaise"), ("meilleure", "pire"), ("choisie", "rejetee"), ("choisi", "rejete")),
    *(("buena", "mala"), ("mejor", "peor"), ("elegida", "rechazada"), ("preferida", "rechazada")),
    *(("boa", "ruim"), ("melhor", "pior"), ("escolhida", "rejeitada"), ("buona", "cattiva")),
    *(("migliore", "peggiore"), ("scelta", "rifiutata"), ("хороший", "плохой")),
    *(("лучший", "худший"), ("выбранный", "отклоненный"), ("хорошии", "плохои")),
    *(("richtige", "falsche"), ("correcta", "incorrecta"), ("corretta", "sbagliata")),
    *(("giusta", "sbagliata"), ("corretta", "errata"), ("correta", "incorreta")),
    *(("correta", "errada"), ("correcte", "incorrecte"), ("bonne", "fausse"), ("juiste", "foute")),
    *(
        ("правильныи", "неправильныи"),
        ("верныи", "неверныи"),
        ("正确", "错误"),
        ("正しい", "誤った"),
    ),
    *(("dobra", "zla"), ("lepsza", "gorsza"), ("iyi", "kotu"), ("جيدة", "سيئة"), ("tot", "xau")),
)
"""The better and the worse one, as words of a column's name; other scripts have no borders."""

RATINGS = (
    *("bewertung", "bewertungen", "punktzahl", "punkte", "note", "evaluation", "appreciation"),
    *("puntuacion", "calificacion", "valoracion", "evaluacion", "nota", "punteggio", "voto"),
    *("valutazione", "avaliacao", "pontuacao", "beoordeling", "puan", "degerlendirme", "ocena"),
    *("hodnoceni", "оценка", "балл", "рейтинг", "оцінка", "评分", "分数", "评价", "打分", "得分"),
    *("評分", "評価", "点数", "評点", "スコア", "평가", "점수", "평점", "تقييم", "ציון", "คะแนน"),
)

GOOD = (
    *("gut", "richtig", "hilfreich", "bon", "bonne", "correcte", "utile", "bueno", "buena"),
    *("correcto", "correcta", "util", "bom", "boa", "correto", "buono", "corretto", "хорошо"),
    *("верно", "правильно", "好", "正确", "有用", "赞", "良い", "正しい", "좋음", "정답", "iyi"),
    *("dogru", "dobre", "dobra", "ja", "oui", "si", "sim", "да", "是", "はい", "예", "نعم"),
)
BAD = (
    *("schlecht", "falsch", "mauvais", "mauvaise", "incorrecte", "faux", "inutile", "malo"),
    *("mala", "incorrecto", "incorrecta", "inutil", "ruim", "mau", "incorreto", "cattivo"),
    *("scorretto", "плохо", "неверно", "неправильно", "坏", "差", "错误", "无用", "踩", "悪い"),
    *("間違い", "나쁨", "오답", "kotu", "yanlis", "zle", "zla", "nein", "non", "nao", "нет"),
    *("否", "いいえ", "아니오", "لا"),
)
