"""Opens lines: python3 lines.py KEYS.jwks.json AUDIENCE < events.ndjson

A line is a record's value or, as `claimseal seal --out` writes it, {"topic","key","headers","value"}.
"""
import json
import sys

from jwcrypto.jwk import JWKSet
from open_event import open_event

with open(sys.argv[1], encoding="utf-8") as file:
    keys = JWKSet.from_json(file.read())
refused = 0
for number, line in enumerate(sys.stdin.buffer, 1):
    try:
        record = json.loads(line)
        value = line if "sealed" in record else record["value"]
        sys.stdout.buffer.write(open_event(value, keys, sys.argv[2]).encode() + b"\n")
    except Exception:
        refused += 1
        print(number, "refused", file=sys.stderr)
sys.exit(1 if refused else 0)
