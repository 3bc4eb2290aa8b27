"""GetMedia behind the bridge, for every kind of media; datasets is a few lines that know which bytes a sample has."""

import hashlib
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor

import av
import grpc
import numpy as np
import pytest
from console_world import running, sound

from relearn.datasets.v1 import datasets_service_pb2, sample_pb2
from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceServicer, add_DatasetsServiceServicer_to_server
from relearn_media import encode_png

GET_MEDIA = "/relearn.console.v1.MediaService/GetMedia"
RENDITIONS = ("thumbnailPath", "peaksPath", "spectrogramPath")


class Datasets(DatasetsServiceServicer):
    """Knows samples by their digest, and tells nobody but whoever has the right token."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def GetSample(self, request, context):  # noqa: N802 - the RPC's name
        if dict(context.invocation_metadata())["authorization"] != self._authorization:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not yours")
        sha256 = request.sample_id.rpartition("/")[2]
        return datasets_service_pb2.GetSampleResponse(sample=sample_pb2.Sample(sha256=sha256))


@pytest.fixture(scope="module")
def browser(console_tokens, console_folder):
    server = grpc.server(ThreadPoolExecutor(4))
    add_DatasetsServiceServicer_to_server(Datasets(f"Bearer {console_tokens.of('annotator')}"), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with running(console_tokens, console_folder, datasets_address=address) as browser:
        browser.sign_in(console_tokens.of("annotator"))
        yield browser
    server.stop(0).wait()


@pytest.fixture
def media(browser, console_folder):
    """Puts bytes into storage; gives what GetMedia says of them once nothing is being prepared any more."""

    def media(content: bytes) -> dict:
        sha256 = hashlib.sha256(content).hexdigest()
        path = console_folder / "objects" / "blobs" / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        give_up = time.monotonic() + 60
        while (answer := browser.call(GET_MEDIA, {"sampleId": f"shop/sample/{sha256}"}).json)["state"] in (
            "STATE_PREPARING",
        ):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        return answer

    return media


def opened(browser, path: str):
    """What a link opens, without a session."""
    answer = browser.get(path, cookie="")
    assert answer.status == 200
    return answer


def test_a_picture_is_its_own_view_and_has_a_thumbnail(browser, media):
    picture = encode_png(np.random.default_rng(1).integers(0, 256, size=(400, 600, 3), dtype=np.uint8))

    shown = media(picture)

    assert (shown["state"], shown["mediaType"], shown["width"], shown["height"]) == (
        "STATE_READY",
        "image/png",
        600,
        400,
    )
    assert shown["viewPath"] == shown["sourcePath"]
    assert opened(browser, shown["viewPath"]).body == picture
    assert opened(browser, shown["thumbnailPath"]).headers["content-type"] == "image/webp"
    assert (shown["peaksPath"], shown["spectrogramPath"]) == ("", "")


def test_a_text_is_its_own_view_as_utf_8(browser, media):
    text = "zwei Käse 🧀"

    shown = media(text.encode())

    assert (shown["state"], shown["codeUnits"]) == ("STATE_READY", 12)
    answer = opened(browser, shown["viewPath"])
    assert (answer.body.decode(), answer.headers["content-type"]) == (text, "text/plain; charset=utf-8")
    assert [shown[name] for name in RENDITIONS] == ["", "", ""]


def test_a_sound_has_peaks_a_spectrogram_and_a_length(browser, media):
    shown = media(sound(1.5))

    assert (shown["state"], shown["mediaType"], shown["lengthS"]) == ("STATE_READY", "audio/wav", 1.5)
    assert len(json.loads(opened(browser, shown["peaksPath"]).body)) == 2000
    assert opened(browser, shown["spectrogramPath"]).headers["content-type"] == "image/png"
    assert opened(browser, shown["viewPath"]).headers["content-type"].startswith("audio/")


def video(frames: int = 20, rate: int = 10) -> bytes:
    """An AVI without sound, of changing colours."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as file:
        stream = file.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), number * 10, dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def test_a_video_is_shown_as_one_that_browsers_play_and_jump_in(browser, media):
    shown = media(video())

    assert (shown["state"], shown["mediaType"]) == ("STATE_READY", "video/x-msvideo")
    assert (shown["frames"], shown["framesPerSecond"], shown["width"], shown["height"]) == (20, 10.0, 64, 48)
    part = browser.get(shown["viewPath"], cookie="", range="bytes=0-99")
    assert (part.status, part.headers["content-type"], len(part.body)) == (206, "video/webm", 100)
    assert opened(browser, shown["thumbnailPath"]).body[8:12] == b"WEBP"
    assert shown["peaksPath"] == ""  # it has no sound


def test_what_cannot_be_shown_is_refused_in_words_and_without_links(media):
    shown = media(b"RIFF\xff\xff\xff\xffWAVEfmt " + b"\xff" * 40)

    assert shown["state"] == "STATE_REFUSED"
    assert shown["problem"]
    assert shown["sourcePath"] == shown["viewPath"] == ""


def test_the_caller_s_own_token_decides_what_they_see(browser, console_tokens):
    answer = browser.call(
        GET_MEDIA, {"sampleId": "shop/sample/x"}, authorization=f"Bearer {console_tokens.of('manager')}"
    )

    assert (answer.status, answer.json["code"]) == (403, "permission_denied")


def test_links_that_are_asked_for_again_are_the_same_so_that_the_browser_has_them(media):
    first, second = (media(b"a text") for _ in range(2))

    assert first["sourcePath"].partition("?")[0] == second["sourcePath"].partition("?")[0]
    assert first["expireTime"] != second["expireTime"] or first["sourcePath"] == second["sourcePath"]
