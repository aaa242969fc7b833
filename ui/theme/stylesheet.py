"""The one style sheet, written from the tokens. Widgets name what they are in the property `kind` (and `tone`)."""

from __future__ import annotations

from personal_ai.common.paths import resource
from ui.theme.tokens import (
    CODE_FAMILY,
    RADIUS_BUBBLE,
    RADIUS_CARD,
    RADIUS_CONTROL,
    TYPE_CODE,
    TYPE_HEADING_1,
    TYPE_HEADING_2,
    TYPE_NUMBER,
    TYPE_SMALL,
    Tokens,
)


def _picture(name: str) -> str:
    """An icon by its file: a style sheet cannot colour one, so these have a colour of their own."""
    return (resource("icons") / f"{name}.svg").as_posix()


def stylesheet(tokens: Tokens) -> str:
    """Style sheet text for the whole application."""
    parts = (_grounds, _labels, _buttons, _chips, _fields, _lists, _conversation, _bars)
    return "\n".join(part(tokens) for part in parts)


def _grounds(t: Tokens) -> str:
    return f"""
QMainWindow, QDialog, QWidget[kind="page"] {{ background: {t.ground}; }}
QWidget[kind="rail"] {{ background: {t.rail}; border-right: 1px solid {t.line}; }}
QFrame[kind="card"] {{ background: {t.surface}; border: 1px solid {t.line}; border-radius: {RADIUS_CARD}px; }}
QFrame[kind="line"] {{ background: {t.line}; border: none; }}
QToolTip {{ background: {t.surface}; color: {t.text}; border: 1px solid {t.line}; padding: 4px 8px;
    font-size: {TYPE_SMALL}px; }}
QMenu {{ background: {t.surface}; border: 1px solid {t.line}; border-radius: {RADIUS_CONTROL}px; padding: 4px; }}
QMenu::item {{ padding: 7px 16px 7px 12px; border-radius: 6px; background: transparent; }}
QMenu::item:selected {{ background: {t.accent_soft}; color: {t.accent}; }}
QMenu::item:disabled {{ color: {t.muted}; }}
QMenu::indicator {{ width: 14px; height: 14px; margin-left: 8px; }}
QMenu::separator {{ height: 1px; background: {t.line}; margin: 4px 8px; }}
"""


def _labels(t: Tokens) -> str:
    return f"""
QLabel {{ background: transparent; }}
QLabel[kind="small"] {{ color: {t.muted}; font-size: {TYPE_SMALL}px; }}
QLabel[kind="muted"] {{ color: {t.muted}; }}
QLabel[kind="heading1"] {{ font-size: {TYPE_HEADING_1}px; font-weight: 600; }}
QLabel[kind="heading2"] {{ font-size: {TYPE_HEADING_2}px; font-weight: 600; }}
QLabel[kind="number"] {{ font-size: {TYPE_NUMBER}px; font-weight: 600; }}
QLabel[kind="strong"] {{ font-weight: 600; }}
QLabel[kind="mono"] {{ font-family: "{CODE_FAMILY}"; font-size: {TYPE_SMALL}px; color: {t.muted}; }}
QLabel[kind="bad"] {{ color: {t.bad}; }}
QLabel[kind="word"] {{ background: {t.surface}; border: 1px solid {t.line}; border-radius: {RADIUS_CONTROL}px;
    padding: 9px 12px; }}
"""


def _buttons(t: Tokens) -> str:
    return f"""
QPushButton {{ background: transparent; color: {t.text}; border: 1px solid {t.edge};
    border-radius: {RADIUS_CONTROL}px; padding: 7px 13px; }}
QPushButton:hover {{ background: {t.hover}; }}
QPushButton:disabled {{ color: {t.muted}; background: transparent; }}
QPushButton[kind="primary"] {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent};
    font-weight: 600; padding: 7px 16px; }}
QPushButton[kind="primary"]:hover, QPushButton[kind="primary"]:pressed {{ background: {t.accent_hover};
    border-color: {t.accent_hover}; }}
QPushButton[kind="primary"]:disabled {{ background: {t.line}; border-color: {t.line}; color: {t.muted}; }}
QPushButton[kind="quiet"] {{ border-color: transparent; color: {t.muted}; padding: 5px 8px; }}
QPushButton[kind="quiet"]:hover {{ background: {t.hover}; color: {t.text}; }}
QPushButton[kind="action"] {{ border: none; color: {t.muted}; font-size: {TYPE_SMALL}px; padding: 2px 6px;
    border-radius: 5px; }}
QPushButton[kind="action"]:hover {{ background: {t.hover}; color: {t.text}; }}
QPushButton[kind="rail"] {{ border: none; text-align: left; padding: 8px 10px; }}
QPushButton[kind="rail"]:hover {{ background: {t.hover}; }}
QPushButton[kind="rail"]:checked {{ background: {t.accent_soft}; color: {t.accent}; font-weight: 600; }}
QPushButton[kind="suggestion"] {{ background: {t.surface}; text-align: left; padding: 10px 14px; }}
QPushButton[kind="suggestion"]:hover {{ border-color: {t.accent}; }}
QPushButton[kind="jump"] {{ background: {t.surface}; border-radius: 16px; padding: 6px 14px;
    font-size: {TYPE_SMALL}px; }}
QPushButton[kind="jump"]:hover {{ background: {t.hover}; }}
QPushButton::menu-indicator {{ width: 0; image: none; }}
"""


