"""Both champions under both cameras, on pictures that were neither sent nor labeled."""

import numpy as np

from fashion_demo.images import shuffled
from fashion_demo.intervals import lost, recovered, share
from fashion_demo.measure import answers
from fashion_demo.outcome import HeldOut
from fashion_demo.product import view


def measure_held_out(url: str, *, model: str, first: str, last: str, seed: int) -> HeldOut:
    """Ask two versions of a model about the same pictures, as the old and as the new camera takes them."""
    pictures = shuffled("held-out", seed=seed)
    truth = np.array([picture.label for picture in pictures])

    def right(version: str, *, turned: bool) -> np.ndarray:
        contents = [
            view(picture, turned=turned, noise_seed=[seed, 1, number]) for number, picture in enumerate(pictures)
        ]
        rights: np.ndarray = np.array(answers(url, model=model, version=version, contents=contents)) == truth
        return rights

    first_old, first_new = right(first, turned=False), right(first, turned=True)
    last_old, last_new = right(last, turned=False), right(last, turned=True)
    return HeldOut(
        first_old_camera=share(first_old),
        first_new_camera=share(first_new),
        last_old_camera=share(last_old),
        last_new_camera=share(last_new),
        recovered=recovered(old_clean=first_old, old_shifted=first_new, new_shifted=last_new, seed=seed),
        lost=lost(before=first_old, after=last_old, seed=seed),
    )
