"""The end of a study, when it is broken off on the way to its mail."""

from email import message_from_bytes
from typing import Any

import pytest

from jobs import notify, pull, watch
from jobs.ending import end_study
from jobs.study import Study


class Death(BaseException):
    """The process ends here."""


def pushed(world: Any) -> Study:
    step = pull.receive(world.context, world.push())
    assert step is not None
    study: Study = world.context.record.open(step.study)
    return study


def text_of(mail: bytes) -> bytes:
    return mail[mail.index(b"The data set is gone.") :]


def test_death_between_composing_and_sending_sends_what_was_composed(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = pushed(world)

    def die(*_: object, **__: object) -> None:
        raise Death

    with monkeypatch.context() as dying:
        dying.setattr(notify, "deliver", die)
        with pytest.raises(Death):
            end_study(world.context, study, "error", "The data set is gone.")
    composed = (world.context.folder(study.name) / notify.MAIL).read_bytes()
    assert world.mails == []
    for _ in range(2):
        watch.run(world.context)
    [file] = world.mails
    sent = message_from_bytes(file.read_bytes())
    assert sent["Message-ID"] == message_from_bytes(composed)["Message-ID"]
    assert text_of(file.read_bytes()) == text_of(composed)
    assert study.get("mail")["attempts"] == 2
    assert study.get("closed")


def test_watch_sends_what_could_not_be_sent_and_counts_its_attempts(world: Any) -> None:
    study = pushed(world)
    outbox = world.context.settings.outbox
    outbox.write_text("in the way")
    end_study(world.context, study, "error", "The data set is gone.")
    watch.run(world.context)
    waiting = study.get("mail")
    assert (waiting["state"], waiting["attempts"]) == ("waiting", 2)
    assert waiting["error"].startswith("The mail could not be written to ")
    assert f"{waiting['error']} It is tried again by the next watch." in world.said
    assert not study.get("closed")
    outbox.unlink()
    for _ in range(2):
        watch.run(world.context)
    assert len(world.mails) == 1
    assert study.get("mail")["attempts"] == 3
    assert "error" not in study.get("mail")