def _chips(t: Tokens) -> str:
    tones = {
        "plain": (t.hover, t.text),
        "accent": (t.accent_soft, t.accent),
        "good": (t.good_soft, t.good),
        "warning": (t.warning_soft, t.warning),
        "bad": (t.bad_soft, t.bad),
    }
    shape = f"border: none; border-radius: 10px; padding: 3px 12px; font-size: {TYPE_SMALL}px; font-weight: 600;"
    rules = [f'QLabel[kind="chip"], QPushButton[kind="chip"] {{ {shape} }}']
    for tone, (ground, text) in tones.items():
        rules += [
            f'{widget}[kind="chip"][tone="{tone}"] {{ background: {ground}; color: {text}; }}'
            for widget in ("QLabel", "QPushButton")
        ]
    rules.append(f'QPushButton[kind="chip"]:hover {{ border: 1px solid {t.muted}; padding: 2px 11px; }}')
    return "\n".join(rules)


def _fields(t: Tokens) -> str:
    tick = _picture("tick-on-dark" if t.dark else "tick-on-light")
    return f"""
QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox, QPlainTextEdit[kind="field"] {{ background: {t.surface};
    border: 1px solid {t.edge}; border-radius: {RADIUS_CONTROL}px; padding: 8px 11px;
    selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QLineEdit:hover, QComboBox:hover, QSpinBox:hover, QDoubleSpinBox:hover,
    QPlainTextEdit[kind="field"]:hover {{ border-color: {t.muted}; }}
QLineEdit:focus, QComboBox:focus, QComboBox:on, QSpinBox:focus, QDoubleSpinBox:focus,
    QPlainTextEdit[kind="field"]:focus {{ border-color: {t.accent}; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; height: 0; border: none; }}
QComboBox::drop-down {{ border: none; width: 28px; }}
QComboBox::down-arrow {{ image: url("{_picture("chevron-grey")}"); width: 16px; height: 16px; }}
QComboBox QAbstractItemView {{ background: {t.surface}; border: 1px solid {t.line}; padding: 4px; outline: none;
    selection-background-color: {t.accent_soft}; selection-color: {t.accent}; }}
QPlainTextEdit, QTextBrowser {{ background: transparent; border: none;
    selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QPlainTextEdit[kind="mono"] {{ font-family: "{CODE_FAMILY}"; font-size: {TYPE_CODE}px; }}
QCheckBox, QRadioButton {{ spacing: 10px; padding: 4px 2px; }}
QCheckBox::indicator, QRadioButton::indicator {{ width: 14px; height: 14px; background: {t.surface};
    border: 1px solid {t.muted}; }}
QCheckBox::indicator {{ border-radius: 4px; }}
QRadioButton::indicator {{ border-radius: 8px; }}
QCheckBox::indicator:hover, QRadioButton::indicator:hover {{ border-color: {t.accent}; }}
QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent}; image: url("{tick}"); }}
QRadioButton::indicator:checked {{ width: 6px; height: 6px; background: {t.on_accent};
    border: 5px solid {t.accent}; }}
"""


def _lists(t: Tokens) -> str:
    return f"""
QListWidget {{ background: transparent; border: none; outline: none; }}
QListWidget::item {{ border: 1px solid transparent; border-radius: {RADIUS_CONTROL}px; padding: 7px 11px;
    margin: 1px 0; color: {t.text}; }}
QListWidget::item:hover {{ background: {t.hover}; }}
QListWidget::item:selected {{ background: {t.surface}; border-color: {t.line}; color: {t.text}; }}
QScrollArea, QScrollArea > QWidget > QWidget[kind="clear"] {{ background: transparent; border: none; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {t.line}; border-radius: 3px; min-height: 32px; margin: 2px; }}
QScrollBar::handle:vertical:hover {{ background: {t.muted}; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle:horizontal {{ background: {t.line}; border-radius: 3px; min-width: 32px; margin: 2px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: none; }}
"""


def _conversation(t: Tokens) -> str:
    return f"""
QFrame[kind="bubble"] {{ background: {t.bubble}; border: none; border-radius: {RADIUS_BUBBLE}px; }}
QFrame[kind="message"] {{ border: 1px solid transparent; border-radius: {RADIUS_CARD}px; }}
QFrame[kind="message"]:focus {{ border-color: {t.accent}; }}
QFrame[kind="code"] {{ background: {t.code}; border: 1px solid {t.line}; border-radius: {RADIUS_CONTROL}px; }}
QFrame[kind="notice"] {{ background: {t.surface}; border: 1px solid {t.line}; border-radius: {RADIUS_BUBBLE}px; }}
QFrame[kind="notice"][tone="bad"] {{ background: {t.bad_soft}; border-color: {t.bad}; }}
QFrame[kind="composer"] {{ background: {t.surface}; border: 1px solid {t.edge};
    border-radius: {RADIUS_BUBBLE}px; }}
QFrame[kind="composer"][focused="true"] {{ border-color: {t.accent}; }}
QFrame[kind="toast"] {{ background: {t.text}; border-radius: {RADIUS_CARD}px; }}
QFrame[kind="toast"] QLabel {{ color: {t.ground}; }}
QFrame[kind="toast"] QPushButton {{ color: {t.ground}; border: 1px solid {t.muted}; padding: 4px 12px; }}
QFrame[kind="toast"] QPushButton:hover {{ background: {t.muted}; }}
"""


def _bars(t: Tokens) -> str:
    return f"""
QProgressBar {{ background: {t.line}; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}
QProgressBar[tone="warning"]::chunk {{ background: {t.warning}; }}
"""
