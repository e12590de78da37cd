"""Small MP4 files of still scenes, through PyAV: one frame a second, one thread, the same bytes for the same scenes.

Holds video coding only; which scenes a video has is decided in ``world.py``.
"""

import io
import zlib
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

from assets.miniature.render import FRAME_SIZE, clip_frame
from assets.miniature.sentences import WorldVideo
from assets.miniature.world import SCENE_SECONDS, Scene

FPS = 1  # frames a second
QUALITY = "18"  # x264 constant rate factor


def write_video(path: Path, video: WorldVideo) -> None:
    """Write a video to a file; two videos of equal scenes differ in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mp4_bytes(video.scenes, serial=zlib.crc32(video.id.encode())))


def mp4_bytes(scenes: Sequence[Scene], *, serial: int = 0) -> bytes:
    """An H.264 video of ``scenes``, 64 x 64 pixels, 15 seconds a scene.

    ``serial`` is written as barely different greys into the last row, so that equal scenes of two videos differ in bytes.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width = stream.height = FRAME_SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.codec_context.thread_count = 1
        stream.options = {"crf": QUALITY, "preset": "ultrafast", "threads": "1", "g": str(SCENE_SECONDS)}
        for number, scene in enumerate(scenes):
            frame = av.VideoFrame.from_ndarray(_marked(scene, serial), format="rgb24").reformat(
                format="yuv420p"
            )
            for second in range(SCENE_SECONDS):
                frame.pts = number * SCENE_SECONDS + second
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def _marked(scene: Scene, serial: int) -> np.ndarray:
    pixels = _scene(scene).copy()
    bits = np.array([serial >> k & 1 for k in range(FRAME_SIZE // 4)], np.uint8)
    pixels[-4:] += np.repeat(bits * 12, 4)[None, :, None]
    return pixels


@lru_cache(maxsize=64)
def _scene(scene: Scene) -> np.ndarray:
    return np.asarray(clip_frame(scene.colour, scene.mark))
