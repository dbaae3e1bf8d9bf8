#!/usr/bin/env python3
"""Writes what the binary is made of as CycloneDX 1.5, from `cargo metadata` on stdin and the Cargo.lock that is named.

Only what is compiled into `ta-bot` or runs while it is built counts, for the platform that cargo was asked about. The same
lock gives the same document: it has neither a time nor a number of its own.
"""

import json
import sys
import tomllib

ROOT = "ta-bot"


def used(metadata):
    """The packages that ROOT needs, directly or not. What only tests need is left out."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    waiting = [package["id"] for package in metadata["packages"] if package["name"] == ROOT]
    found = {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = packages[name]
        for needed in nodes[name]["deps"]:
            if any(kind["kind"] != "dev" for kind in needed["dep_kinds"]):
                waiting.append(needed["pkg"])
    return found, nodes


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    described = {"type": "library", "bom-ref": reference(package), "name": package["name"]}
    described |= {"version": package["version"], "purl": reference(package)}
    if package.get("license"):
        # Cargo's older way to say "or".
        described["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def main():
    metadata = json.load(sys.stdin)
    with open(sys.argv[1], "rb") as lock:
        locked = tomllib.load(lock)["package"]
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in locked}
    found, nodes = used(metadata)
    root = next(package for package in found.values() if package["name"] == ROOT)
    others = sorted((package for package in found.values() if package is not root), key=reference)
    needs = {
        reference(package): sorted(
            reference(found[needed["pkg"]]) for needed in nodes[name]["deps"] if needed["pkg"] in found
        )
        for name, package in found.items()
    }
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(root, checksums) | {"type": "application"}},
        "components": [component(package, checksums) for package in others],
        "dependencies": [{"ref": name, "dependsOn": needed} for name, needed in sorted(needs.items())],
    }
    json.dump(document, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
