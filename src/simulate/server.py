"""RTSP server of `austream simulate`. Reads its set-up as one JSON line, then one JSON command per line, from stdin;
writes JSON events to stdout. Exits at the end of stdin, and with its parent."""

import ctypes
import json
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

import gi  # noqa: E402

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)

import clips  # noqa: E402
from camera import UNUSABLE, Camera, Factory  # noqa: E402

ROLE = "viewer"


class Server:
    def __init__(self, setup):
        self.setup = setup
        self.host = setup["host"]
        self.port = setup["port"]
        self.source_id = 0
        self.clips = {}  # (source, codec, fps, size) -> Clip
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address(self.host)
        self.server.connect("client-connected", lambda _s, client: client.connect("play-request", self._on_play))
        self._set_auth(setup.get("user"), setup.get("password"), setup["auth"])
        self.cameras = {}
        for number, camera in enumerate(setup["cameras"], 1):
            path = f"/cam{number}"
            kind = camera.get("kind", "video")
            clip = None if kind in UNUSABLE else self._load(camera["source"], camera)
            self.cameras[path] = Camera(path, camera, clip, kind, emit)
            self._mount(path)

    def _load(self, source, options):
        key = (source, options.get("codec"), options.get("fps"), tuple(options.get("size") or ()))
        if key not in self.clips:
            self.clips[key] = clips.load(source, options.get("codec"), options.get("fps"), options.get("size"))
        return self.clips[key]

    def _set_auth(self, user, password, method):
        self.secured = user is not None
        if not self.secured:
            return
        auth = GstRtspServer.RTSPAuth.new()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", ROLE)
        if method == "digest":
            auth.add_digest(user, password, token)
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        self.server.set_auth(auth)

    def _mount(self, path):
        factory = Factory(self.cameras[path])
        factory.connect("media-constructed", lambda _f, media, camera=self.cameras[path]: camera.on_constructed(media))
        if self.secured:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role(ROLE, "media.factory.access", True)
            permissions.add_permission_for_role(ROLE, "media.factory.construct", True)
            factory.set_permissions(permissions)
        self.server.get_mount_points().add_factory(path, factory)

    def _on_play(self, _client, context):
        camera = self.cameras.get(context.uri.abspath.rstrip("/"))
        if camera:
            camera.playing = True

    def listen(self):
        self.server.set_service(str(self.port))
        self.source_id = self.server.attach(None)
        if self.source_id == 0:
            raise clips.ClipError(f"port {self.port} of {self.host} is in use")
        self.port = self.server.get_bound_port()

    def op_stop(self, path=None):
        """Closes the connections of one camera, or of all, and refuses new ones."""
        if path is None:
            GLib.source_remove(self.source_id)
            self._close(lambda client: True)
        else:
            self.server.get_mount_points().remove_factory(path)
            self._close(lambda client: any(s.get_media(path)[0] for s in client.session_filter(None)))

    def op_start(self, path=None):
        if path is None:
            self.listen()
        else:
            self._mount(path)

    def _close(self, predicate):
        for client in self.server.client_filter(None):
            if predicate(client):
                client.close()

    def op_freeze(self, path, on):
        self.cameras[path].frozen = on

    def op_loss(self, path, probability):
        self.cameras[path].set_loss(probability)

    def op_clock(self, path, offset):
        """Sets the clock error of the camera, in seconds."""
        self.cameras[path].clock_offset = offset

    def op_slow(self, path, factor):
        """Multiplies the frame interval that the stream declares."""
        self.cameras[path].interval_factor = factor

    def op_resize(self, path, size):
        self.cameras[path].clip = self._resized(path, size)

    def _resized(self, path, size):
        camera = self.cameras[path]
        return self._load(camera.options["source"], {**camera.options, "codec": camera.clip.codec, "size": size})

    def prepare(self, command):
        """Does the slow part of a command on the reading thread, so that the other cameras play on."""
        if command["op"] == "resize" and command["path"] in self.cameras:
            self._resized(command["path"], command["size"])


def emit(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def handle(server, line):
    command = json.loads(line)
    command_id = command.pop("id")
    try:
        getattr(server, f"op_{command.pop('op')}")(**command)
        emit("done", id=command_id)
    except Exception as error:
        emit("done", id=command_id, error=str(error))
    return GLib.SOURCE_REMOVE


def read_commands(server, loop):
    for line in sys.stdin:
        server.prepare(json.loads(line))
        GLib.idle_add(handle, server, line)
    loop.quit()


def main():
    try:
        server = Server(json.loads(sys.stdin.readline()))
        server.listen()
    except clips.ClipError as error:
        emit("failed", message=str(error))
        return 1
    streams = [
        {"path": path, **(camera.clip.describe() if camera.clip else {})} for path, camera in server.cameras.items()
    ]
    emit("ready", port=server.port, streams=streams)
    loop = GLib.MainLoop()
    threading.Thread(target=read_commands, args=(server, loop), daemon=True).start()
    # Removes the sessions of clients that disappeared without TEARDOWN.
    GLib.timeout_add_seconds(5, lambda: server.server.get_session_pool().cleanup() >= 0)
    loop.run()
    return 0


sys.exit(main())
