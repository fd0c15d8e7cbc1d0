"""What `kubectl kustomize` makes of a directory, as far as our own files go: resources, generators, patches, images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from helpers import yaml_text
from helpers.basics import REPOSITORY

KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
Object = dict[str, Any]
#: By what a strategic patch finds the item of a list that it changes, where the list has such items.
KEYS = {
    "containers": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "topologySpreadConstraints": "topologyKey",
}
KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "configMapGenerator", "patches"}


def built(directory: Path) -> list[Object]:
    """The objects of a directory, in no particular order. Names of ConfigMaps have no hash."""
    return _built(directory, [])


def _built(directory: Path, objects: list[Object]) -> list[Object]:
    content = yaml_text.load((directory / "kustomization.yaml").read_text("utf-8"))
    assert content.keys() <= KNOWN, content.keys() - KNOWN
    for name in content.get("resources", ()):
        path = directory / name
        objects = objects + (built(path) if path.is_dir() else documents(path))
    for generator in content.get("configMapGenerator", ()):
        objects = _generated(directory, generator, objects)
    for name in content.get("components", ()):
        objects = _built(directory / name, objects)
    for patch in content.get("patches", ()):
        told = yaml_text.load(patch["patch"] if "patch" in patch else (directory / patch["path"]).read_text("utf-8"))
        objects = [_patched(one, told) if _is_meant(one, patch["target"]) else one for one in objects]
    for one in objects:
        _finish(one, content)
    return objects


def documents(path: Path) -> list[Object]:
    """The objects of a file."""
    return [one for one in yaml_text.load_all(path.read_text("utf-8")) if one]


def _generated(directory: Path, generator: Mapping[str, Any], objects: list[Object]) -> list[Object]:
    data = dict(_pairs(directory, generator))
    known = [one for one in objects if one["kind"] == "ConfigMap" and one["metadata"]["name"] == generator["name"]]
    assert bool(known) == (generator.get("behavior", "create") == "merge"), generator["name"]
    if known:
        known[0]["data"] |= data
        return objects
    metadata = {"name": generator["name"]}
    return [*objects, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}]


def _pairs(directory: Path, generator: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    lines = [line for name in generator.get("envs", ()) for line in (directory / name).read_text("utf-8").splitlines()]
    for line in [*lines, *generator.get("literals", ())]:
        name, _, value = line.partition("=")
        yield name, value
    for name in generator.get("files", ()):
        yield name, (directory / name).read_text("utf-8")


def _is_meant(one: Object, target: Mapping[str, str]) -> bool:
    label, _, value = target.get("labelSelector", "").partition("=")
    return (
        one["kind"] == target["kind"]
        and re.fullmatch(target.get("name", ".*"), one["metadata"]["name"]) is not None
        and (not label or one["metadata"].get("labels", {}).get(label) == value)
    )


def _patched(one: Object, told: Any) -> Object:
    changed = deepcopy(one)
    if isinstance(told, list):
        for step in told:
            assert step["op"] == "remove"
            *way, last = step["path"].strip("/").split("/")
            place = changed
            for name in way:
                place = place[name]
            del place[last]
        return changed
    told = {name: value for name, value in told.items() if name != "metadata"}
    merged: Object = _merged(changed, told, "")
    return merged


def _merged(base: Any, over: Any, name: str) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _merged(base[key], value, key) if key in base else value for key, value in over.items()}
    if isinstance(base, list) and name in KEYS:
        return _merged_list(base, over, KEYS[name])
    return over


def _merged_list(base: Sequence[Object], over: Sequence[Object], key: str) -> list[Object]:
    changes = {one[key]: one for one in over}
    kept = [_merged(one, changes.pop(one[key], {}), "") for one in base]
    return [*kept, *changes.values()]


def _finish(one: Object, content: Mapping[str, Any]) -> None:
    if "namespace" in content and one["kind"] != "Namespace":
        one["metadata"]["namespace"] = content["namespace"]
    for container in containers(one):
        for image in content.get("images", ()):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"


def containers(one: Object) -> list[Object]:
    """The containers of a Deployment or a Job."""
    found: list[Object] = pod(one).get("containers", [])
    return found


def pod(one: Object) -> Object:
    """What a Deployment or a Job says of its pods; empty for others."""
    found: Object = one.get("spec", {}).get("template", {}).get("spec", {})
    return found
