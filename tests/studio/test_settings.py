"""Settings: one table, values that are checked, and a file that outlives the program."""

from __future__ import annotations

import pytest

from desktop_app.studio.settings import SETTINGS, Settings


def test_every_setting_begins_with_its_default(qtbot, session):
    settings = Settings(session)
    assert all(settings.get(key) == setting.default for key, setting in SETTINGS.items())


def test_a_change_is_told_once_and_kept(qtbot, session):
    settings = Settings(session)
    with qtbot.waitSignal(settings.changed) as changed:
        settings.set("theme", "dark")
    assert changed.args == ["theme"]
    with qtbot.assertNotEmitted(settings.changed):
        settings.set("theme", "dark")
    settings.flush()
    assert Settings(session).get("theme") == "dark"


def test_a_value_that_a_setting_may_not_have_is_refused(qtbot, session):
    settings = Settings(session)
    for key, value in (("theme", "pink"), ("snap_strength", 1), ("layout", None)):
        with pytest.raises(ValueError, match="cannot be"):
            settings.set(key, value)


def test_foreign_values_in_the_file_are_not_taken_and_unknown_keys_are_kept(qtbot, session):
    session.save("settings", {"theme": 5, "snap_strength": False, "from_the_future": [1]})
    settings = Settings(session)
    assert (settings.get("theme"), settings.get("snap_strength")) == ("auto", False)
    settings.set("theme", "light")
    settings.flush()
    assert session.load("settings")["from_the_future"] == [1]
