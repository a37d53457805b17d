"""Marks and translations of texts that stand in tables rather than in ``self.tr``."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLocale


def QT_TRANSLATE_NOOP(_context: str, text: str) -> str:
    """``text`` itself. lupdate finds the mark by this name; PySide6's own function is typed as giving `object`."""
    return text


def param_text(text: str) -> str:
    """A label or tip of `PARAM_SPECS` in the user's language."""
    return QCoreApplication.translate("Params", text)


def number_locale() -> QLocale:
    """The locale of every number box: a dot and Latin digits, so that 3.5 typed anywhere is 3.5."""
    locale = QLocale(QLocale.Language.C)
    locale.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator | QLocale.NumberOption.RejectGroupSeparator)
    return locale


def file_size(size: int) -> str:
    """``size`` bytes as the hub and the command line count them: 1.5 GB."""
    return QLocale().formattedDataSize(size, 1, QLocale.DataSizeFormat.DataSizeSIFormat)


def plural(count: int, one: str, many: str) -> str:
    """``one`` for a count of 1, else ``many`` with "%1" replaced. English comes without a translation file, so Qt's own
    plural forms would show their marks."""
    return one if count == 1 else many.replace("%1", f"{count:,}")
