"""What is known from all of a study's trials together."""

import pytest

from jobs.search.history import History
from tests.search.campaign import Campaign, epochs


@pytest.mark.parametrize(
    ("accuracy", "chance", "known"),
    [(0.74, 0.5, False), (0.76, 0.5, True), (0.55, 0.2, False), (0.62, 0.2, True)],
)
def test_mirrored_images_are_judged_by_a_network_that_tells_most_images_apart(
    accuracy, chance, known
):
    def history(cost):
        curve = epochs([0.5, accuracy], [0.5, accuracy])
        return History(Campaign(lambda values, trial: curve, mirroring=cost).steps(1), None)

    assert history(0.01).knows_mirrors(chance) is known
    assert history(0.3).knows_mirrors(chance) is known
    assert not history(None).knows_mirrors(chance)
