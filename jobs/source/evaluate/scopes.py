"""Names and what they stand for."""

from jobs.source.evaluate.values import Item


class Scope:
    """A namespace. ``stars`` are libraries whose names were all imported."""

    def __init__(self, parent: "Scope | None" = None, names: dict[str, Item] | None = None) -> None:
        self.parent = parent
        self.names: dict[str, Item] = {} if names is None else names
        self.stars: list[str] = []
        self.module: Scope = parent.module if parent else self
        self.is_class = False
        self.elsewhere: dict[str, Scope] = {}

    def get(self, name: str) -> Item | None:
        scope: Scope | None = self
        first = True
        while scope is not None:
            if name in scope.names and (first or not scope.is_class):
                return scope.names[name]
            scope, first = scope.parent, False
        return None

    def set(self, name: str, value: Item) -> None:
        self.elsewhere.get(name, self).names[name] = value

    def declare_global(self, name: str) -> None:
        self.elsewhere[name] = self.module

    def declare_nonlocal(self, name: str) -> None:
        scope = self.parent
        while scope is not None and name not in scope.names:
            scope = scope.parent
        if scope is not None:
            self.elsewhere[name] = scope

    def all_stars(self) -> list[str]:
        return self.module.stars
