"""Opens what claimseal sealed, with jwcrypto alone."""
import json

from jwcrypto.jwe import JWE

ALGS = ["ECDH-ES+A256KW", "RSA-OAEP-256", "A256KW"]
ENCS = ["A256GCM", "A128GCM"]


def id_of(event):
    """The members that the policy names as `source.id`: strings or integers, which Python holds exactly."""
    parts = [event["source"], event["id"]]
    if not all(type(part) in (str, int) for part in parts):
        raise ValueError("an id is a string or an integer")
    return parts


def open_event(value, keys, audience):
    """Takes a record's value and a JWKSet, returns the view as JSON text; raises where anything is off."""
    clear = json.loads(value)
    token = JWE(algs=ALGS + ENCS)
    token.deserialize(clear["sealed"])
    header = json.loads(token.objects["protected"])
    if header["typ"] != "claimseal-view+jwe" or header["aud"] != audience or "zip" in header:
        raise ValueError("not sealed for this audience")
    token.decrypt(keys.get_key(header["kid"]))
    view = token.payload.decode().strip()  # spaces fill it up
    if not id_of(json.loads(view)) == header["evt"] == id_of(clear):
        raise ValueError("sealed for another event")
    return view
