"""A small corpus of many scripts and odd spacing, on which tokenizers are compared."""

from __future__ import annotations

from typing import Final

# ruff: noqa: RUF001 -- other scripts than Latin are the point
MULTILINGUAL: Final = (
    "Hello, world! It's 12345 o'clock; we'll see, won't WE'LL?",
    "Über die Straße ging ein schöner Bär, naïve façade, cœur, ﬁn.",
    "Привет, мир! Как дела? Ёлка — 2026 год.",
    "你好，世界。今天天气很好，我们去公园吧！１２３",
    "こんにちは世界、カタカナとひらがな。",
    "안녕하세요 세계, 한국어 문장입니다.",
    "مرحبا بالعالم، كيف حالك؟ ٣٤٥",
    "שלום עולם, מה שלומך?",
    "नमस्ते दुनिया, आप कैसे हैं?",
    "สวัสดีชาวโลก",
    "Γειά σου Κόσμε! Ξέρεις;",
    "🙂🙃 👩‍👩‍👧‍👦 🇨🇭 ✓ ∑ ∞ €",
    "def f(x):\n    return x ** 2  # comment\n\n\tif x != 3:\r\n\t\tpass\n",
    "   leading and   inner    spaces   \n\n\n  and newlines \t tabs  ",
    "a\u0301 decomposed, \u00e1 composed; \u00a0no-break; zero\u200bwidth",
    "1 12 123 1234 12345678901234567890 3.14159 1e-9",
    "<|im_start|>user\n</s> [INST] are only words here",
    "a",
    " ",
    "\n",
)
