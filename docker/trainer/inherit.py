"""A trial's first convolutional network begins with the weights of its parent trial's model."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras

from trainer import chain, momentum, network, surgery, undoing
from trainer.network import Array
from trainer.session import Session
from trainer.spool import Trial


def is_convolutional(model: keras.Model) -> bool:
    """Whether any layer, nested ones included, convolves over two axes."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    return any("conv2d" in type(each).__name__.lower() for each in layers)


def inherit_into(model: keras.Model, session: Session, images: Callable[[], Array | None]) -> bool:
    """Give a built model what it can take from ``trials/<inherit>/model.keras``, and report it.

    ``images`` gives some of those that it trains on, where they can be had. Gives whether no layer
    begins anew. A model file that is missing or cannot be read leaves the weights fresh, with a
    note.
    """
    number = session.request.inherit
    if number is None:
        return False
    state = session.state
    state.inherited = 0.0
    path = Trial(session.trials / str(number)).model
    seed = session.request.seed if session.request.seed is not None else session.request.trial
    try:
        parent = network.read_file(path)
    except network.NetworkError as error:
        state.note(f"Nothing was inherited from trial {number}: {error}")
        return False
    if not _is_described(model):
        try:
            state.inherited, state.inheritance = _copy_by_path(path, model)
        except (OSError, ValueError, KeyError) as error:
            state.note(f"Nothing was inherited from trial {number}: {error}")
            return False
        whole = state.inherited == 1.0
    else:
        child, live = network.of_model(model)
        done = surgery.inherit(parent, child, seed=seed)
        for index, weights in done.weights.items():
            live[index].set_weights(weights)
        new = [live[index] for index in done.undoing]
        # Beside other new layers, whose weights follow, fresh ones let the network learn sooner.
        undone = bool(new) and not done.anew and undoing.undo(model, live, new, images)
        how = undoing.UNDONE if undone else f"begins anew, {chain.NEW_NORMALISATION}"
        state.inherited = done.share
        state.inheritance = [*done.sentences, *(f"{each.name}: {how}" for each in new)]
        whole = not done.anew and (undone or not new)
        if surgery.is_whole(parent, child, done):
            if momentum.take_over(parent, model):
                state.inheritance.append(f"{model.optimizer.name}: goes on with its moments.")
        elif count := momentum.take_over_in_part(parent, model, done, live):
            noun = "weight" if count == 1 else "weights"
            state.inheritance.append(
                f"{model.optimizer.name}: goes on with the moments of {count} unchanged {noun}."
            )
    session.save()
    print(f"Inherited {state.inherited:.0%} of the parameters from trial {number}.", flush=True)
    return whole


def _is_described(model: keras.Model) -> bool:
    """Whether the layers' order is known: sequential and functional models, not subclassed ones."""
    return isinstance(model, keras.Sequential) or hasattr(model, "operations")


def _copy_by_path(path: Path, model: keras.Model) -> tuple[float, list[str]]:
    """For subclassed models: what has the same attribute's name and shape in both is taken over.

    Gives the share of the parameters and sentences.
    """
    sentences, taken = [], 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "child.weights.h5"
        model.save_weights(file)
        with network.weights_file(path) as parent, h5py.File(file, "r+") as child:
            for name, variables in network.variables_by_path(child):
                theirs = parent.get(name)
                if theirs is None or network.shapes(theirs) != network.shapes(variables):
                    sentences.append(f"{name}: begins anew, the parent has none of this shape.")
                    continue
                for each in variables:
                    variables[each][...] = theirs[each][...]
                    taken += variables[each].size
                sentences.append(f"{name}: taken over.")
        model.load_weights(file)
    return taken / max(1, sum(math.prod(each.shape) for each in model.weights)), sentences
