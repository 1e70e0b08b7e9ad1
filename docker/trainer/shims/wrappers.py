"""``keras.wrappers.scikit_learn``, dropped with Keras 2.12: a model as scikit-learn wants it."""

import copy
import inspect
import sys
from types import ModuleType
from typing import Any

import keras
import numpy as np

from trainer.shims.modules import ROOTS


class BaseWrapper:
    """``build_fn`` makes the model; the other arguments go to it, or to ``fit``, by their names."""

    def __init__(self, build_fn: Any = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params

    def get_params(self, **_: Any) -> dict[str, Any]:
        return copy.deepcopy(self.sk_params) | {"build_fn": self.build_fn}

    def set_params(self, **params: Any) -> "BaseWrapper":
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.sk_params.update(params)
        return self

    def filter_sk_params(self, function: Any, override: Any = None) -> dict[str, Any]:
        wanted = set(inspect.signature(function).parameters)
        own = {name: value for name, value in self.sk_params.items() if name in wanted}
        return own | dict(override or {})

    def fit(self, x: Any, y: Any, **named: Any) -> Any:
        build = self.build_fn
        if build is None:
            build = self.__call__  # type: ignore[operator]
        elif not inspect.isfunction(build) and not inspect.ismethod(build):
            build = build.__call__
        self.model = build(**self.filter_sk_params(build))
        if self.model.loss == "categorical_crossentropy" and np.ndim(y) != 2:
            y = keras.utils.to_categorical(y)
        given = self.filter_sk_params(keras.Model.fit, named)
        if "nb_epoch" in self.sk_params:
            given.setdefault("epochs", self.sk_params["nb_epoch"])
        return self.model.fit(x, y, **given)


class KerasClassifier(BaseWrapper):
    _estimator_type = "classifier"

    def fit(self, x: Any, y: Any, **named: Any) -> Any:
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        self.n_classes_ = len(self.classes_)
        return super().fit(x, y, **named)

    def predict(self, x: Any, **_: Any) -> Any:
        chances = self.model.predict(x)
        if chances.shape[-1] > 1:
            return self.classes_[chances.argmax(axis=-1)]
        return self.classes_[(chances > 0.5).astype("int32")]

    def predict_proba(self, x: Any, **_: Any) -> Any:
        chances = self.model.predict(x)
        return chances if chances.shape[1] > 1 else np.hstack([1 - chances, chances])

    def score(self, x: Any, y: Any, **_: Any) -> float:
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            y = self.classes_[y.argmax(axis=-1)]
        return float(np.mean(np.ravel(self.predict(x)) == np.ravel(y)))


class KerasRegressor(BaseWrapper):
    _estimator_type = "regressor"

    def predict(self, x: Any, **_: Any) -> Any:
        return np.squeeze(self.model.predict(x), axis=-1)

    def score(self, x: Any, y: Any, **_: Any) -> float:
        return -float(self.model.evaluate(x, y, verbose=0))


def install() -> None:
    for root in ROOTS:
        package = sys.modules.get(f"{root}.wrappers") or ModuleType(f"{root}.wrappers")
        package.__path__ = []
        module = ModuleType(f"{root}.wrappers.scikit_learn")
        for kind in (BaseWrapper, KerasClassifier, KerasRegressor):
            setattr(module, kind.__name__, kind)
        package.scikit_learn = module  # type: ignore[attr-defined]
        sys.modules[package.__name__], sys.modules[module.__name__] = package, module
        setattr(sys.modules[root], "wrappers", package)  # noqa: B010
