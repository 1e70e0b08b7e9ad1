from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    size: int = 32
    batch: int = 8
    filters: tuple = (8, 16)
    hidden: int = 20
    rate: float = 1e-3
