"""One simulated camera: an RTSP path whose stream is played from memory in real time, with faults on demand."""

import struct

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PAYLOADERS = {
    "h264": "rtph264pay config-interval=-1 aggregate-mode=zero-latency",
    "h265": "rtph265pay config-interval=-1",
    "mjpeg": "rtpjpegpay",
}
# Streams without usable video: ingest must reject them with a clear message. Source and payloader by kind.
UNUSABLE = {
    "audio": ("audiotestsrc is-live=true wave=silence ! mulawenc", "rtppcmupay"),
    "unknown": (
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=5/1 ! jpegenc",
        "rtpgstpay ! capssetter caps=application/x-rtp,media=video,encoding-name=X-NOBODY",
    ),
}


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes the media that all clients of a camera share."""

    def __init__(self, camera):
        super().__init__()
        self.camera = camera
        self.set_shared(True)

    def do_create_element(self, _url):
        return self.camera.make_element()

    def do_configure(self, media):
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)
        media.connect("prepared", self.camera.on_prepared)
        media.connect("unprepared", self.camera.on_unprepared)


class Camera:
    """State of one camera. `kind` is `video`, or a key of UNUSABLE; `emit` sends an event to the parent."""

    def __init__(self, path, options, clip, kind, emit):
        self.path = path
        self.options = options  # source, codec, fps and size, as set up
        self.clip = clip
        self.kind = kind
        self.emit = emit
        self.loss = 0.0  # probability per RTP packet
        self.clock_offset = 0.0  # seconds
        self.frozen = False
        self.interval_factor = 1.0  # times the declared frame interval
        self.playing = False
        self.feeder = None
        self.media = None

    def make_element(self):
        if self.kind in UNUSABLE:
            head, pay = UNUSABLE[self.kind]
        else:
            codec = self.clip.codec
            head = "appsrc name=feed is-live=true format=time max-bytes=0"
            pay = f"{PAYLOADERS[codec]} pt={26 if codec == 'mjpeg' else 96} ! identity name=loss"
        bin_ = Gst.Bin.new(None)
        source = Gst.parse_bin_from_description(head, True)
        payloader = Gst.parse_bin_from_description(pay, True)
        payloader.set_name("pay0")
        bin_.add(source)
        bin_.add(payloader)
        source.link(payloader)
        return bin_

    def on_prepared(self, media):
        self.media = media
        rtpbin = _find(media.get_element().get_parent(), "GstRtpBin")
        pad = rtpbin and rtpbin.get_static_pad("send_rtcp_src_0")
        if pad:
            pad.add_probe(Gst.PadProbeType.BUFFER, self._shift_sender_report)

    def on_unprepared(self, _media):
        self.media = None
        self.playing = False
        if self.feeder:
            self.feeder.stop()
            self.feeder = None

    def on_constructed(self, media):
        """Starts the feeder: the stream exists, but no data flows yet."""
        source = media.get_element().get_by_name("feed")
        if source:
            self._apply_loss(media)
            self.feeder = Feeder(self, source)

    def set_loss(self, probability):
        self.loss = probability
        if self.media:
            self._apply_loss(self.media)

    def _apply_loss(self, media):
        identity = media.get_element().get_by_name("loss")
        if identity:
            identity.set_property("drop-probability", self.loss)

    def _shift_sender_report(self, pad, info):
        """Shifts the NTP time of sender reports by the clock error (RFC 3550, 6.4.1)."""
        if self.clock_offset == 0:
            return Gst.PadProbeReturn.OK
        buffer = info.get_buffer()
        packet = bytearray(buffer.extract_dup(0, buffer.get_size()))
        if len(packet) < 28 or packet[1] != 200:
            return Gst.PadProbeReturn.OK
        (ntp,) = struct.unpack_from(">Q", packet, 8)
        shifted = (ntp + round(self.clock_offset * 2**32)) % 2**64
        # The shifted report passes this probe again.
        if getattr(self, "_shifted_ntp", None) == ntp:
            return Gst.PadProbeReturn.OK
        struct.pack_into(">Q", packet, 8, shifted)
        # PyGObject cannot write a buffer in place: drops it and sends a changed copy.
        self._shifted_ntp = shifted
        pad.push(Gst.Buffer.new_wrapped(bytes(packet)))
        return Gst.PadProbeReturn.DROP


class Feeder:
    """Pushes a clip's access units when they are due, in an endless loop, with increasing timestamps."""

    def __init__(self, camera, source):
        self.camera = camera
        self.source = source
        self.clip = camera.clip
        self.interval_factor = camera.interval_factor
        self.index = 0
        self.start = None  # running time of the first unit of the current repetition
        self.described = False
        self.wait_for_key = False
        self.stopped = False
        source.set_property("caps", Gst.Caps.from_string(self.clip.caps))
        GLib.timeout_add(1, self._tick)

    def stop(self):
        self.stopped = True

    def _tick(self):
        if self.stopped:
            return GLib.SOURCE_REMOVE
        clock = self.source.get_clock()
        if clock is None or self.source.get_state(0)[1] != Gst.State.PLAYING:
            GLib.timeout_add(5, self._tick)
            return GLib.SOURCE_REMOVE
        now = clock.get_time() - self.source.get_base_time()
        if not self.camera.playing:
            # The SDP needs the first unit; further units would be discarded until a client plays.
            if not self.described:
                self.described = True
                self._send(self.clip.units[0], now)
            GLib.timeout_add(5, self._tick)
            return GLib.SOURCE_REMOVE
        if self.start is None:
            self.start = now
            unix = GLib.get_real_time()
            self.camera.emit("media", path=self.camera.path, startUnixMicros=unix)
        while (due := self.start + self._scaled(self.clip.units[self.index][2])) <= now:
            self._push()
        GLib.timeout_add(max(1, (due - now) // 1_000_000), self._tick)
        return GLib.SOURCE_REMOVE

    def _push(self):
        data, pts, dts, key = self.clip.units[self.index]
        if self.interval_factor != self.camera.interval_factor and key:
            self.start += self._scaled(dts)
            self.interval_factor = self.camera.interval_factor
            self.start -= self._scaled(dts)
        if self.clip is not self.camera.clip and key:
            self.start += self._scaled(dts)
            self.clip, self.index = self.camera.clip, 0
            self.source.set_property("caps", Gst.Caps.from_string(self.clip.caps))
            data, pts, dts, key = self.clip.units[0]
        if self.camera.frozen:
            self.wait_for_key = True
        elif key or not self.wait_for_key:
            self.wait_for_key = False
            self._send((data, pts, dts, key), self.start)
        self.index += 1
        if self.index == len(self.clip.units):
            self.index = 0
            self.start += self._scaled(self.clip.duration)

    def _scaled(self, time):
        return round(time * self.interval_factor)

    def _send(self, unit, start):
        data, pts, dts, key = unit
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts, buffer.dts = start + self._scaled(pts), start + self._scaled(dts)
        if not key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        self.source.emit("push-buffer", buffer)


def _find(bin_, type_name):
    iterator = bin_.iterate_recurse()
    while True:
        result, element = iterator.next()
        if result != Gst.IteratorResult.OK:
            return None
        if element.__gtype__.name == type_name:
            return element
