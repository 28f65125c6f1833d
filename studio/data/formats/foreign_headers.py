# ruff: noqa: RUF001
"""What columns of prompts, answers and thoughts are called in other languages than English."""

from __future__ import annotations

PROMPTS: dict[str, tuple[str, ...]] = {
    "Arabic": ("السؤال", "سؤال", "التعليمات", "تعليمات", "المدخل", "الطلب", "المدخلات"),
    "Bengali": ("প্রশ্ন", "নির্দেশ"),
    "Chinese": (
        "问题",
        "問題",
        "指令",
        "提问",
        "提問",
        "输入",
        "輸入",
        "提示",
        "题目",
        "用户",
        "客户",
        "顾客",
        "提示词",
    ),
    "Czech": ("otazka", "dotaz", "pokyn"),
    "Dutch": ("vraag", "opdracht", "instructie"),
    "French": ("question", "consigne", "requete", "demande", "invite"),
    "German": ("frage", "anweisung", "aufgabe", "eingabe", "nutzer", "auftrag"),
    "Greek": ("ερωτηση", "εντολη", "οδηγια"),
    "Hebrew": ("שאלה", "הוראה", "קלט"),
    "Hindi": ("प्रश्न", "सवाल", "निर्देश"),
    "Hungarian": ("kerdes", "utasitas"),
    "Indonesian": ("pertanyaan", "instruksi", "soalan", "arahan"),
    "Italian": ("domanda", "istruzione", "richiesta", "quesito"),
    "Japanese": ("質問", "指示", "問い", "問題文", "入力", "命令", "プロンプト", "設問"),
    "Korean": ("질문", "지시", "지시문", "명령", "입력", "문제", "프롬프트"),
    "Persian": ("پرسش", "سوال", "دستور"),
    "Polish": ("pytanie", "instrukcja", "polecenie", "zapytanie"),
    "Portuguese": ("pergunta", "instrucao", "entrada", "questao", "solicitacao"),
    "Romanian": ("intrebare", "instructiune"),
    "Russian": ("вопрос", "инструкция", "запрос", "задание", "промпт", "задача", "ввод"),
    "Scandinavian": ("sporgsmal", "fraga", "sporsmal", "instruktion", "instruks", "kysymys"),
    "Spanish": ("pregunta", "instruccion", "entrada", "consulta", "solicitud", "enunciado"),
    "Thai": ("คำถาม", "คำสั่ง"),
    "Turkish": ("soru", "talimat", "girdi", "istem"),
    "Ukrainian": ("питання", "запит", "завдання", "інструкція", "запитання"),
    "Urdu": ("سوال", "ہدایت"),
    "Vietnamese": ("cau hoi", "câu hỏi", "huong dan", "yêu cầu"),
}
"""Language -> words for the prompt."""

INPUTS: dict[str, tuple[str, ...]] = {
    "Arabic": ("المدخل", "المدخلات", "السياق"),
    "Chinese": ("输入", "輸入", "上下文", "背景", "材料"),
    "French": ("entree", "contexte"),
    "German": ("eingabe", "kontext"),
    "Hebrew": ("קלט",),
    "Italian": ("ingresso", "contesto"),
    "Japanese": ("入力", "文脈"),
    "Korean": ("입력", "문맥"),
    "Polish": ("wejscie", "kontekst"),
    "Portuguese": ("entrada",),
    "Russian": ("ввод", "вход", "контекст", "входные данные"),
    "Spanish": ("entrada", "contexto"),
    "Turkish": ("girdi", "baglam"),
    "Vietnamese": ("đầu vào", "ngữ cảnh"),
}
"""Language -> words for what an instruction is about, beside a prompt."""

ANSWERS: dict[str, tuple[str, ...]] = {
    "Arabic": ("الجواب", "جواب", "الإجابة", "إجابة", "الرد", "المخرج", "المخرجات"),
    "Bengali": ("উত্তর",),
    "Chinese": ("回答", "答案", "答复", "回复", "回覆", "输出", "輸出", "响应", "助手", "客服"),
    "Czech": ("odpoved", "vystup"),
    "Dutch": ("antwoord", "uitvoer", "reactie"),
    "French": ("reponse", "sortie"),
    "German": ("antwort", "ausgabe", "loesung", "losung"),
    "Greek": ("απαντηση",),
    "Hebrew": ("תשובה", "פלט"),
    "Hindi": ("उत्तर", "जवाब"),
    "Hungarian": ("valasz",),
    "Indonesian": ("jawaban", "keluaran", "jawapan"),
    "Italian": ("risposta", "uscita"),
    "Japanese": ("回答", "答え", "応答", "出力", "返答", "解答", "返信"),
    "Korean": ("답변", "응답", "답", "출력", "정답", "대답"),
    "Persian": ("پاسخ", "جواب"),
    "Polish": ("odpowiedz", "wyjscie"),
    "Portuguese": ("resposta", "saida"),
    "Romanian": ("raspuns",),
    "Russian": ("ответ", "вывод", "решение", "отклик"),
    "Scandinavian": ("svar", "vastaus"),
    "Spanish": ("respuesta", "salida", "contestacion"),
    "Thai": ("คำตอบ",),
    "Turkish": ("cevap", "yanit", "yanıt", "cikti", "çıktı"),
    "Ukrainian": ("відповідь", "вивід"),
    "Urdu": ("جواب",),
    "Vietnamese": ("cau tra loi", "câu trả lời", "tra loi", "trả lời", "phản hồi"),
}
"""Language -> words for the answer."""

CHOICES = (
    *("antwort", "option", "auswahl", "reponse", "choix", "respuesta", "opcion", "risposta"),
    *("opzione", "scelta", "resposta", "opcao", "alternativa", "antwoord", "keuze", "ответ"),
    *("вариант", "选项", "選項", "選択肢", "보기"),
)
"""Options of a question, before their letter or number."""
RIGHT = (
    *("richtig", "richtige_antwort", "loesung", "korrekt", "bonne_reponse", "reponse_correcte"),
    *("correcta", "respuesta_correcta", "corretta", "risposta_corretta", "risposta_esatta"),
    *("correta", "resposta_correta", "gabarito", "juist_antwoord", "правильныи_ответ"),
    *("正确答案", "正確答案", "正解", "정답"),
)
"""Which of a question's options is right."""

THOUGHTS: dict[str, tuple[str, ...]] = {
    "Chinese": ("思考", "思考过程", "思考過程", "推理", "推理过程", "推理過程", "思维链", "思維鏈"),
    "French": ("raisonnement",),
    "German": ("gedankengang", "denkprozess", "ueberlegung"),
    "Italian": ("ragionamento",),
    "Japanese": ("思考", "思考過程", "推論"),
    "Korean": ("추론", "사고 과정"),
    "Portuguese": ("raciocinio",),
    "Russian": ("рассуждение", "рассуждения"),
    "Spanish": ("razonamiento",),
}
"""Language -> words for the thought before the answer."""

_SPEAKERS = {
    "user": "benutzer nutzer anwender utilisateur utilisatrice usuario usuário utente gebruiker "
    "użytkownik kullanıcı пользователь користувач 用户 用戶 ユーザー 사용자 المستخدم",
    "assistant": "assistent assistentin asistente assistente asystent asistan ассистент асистент "
    "助手 アシスタント 어시스턴트 المساعد",
    "system": "système sistema systeem система 系统 系統 システム 시스템",
}
ROLES = {word: role for role, words in _SPEAKERS.items() for word in words.split()}
"""What a turn's role is called -> TRL's name for it."""
