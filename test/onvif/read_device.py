"""Reads an ONVIF device with zeep, ONVIF's own WSDLs and WSDiscovery; prints the result as JSON.
Usage: read_device.py HOST PORT USER PASSWORD"""

import json
import pathlib
import sys

import onvif
from wsdiscovery.discovery import ThreadedWSDiscovery

host, port, user, password = sys.argv[1:]
wsdl = str(pathlib.Path(onvif.__file__).parents[1] / "wsdl")


def connect(secret):
    return onvif.ONVIFCamera(host, int(port), user, secret, wsdl_dir=wsdl)


camera = connect(password)
media = camera.create_media_service()
[profile] = media.GetProfiles()
encoder = profile.VideoEncoderConfiguration
request = media.create_type("GetStreamUri")
request.ProfileToken = profile.token
request.StreamSetup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
assert media.GetVideoSources()[0].Resolution.Width == encoder.Resolution.Width
assert camera.devicemgmt.GetSystemDateAndTime().UTCDateTime.Date.Year > 2000

try:
    connect("wrong").devicemgmt.GetDeviceInformation()
    rejected = False
except onvif.ONVIFError as error:
    rejected = "not Authorized" in str(error)

discovery = ThreadedWSDiscovery()
discovery.start()
# A loaded machine may answer late: searches again until the device is among the results.
for _attempt in range(15):
    found = discovery.searchServices(timeout=2)
    addresses = [address for service in found for address in service.getXAddrs()]
    if any(f":{port}/" in address for address in addresses):
        break
discovery.stop()

print(
    json.dumps(
        {
            "model": camera.devicemgmt.GetDeviceInformation().Model,
            "scopes": [scope.ScopeItem for scope in camera.devicemgmt.GetScopes()],
            "profile": {
                "name": profile.Name,
                "encoding": encoder.Encoding,
                "width": encoder.Resolution.Width,
                "height": encoder.Resolution.Height,
            },
            "uri": media.GetStreamUri(request).Uri,
            "rejected": rejected,
            "discovered": addresses,
        }
    )
)
