"""Search ranges that are sensible for small CNNs; a range always holds the script's own value."""

from jobs.source.script import Choices, Range, Value

KERNELS = (1, 3, 5, 7)
LEVELS = ("none", "light", "medium", "strong")
UNMIRRORED_LEVELS = ("none", "light-unmirrored", "medium-unmirrored", "strong-unmirrored")
AUGMENTATION = (*LEVELS, *UNMIRRORED_LEVELS[1:])
OPTIMIZERS = ("adam", "rmsprop", "sgd", "nadam")
MOST_DROPOUT = 0.7
DROPOUT_STEP = 0.05


def filters(value: int) -> Range:
    return Range(min(8, value), max(512, value), integer=True, log=True)


def units(value: int) -> Range:
    return Range(min(16, value), max(1024, value), integer=True, log=True)


def kernel(value: int) -> Choices:
    return choices(value, KERNELS)


def choices(value: Value, options: tuple[Value, ...]) -> Choices:
    if value in options:
        return Choices(options)
    known = (*options, value)
    numbers = all(isinstance(each, int | float) for each in known)
    return Choices(tuple(sorted(known)) if numbers else known)


def rate(value: float) -> Range:
    on_grid = abs(value / DROPOUT_STEP - round(value / DROPOUT_STEP)) < 1e-9
    return Range(0.0, max(MOST_DROPOUT, value), step=DROPOUT_STEP if on_grid else None)


def learning_rate(value: float) -> Range:
    return Range(min(1e-5, value), max(1e-1, value), log=True)


def weight_decay(value: float) -> Range:
    return Range(0.0, max(0.1, value))


def epochs(value: int) -> Range:
    return Range(1, max(100, value), integer=True)


def batch_size(value: int, most: int | None) -> Range:
    # Half of it is always in the range: what runs out of memory needs a way down.
    low = max(1, min(8, value // 2))
    return Range(low, max(most or 256, value), integer=True, log=True)
