import io

import numpy as np
from fashion_demo.camera import turned_camera
from fashion_demo.images import pictures
from PIL import Image


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)), dtype=np.float32)


def encoded(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_bright_top_edge_becomes_a_darker_left_edge():
    top_half_white = np.zeros((28, 28))
    top_half_white[:14] = 255

    turned = pixels(turned_camera(encoded(top_half_white), np.random.default_rng(0)))

    left, right = turned[6:22, 5:12].mean(), turned[6:22, 16:23].mean()
    assert abs(left - 255 * 0.6) < 10
    assert right < 10


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    content = encoded(np.full((28, 28), 128))

    assert turned_camera(content, np.random.default_rng(1)) == turned_camera(content, np.random.default_rng(1))
    assert turned_camera(content, np.random.default_rng(1)) != turned_camera(content, np.random.default_rng(2))


def test_the_parts_of_the_archive_share_no_picture():
    labeled, traffic, held_out = (
        {picture.content for picture in pictures(part)} for part in ("labeled", "traffic", "held-out")
    )

    assert (len(labeled), len(traffic), len(held_out)) == (4000, 10000, 2000)
    assert not labeled & traffic
    assert not labeled & held_out
    assert not traffic & held_out
