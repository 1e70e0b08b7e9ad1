"""What is known from all of a study's trials together."""

import pytest

from jobs.search.history import History
from tests.search.campaign import Campaign, epochs


@pytest.mark.parametrize(
    ("accuracy", "classes", "known"),
    [(0.74, 2, False), (0.76, 2, True), (0.55, 5, False), (0.62, 5, True), (0.76, None, True)],
)
def test_mirrored_images_are_judged_by_a_network_that_tells_most_images_apart(
    accuracy, classes, known
):
    def history(cost):
        curve = epochs([0.5, accuracy], [0.5, accuracy])
        return History(Campaign(lambda values, trial: curve, mirroring=cost).steps(1), None)

    assert history(0.01).knows_mirrors(classes) is known
    assert history(0.3).knows_mirrors(classes) is known
    assert not history(None).knows_mirrors(classes)
