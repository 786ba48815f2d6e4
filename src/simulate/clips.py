"""Clips for the simulator: each is encoded once (or passed through), then replayed from memory."""

import math
import pathlib
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstPbutils", "1.0")
gi.require_version("GstController", "1.0")
from gi.repository import Gst, GstController, GstPbutils  # noqa: E402

# A client that joins late waits at most this long for a keyframe.
KEYFRAME_SECONDS = 1
# A clip is held in memory; longer sources are cut.
MAX_SECONDS = 300
STILL_SECONDS = 12
# A decoder without output for this long hangs: GStreamer 1.22 does at the end of a GIF.
HANG_SECONDS = 10
STILL_SIZE = (640, 360)

CAPS = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au",
    "h265": "video/x-h265,stream-format=byte-stream,alignment=au",
    "mjpeg": "image/jpeg",
}
PARSERS = {
    "h264": "h264parse config-interval=-1",
    "h265": "h265parse config-interval=-1",
    "mjpeg": "jpegparse",
}
MEDIA_TYPES = {"video/x-h264": "h264", "video/x-h265": "h265", "image/jpeg": "mjpeg"}

PROBE_TIME = 60 * Gst.SECOND


class ClipError(Exception):
    """A source that cannot be played; the message is shown to the user."""


class Clip:
    """Encoded access units in decoding order; times in nanoseconds from 0."""

    def __init__(self, codec, caps, units, duration):
        self.codec = codec
        self.caps = caps
        self.units = units  # [(bytes, pts, dts, is_key)]
        self.duration = duration

    def describe(self):
        structure = Gst.Caps.from_string(self.caps).get_structure(0)
        known, numerator, denominator = structure.get_fraction("framerate")
        return {
            "codec": self.codec,
            "width": structure.get_value("width"),
            "height": structure.get_value("height"),
            "fps": round(numerator / max(1, denominator)) if known else 25,
        }


def load(source, codec=None, fps=None, size=None):
    """Loads any file that GStreamer can decode. Without fps and size, a file in the codec is not re-encoded."""
    path = pathlib.Path(source).resolve()
    if not path.is_file():
        raise ClipError(f"{source}: no such file")
    info = _probe(path)
    fits = info["codec"] is not None and codec in (None, info["codec"])
    if fits and fps is None and size is None and not info["still"]:
        clip = _passthrough(path, info["codec"])
        if clip is not None:
            return clip
    return _encode(path, codec or "h264", fps or info["fps"], size or info["size"], info["still"])


def _probe(path):
    try:
        info = GstPbutils.Discoverer.new(PROBE_TIME).discover_uri(path.as_uri())
    except Exception as error:
        raise ClipError(f"{path.name}: cannot be read as video or image ({error})") from error
    # On timeout discover_uri raises no error: it returns what it has found so far, which may be nothing.
    if info.get_result() == GstPbutils.DiscovererResult.TIMEOUT:
        raise ClipError(f"{path.name}: probing it takes too long on this machine")
    streams = info.get_video_streams()
    if not streams:
        raise ClipError(f"{path.name}: contains no video and no image")
    stream = streams[0]
    caps = stream.get_caps()
    still = stream.is_image()
    declared = stream.get_framerate_num() / max(1, stream.get_framerate_denom())
    size = STILL_SIZE if still else tuple(n & ~1 for n in (stream.get_width(), stream.get_height()))
    return {
        "codec": MEDIA_TYPES.get(caps.get_structure(0).get_name()) if caps else None,
        "still": still,
        "fps": round(declared, 3) if 1 <= declared <= 60 else 25,
        "size": size,
    }


def _passthrough(path, codec):
    """Loads the file's own access units; None if its keyframes are too far apart for clients that join late."""
    caps, units = _pull(
        f"filesrc name=file ! parsebin ! {PARSERS[codec]} ! {CAPS[codec]} ! appsink name=sink sync=false",
        path,
    )
    keys = [dts for _, _, dts, key in units if key]
    ends = [*keys[1:], units[-1][2]] if units else []
    if not keys or not units[0][3] or max(b - a for a, b in zip(keys, ends)) > 2.1 * KEYFRAME_SECONDS * Gst.SECOND:
        return None
    return _clip(codec, caps, units)


