"""Made-up studies as the page, the mail and the JUnit file see them."""

from typing import Any

from jobs.environment.spool import Epoch, Result
from jobs.study import StudyView, TrialView

COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
TWEAKS = (
    ("conv2.filters 32 to 48", "Training and validation are low and flat: a wider layer."),
    ("fit.epochs 6 to 9", "Validation accuracy still rises at the end: more epochs."),
    ("dropout 0.3 added before dense1", "The gap between training and validation grows."),
    ("optimizer.learning_rate 0.001 to 0.0004", "The loss jumps from epoch to epoch."),
    ("a third block of 64 filters", "Training accuracy stays low: a deeper network."),
)
DIFF = """\
diff --git a/cnn.py b/cnn.py
index 2f1c7aa..9be01d3 100644
--- a/cnn.py
+++ b/cnn.py
@@ -12,7 +12,8 @@ validation = ImageDataGenerator(rescale=1 / 255)
 model = Sequential()
-model.add(Conv2D(32, (3, 3), activation="relu", input_shape=(64, 64, 3)))
+model.add(Conv2D(48, (3, 3), activation="relu", input_shape=(64, 64, 3)))
 model.add(MaxPooling2D((2, 2)))
+model.add(Dropout(0.3))
--- a comment that was <removed>
"""
GRAPH = """\
* 9be01d3 (retune/main-1a2b3c4/3) conv2.filters 32 to 48
| * 77aa001 (retune/main-1a2b3c4/2) fit.epochs 6 to 9
|/
* 1a2b3c4 Add <model>
"""


def curve(best: float, epochs: int = 6) -> tuple[Epoch, ...]:
    """Epochs that climb to ``best``, with a growing gap to the training accuracy."""
    made = []
    for number in range(1, epochs + 1):
        value = best - 0.18 * (1 - number / epochs) ** 1.5
        made.append(
            Epoch(
                epoch=number,
                epochs=epochs,
                fit=1,
                seconds=2.5,
                logs={},
                accuracy=round(value + 0.012 * number, 4),
                val_accuracy=round(value - 0.01 * (number % 2), 4),
            )
        )
    return tuple(made)


def trial(number: int = 0, objective: float | None = 0.7, **changes: Any) -> TrialView:
    """A trial that was trained to its end, or one still running where ``objective`` is None."""
    words, why = TWEAKS[number % len(TWEAKS)] if number else ("as pushed", "")
    result = Result(
        "complete",
        objective=objective,
        objective_name="val_accuracy",
        best_epoch=6,
        test_accuracy=None if objective is None else round(objective - 0.011, 4),
        epochs=6,
        inherited=None if number == 0 else 0.87,
        seconds_in_fit=15.2,
        seconds_outside_fit=1.4,
        versions={"keras": "3.15.0", "tensorflow": "2.21.0"},
    )
    facts: dict[str, Any] = {
        "number": number,
        "state": "running" if objective is None else "complete",
        "parent": number - 1 if number else None,
        "commit": f"{number:02d}{COMMIT[2:]}",
        "tweak": {},
        "words": words,
        "kind": "",
        "why": why,
        "diagnosis": "" if objective is None else "Validation accuracy still rises at the end.",
        "params": {},
        "epochs": () if objective is None else curve(objective),
        "result": None if objective is None else result,
        "relaunches": (),
        "started": None,
        "ended": None,
    }
    return TrialView(**{**facts, **changes})


def failed(number: int, reason: str | None, **changes: Any) -> TrialView:
    result = Result("failed", failure="script-error", reason=reason, seconds_in_fit=2.0)
    return trial(number, None, **{"state": "failed", "result": result, **changes})


def study(*trials: TrialView, **changes: Any) -> StudyView:
    """A finished study that reached its target, unless ``changes`` say otherwise."""
    facts: dict[str, Any] = {
        "name": "main-1a2b3c4",
        "state": "finished",
        "outcome": "reached",
        "reason": "Trial 3 reached 0.8120, the target was 0.80.",
        "branch": "main",
        "commit": COMMIT,
        "author": "Ada Pusher",
        "subject": "Add a CNN",
        "script": "cnn.py",
        "dataset": "cats_dogs",
        "environment": "docker container of retune-trainer, 2 cores, 4 GiB",
        "target": 0.8,
        "max_trials": 30,
        "max_hours": 12.0,
        "started": 1_760_000_000.0,
        "ended": 1_760_000_372.0,
        "recipients": ("you@example.com",),
        "notes": ("2 of 2,000 images cannot be decoded and are left out.",),
        "trials": trials,
    }
    return StudyView(**{**facts, **changes})


def reached() -> StudyView:
    """Four trials, one of them failed, the last at the target."""
    return study(
        trial(0, 0.714),
        failed(1, "The script ended with ValueError: negative dimension <b>size</b>.", parent=0),
        trial(2, 0.768, parent=0),
        trial(3, 0.812),
    )


def long_study() -> StudyView:
    """Thirty trials in several lineages, whose budget is spent."""
    heights = [0.62 + 0.13 * (1 - 0.88**n) + 0.02 * ((n * 7) % 5 - 2) / 2 for n in range(30)]
    made = [
        trial(n, round(h, 4), parent=(n * 5 // 6 if n else None)) for n, h in enumerate(heights)
    ]
    made[7] = failed(7, "The container was out of memory.", parent=5)
    made[19] = failed(19, "The loss became NaN in epoch 2.", parent=15, epochs=curve(0.5, 2))
    return study(
        *made,
        outcome="budget",
        reason="The budget of 30 trials is spent; the best was trial 27 with 0.7659.",
    )
