"""Weights from the parent trial's model."""

from typing import Any

from trainer.session import Session


def inherit_into(model: Any, session: Session) -> None:
    """Not there yet: the model keeps its fresh weights, and the result says so."""
    session.state.note(f"Nothing was inherited into {model.name}.")