def _encode(path, codec, fps, size, still):
    width, height = size
    rate = f"{round(fps * 1000)}/1000"
    raw = f"video/x-raw,format=I420,width={width},height={height},framerate={rate},pixel-aspect-ratio=1/1"
    interval = max(1, round(fps * KEYFRAME_SECONDS))
    encoder = {
        "h264": f"x264enc speed-preset=superfast tune=zerolatency pass=qual quantizer=21 key-int-max={interval}",
        "h265": f"x265enc speed-preset=ultrafast tune=zerolatency qp=26 key-int-max={interval}",
        "mjpeg": "jpegenc quality=85",
    }[codec]
    tail = f"{raw} ! {encoder} ! {PARSERS[codec]} ! {CAPS[codec]} ! appsink name=sink sync=false"
    head = "filesrc name=file ! decodebin ! videoconvert"
    if still:
        frames = round(fps * STILL_SECONDS)
        caps, units = _pull(
            f"{head} ! imagefreeze num-buffers={frames} ! video/x-raw,framerate={rate} "
            f"! compositor name=mix background=black ! videoconvert ! {tail}",
            path,
            lambda pipeline: _pan(pipeline, size),
        )
    else:
        caps, units = _pull(f"{head} ! videoscale add-borders=true ! videorate ! {tail}", path)
    if not units:
        raise ClipError(f"{path.name}: no frame could be decoded")
    return _clip(codec, caps, units)


def _pan(pipeline, size):
    """Makes the compositor pan and zoom over the image in a loop."""
    pad = pipeline.get_by_name("mix").get_static_pad("sink_0")
    width, height = size

    def animate(pad, _probe_info):
        caps = pad.get_current_caps()
        if caps is None:
            return Gst.PadProbeReturn.OK
        structure = caps.get_structure(0)
        fit = min(width / structure.get_value("width"), height / structure.get_value("height"))
        curves = {"xpos": [], "ypos": [], "width": [], "height": []}
        for step in range(STILL_SECONDS * 10 + 1):
            phase = 2 * math.pi * step / (STILL_SECONDS * 10)
            zoom = fit * (1.15 - 0.15 * math.cos(phase))
            w, h = structure.get_value("width") * zoom, structure.get_value("height") * zoom
            curves["width"].append(w)
            curves["height"].append(h)
            curves["xpos"].append((width - w) / 2 + 0.06 * width * math.sin(phase))
            curves["ypos"].append((height - h) / 2 + 0.04 * height * math.sin(2 * phase))
        for name, values in curves.items():
            control = GstController.InterpolationControlSource()
            control.set_property("mode", GstController.InterpolationMode.LINEAR)
            for step, value in enumerate(values):
                control.set(step * Gst.SECOND // 10, round(value))
            pad.add_control_binding(GstController.DirectControlBinding.new_absolute(pad, name, control))
        return Gst.PadProbeReturn.REMOVE

    pad.add_probe(Gst.PadProbeType.BUFFER, animate)


def _pull(launch, path, prepare=None):
    """Runs a pipeline over the file to its end; returns the caps and access units that reach its appsink."""
    pipeline = Gst.parse_launch(launch)
    pipeline.get_by_name("file").set_property("location", str(path))
    if prepare:
        prepare(pipeline)
    sink, bus = pipeline.get_by_name("sink"), pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    caps, units, last_output = None, [], time.monotonic()
    try:
        while True:
            sample = sink.emit("try-pull-sample", 200 * Gst.MSECOND)
            if sample is not None:
                last_output = time.monotonic()
                buffer, caps = sample.get_buffer(), sample.get_caps().to_string()
                key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
                dts = buffer.dts if buffer.dts != Gst.CLOCK_TIME_NONE else buffer.pts
                units.append((buffer.extract_dup(0, buffer.get_size()), buffer.pts, dts, key))
                if dts - units[0][2] < MAX_SECONDS * Gst.SECOND:
                    continue
                return caps, units
            message = bus.pop_filtered(Gst.MessageType.ERROR)
            if message:
                raise ClipError(f"{path.name}: {message.parse_error()[0].message}")
            if time.monotonic() - last_output > HANG_SECONDS:
                raise ClipError(f"{path.name}: GStreamer cannot decode it to its end")
            if sink.get_property("eos"):
                return caps, units
    finally:
        pipeline.set_state(Gst.State.NULL)


def _clip(codec, caps, units):
    pts_sorted = sorted(pts for _, pts, _, _ in units)
    interval = (pts_sorted[-1] - pts_sorted[0]) // max(1, len(pts_sorted) - 1) or Gst.SECOND // 25
    first_pts, first_dts = pts_sorted[0], units[0][2]
    return Clip(
        codec,
        caps,
        [(data, pts - first_pts, dts - first_dts, key) for data, pts, dts, key in units],
        pts_sorted[-1] - first_pts + interval,
    )
