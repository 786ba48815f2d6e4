"""Validates objects strictly: reads JSON lines {id, object}, writes a JSON line {id, version, message} per error.

Usage: validate.py CRDS.ndjson VERSION…   Built-in kinds are validated against the OpenAPI schemas of each Kubernetes
version, custom resources against their CustomResourceDefinitions; an unknown kind is an error.
"""

import json
import sys

import jsonschema
import kubernetes_validate


def forbid_unknown(schema):
    """Forbids unknown properties in a structural schema, as the API server does with strict validation."""
    if not isinstance(schema, dict):
        return schema
    schema = {key: forbid_unknown(value) if key != "properties" else value for key, value in schema.items()}
    for key in ("anyOf", "oneOf", "allOf"):
        schema.pop(key, None) if schema.get("x-kubernetes-int-or-string") else None
    if "properties" in schema:
        schema["properties"] = {name: forbid_unknown(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    return schema


def custom_schemas(path):
    schemas = {}
    for line in open(path):
        spec = json.loads(line)["spec"]
        for version in spec["versions"]:
            schema = forbid_unknown(version["schema"]["openAPIV3Schema"])
            schema["properties"].setdefault("apiVersion", {"type": "string"})
            schema["properties"].setdefault("kind", {"type": "string"})
            schema["properties"]["metadata"] = {"type": "object"}
            name = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            schemas[name] = jsonschema.Draft202012Validator(schema)
    return schemas


def main():
    custom = custom_schemas(sys.argv[1])
    for line in sys.stdin:
        entry = json.loads(line)
        manifest = entry["object"]

        def report(version, message):
            print(json.dumps({"id": entry["id"], "version": version, "message": message}))

        validator = custom.get((manifest["apiVersion"], manifest["kind"]))
        if validator:
            for error in validator.iter_errors(manifest):
                report(manifest["apiVersion"], f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}")
            continue
        for version in sys.argv[2:]:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                report(version, f"{'.'.join(map(str, error.path))}: {error.message[:300]}")
            except kubernetes_validate.SchemaNotFoundError as error:
                report(version, error.message)


main()
