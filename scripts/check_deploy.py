"""Checks docker/ and k8s/ for what a schema does not know: that they agree with the project and the configuration they
mount, and that they are fit to run.

Run by check-deploy.sh. Python 3.9 and PyYAML. Prints one line per fault; exit status 1 when there is one. What cannot
be checked is said, never passed over in silence.
"""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FAULTS = []
LABEL = "app.kubernetes.io/name"
# A key of the configuration stands in the middle of these: TILLBRIDGE_XERO_<ORGANISATION KEY>_CLIENT_ID.
KEYED = re.compile(r"^TILLBRIDGE_(KOUNTA|XERO)_[A-Z0-9_]+_CLIENT_(ID|SECRET)$")
# And the name of an alert channel in these.
CHANNEL = re.compile(r"^TILLBRIDGE_ALERT_[A-Z0-9_]+_(USER|PASSWORD|URL|SIGNING_KEY)$")
# Who speaks to which vendor, and the list of the configuration that says with whose credentials.
SPEAKERS = {"poller": ("KOUNTA", "companies"), "writer": ("XERO", "organisations")}


class OnceOnly(yaml.SafeLoader):
    """A loader for which a key given twice is a fault; YAML's own would keep the last."""


def mapping(loader, node):
    seen = set()
    for key, _ in node.value:
        name = key.value if key.tag != "tag:yaml.org,2002:merge" else None
        if name is not None and name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is there twice", key.start_mark)
        seen.add(name)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


OnceOnly.add_constructor("tag:yaml.org,2002:map", mapping)


def fault(path, text):
    FAULTS.append(f"{path.relative_to(ROOT)}: {text}")


def skip(text):
    print(f"not checked: {text}")


def documents(path):
    try:
        return [document for document in yaml.load_all(path.read_text(), Loader=OnceOnly) if document is not None]
    except yaml.YAMLError as error:
        fault(path, f"not YAML: {error}")
        return []


def expect(condition, path, text):
    if not condition:
        fault(path, text)


def programs():
    """The executables of the project, by their folders; None before there are any."""
    folder = ROOT / "Sources/Executables"
    return {entry.name for entry in folder.iterdir() if entry.is_dir()} if folder.is_dir() else None


def known_text():
    """Everything in which an environment name may be written down."""
    found = [*ROOT.glob("Sources/**/*.swift"), *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return "\n".join(path.read_text(errors="replace") for path in found)


def check_environment(path, names, known):
    for name in sorted(names):
        plain = re.sub(r"_FILE$", "", name)
        if not plain.startswith(("TILLBRIDGE_", "LOG_")):
            fault(path, f"{name} is no environment name of the fleet")
        elif known and plain not in known and not KEYED.match(plain) and not CHANNEL.match(plain):
            fault(path, f"{name} is in no source file and no README")


def check_values(path, environment):
    """No credential stands in the repository."""
    for name, value in environment.items():
        secret = CHANNEL.match(name) or re.search(
            r"(SECRET|PASSWORD|TOKEN|_KEY|CLIENT_ID|RABBITMQ_URL|DATABASE_URL)$", name)
        expect(not secret, path, f"{name} is a secret: give the name of a file, in {name}_FILE")
        expect(not re.search(r"://[^/@${]+:[^/@]+@", str(value)), path, f"{name} holds a credential")


def check_credentials(path, program, environment, configuration):
    """A program has the credential of each company or organisation it speaks for, each from a file of its own name."""
    if not configuration:
        return  # configuration_at has said so
    vendor, section = SPEAKERS.get(program, (None, None))
    wanted = {f"TILLBRIDGE_{vendor}_{re.sub('[^A-Z0-9]', '_', entry['key'].upper())}_CLIENT_{half}_FILE": entry["key"]
              for entry in configuration.get(section, []) for half in ("ID", "SECRET")}
    named = {name for name in environment if KEYED.match(re.sub(r"_FILE$", "", name))}
    for name in sorted(wanted.keys() - named):
        fault(path, f"{program} lacks {name}, for `{wanted[name]}` of the configuration's {section}")
    for name in sorted(named - wanted.keys()):
        fault(path, f"{program} has {name}, for which its configuration has no use")
    for name in sorted(named & wanted.keys()):
        half = "id" if name.endswith("_ID_FILE") else "secret"
        file = f"{vendor.lower()}-{wanted[name]}-client-{half}"
        expect(Path(environment[name]).name == file, path, f"{program}: {name} must name the file {file}")


def configuration_at(path, mounted):
    """The fleet's configuration in the file `mounted`, which `path` mounts; one without any entry after a fault."""
    if not mounted.is_file():
        fault(path, f"mounts the configuration {mounted.name}, which is not there")
        return {}
    found = (documents(mounted) or [{}])[0]
    for section in ("companies", "organisations"):
        expect(found.get(section), mounted, f"has no {section}: nothing could be held against it")
    return found


def default(value):
    """What compose takes for `${NAME:-default}` with no variable set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def given(service, option):
    """The values of an option in a service's command."""
    command = service.get("command", [])
    return [value for name, value in zip(command, command[1:]) if name == option]


def check_simulators(path, services, configuration):
    """The simulators stand in for the organisations of the configuration, at limits the workers know of."""
    if not configuration:
        return  # configuration_at has said so
    wanted = set()
    for entry in configuration.get("organisations", []):
        venues = [venue for company in configuration.get("companies", []) if company["organisation"] == entry["key"]
                  for venue in company["venues"]]
        options = ",".join(venue["tracking"] for venue in venues if "tracking" in venue)
        # As the simulator's --organisation has it. The configuration has no country.
        wanted.add("|".join([str(entry.get("tenant")), entry["name"], "AU", entry.get("currency", "AUD"),
                             entry["timezone"], options]))
    there = given(services.get("xero-sim", {}), "--organisation")
    for text in sorted(wanted - set(there)):
        fault(path, f"xero-sim lacks --organisation '{text}'")
    for text in sorted(set(there) - wanted):
        fault(path, f"xero-sim has --organisation '{text}', which the configuration has not")
    expect(len(there) == len(set(there)), path, "xero-sim has an --organisation twice")
    limits = {name: given(services.get(name, {}), "--limits") for name in ("kounta-sim", "xero-sim")}
    for name, service in services.items():
        if name not in SPEAKERS:
            continue
        multiple = default(service.get("environment", {}).get("TILLBRIDGE_SIMULATION_LIMITS_MULTIPLE", 1))
        for simulator, found in limits.items():
            expect(found == [f"x{multiple}"], path, f"{name} works at x{multiple}, {simulator} has --limits {found}")


def check_image(path, image):
    name, _, tag = image.partition(":")
    expect(tag and tag != "latest", path, f"the image {name} needs a version, and not `latest`")


def check_compose(path, names, known):
    for compose in documents(path):
        services = compose.get("services", {})
        source = default(compose.get("configs", {}).get("tillbridge", {}).get("file", ""))
        configuration = configuration_at(path, (path.parent / source).resolve())
        check_simulators(path, services, configuration)
        check_secret_files(path, compose.get("secrets", {}))
        for name in SPEAKERS:
            expect(name in services, path, f"there is no service {name}")
        for name, service in services.items():
            where = f"service {name}:"
            check_image(path, service.get("image", ""))
            for used in service.get("secrets", []):
                expect(used in compose.get("secrets", {}), path, f"{where} there is no secret {used}")
            for needed in service.get("depends_on", {}):
                expect(needed in services, path, f"{where} depends on {needed}, which is no service")
            expect("healthcheck" in service, path, f"{where} has no healthcheck")
            if not service["image"].startswith("tillbridge:"):
                continue
            environment = service.get("environment", {})
            check_environment(path, environment, known)
            check_values(path, environment)
            for variable, value in environment.items():
                if variable.endswith("_FILE"):
                    secret = str(value).removeprefix("/run/secrets/")
                    expect(secret in service.get("secrets", []), path, f"{where} {variable} names no secret it has")
            program = service.get("command", [""])[0]
            check_program(path, program, names)
            check_credentials(path, program, environment, configuration)
            if environment:
                mounts = [(mount["source"], mount["target"]) for mount in service.get("configs", [])]
                expect(mounts == [("tillbridge", environment.get("TILLBRIDGE_CONFIG"))], path,
                       f"{where} does not mount its TILLBRIDGE_CONFIG")
            expect(service.get("read_only") is True, path, f"{where} may write to its image")
            expect(service.get("cap_drop") == ["ALL"], path, f"{where} keeps capabilities")


def check_alerts(override, component, known):
    """What is laid over both for alert channels: for the workers that tell, each variable with its file."""
    tellers = {"dead-letter-handler", "writer"}
    for over in documents(override):
        check_secret_files(override, over.get("secrets", {}))
        expect(set(over.get("services", {})) == tellers, override, f"is not for {', '.join(sorted(tellers))}")
        for name, service in over.get("services", {}).items():
            environment = service.get("environment", {})
            check_environment(override, environment, known)
            check_values(override, environment)
            files = {str(value).removeprefix("/run/secrets/") for value in environment.values()}
            expect(files == set(service.get("secrets", [])) == set(over.get("secrets", {})), override,
                   f"service {name}: its variables do not name its secrets")
    expect({path.stem for path in component.glob("*.yaml")} == tellers | {"kustomization"}, component,
           f"is not for {', '.join(sorted(tellers))}")
    for path in sorted(component.glob("*.yaml")):
        for manifest in documents(path):
            if manifest["kind"] == "Component":
                expect({patch["path"] for patch in manifest["patches"]} == {f"{name}.yaml" for name in tellers}, path,
                       "does not list every patch")
                continue
            expect(manifest["metadata"]["name"] == path.stem, path, "is laid over another Deployment")
            pod = manifest["spec"]["template"]["spec"]
            mounted = {item["path"] for item in pod["volumes"][0]["secret"]["items"]}
            environment = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
            check_environment(path, environment, known)
            check_values(path, environment)
            folder = pod["containers"][0]["volumeMounts"][0]["mountPath"]
            for variable, value in environment.items():
                expect(Path(value).name in mounted and str(Path(value).parent) == folder, path,
                       f"{variable} names a file that is not mounted")


def check_secret_files(path, secrets):
    """Each secret is the file of its name, and whoever fills the folder finds the name in the README."""
    readme = (path.parent / "README.md").read_text()
    for name, secret in secrets.items():
        expect(secret.get("file", "").endswith("}/" + name), path, f"the secret {name} is not the file of that name")
        expect(f"`{name}`" in readme, path.parent / "README.md", f"does not list the secret file {name}")


def check_program(path, program, names):
    expect(names is None or program in names, path, f"`{program}` is no executable of Package.swift")


def check_mounted_configuration(path, name, pod, container, environment, generated):
    """TILLBRIDGE_CONFIG is a file of a ConfigMap that the kustomization makes."""
    maps = {volume["name"]: volume["configMap"]["name"] for volume in pod.get("volumes", []) if "configMap" in volume}
    mounted = {mount["mountPath"]: (maps.get(mount["name"]), mount.get("subPath"))
               for mount in container.get("volumeMounts", [])}
    source = mounted.get(environment.get("TILLBRIDGE_CONFIG"))
    expect(source in generated, path, f"{name}: TILLBRIDGE_CONFIG is no file of a ConfigMap that the base makes")


def check_pod(path, name, pod, names, known, generated, configuration):
    security = pod.get("securityContext", {})
    expect(security.get("runAsNonRoot") is True and security.get("runAsUser"), path, f"{name} may run as root")
    expect(pod.get("terminationGracePeriodSeconds") == 45, path, f"{name} needs 45 seconds to hand its messages back")
    expect(pod.get("automountServiceAccountToken") is False, path, f"{name} mounts a token it does not use")
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    for container in pod.get("containers", []):
        inner = container.get("securityContext", {})
        expect(inner.get("readOnlyRootFilesystem") is True, path, f"{name} may write to its image")
        expect(inner.get("allowPrivilegeEscalation") is False, path, f"{name} may gain privileges")
        expect(inner.get("capabilities", {}).get("drop") == ["ALL"], path, f"{name} keeps capabilities")
        resources = container.get("resources", {})
        for kind in ("requests", "limits"):
            expect({"cpu", "memory"} <= resources.get(kind, {}).keys(), path, f"{name} has no {kind}")
        environment = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
        expect(len(environment) == len(container.get("env", [])), path, f"{name} sets a variable twice")
        check_environment(path, environment, known)
        check_values(path, environment)
        program = (container.get("args") or container.get("command") or [""])[0]
        check_program(path, program, names)
        check_credentials(path, program, environment, configuration)
        check_mounted_configuration(path, name, pod, container, environment, generated)
        for mount in container.get("volumeMounts", []):
            expect(mount["name"] in volumes, path, f"{name} mounts {mount['name']}, which is no volume of it")
        items = [item for volume in pod.get("volumes", []) for item in volume.get("secret", {}).get("items", [])]
        for item in items:
            expect(item["key"] == item["path"], path, f"{name} mounts the secret {item['key']} as {item['path']}")
        offered = {item["path"] for item in items}
        for variable, value in environment.items():
            if variable.endswith("_FILE"):
                expect(Path(value).name in offered, path, f"{name}: {variable} names a file that is not mounted")


def check_probes(path, name, pod):
    for container in pod.get("containers", []):
        ports = {port.get("name"): port.get("containerPort") for port in container.get("ports", [])}
        expect(ports.get("http") == 8080, path, f"{name} has no port `http` 8080")
        for probe, answer in (("livenessProbe", "/live"), ("readinessProbe", "/ready"), ("startupProbe", "/live")):
            asked = container.get(probe, {}).get("httpGet", {})
            expect((asked.get("path"), asked.get("port")) == (answer, "http"), path,
                   f"{name}: {probe} does not ask {answer} on `http`")


def check_workload(path, manifest, *facts):
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    template = spec["template"]
    check_pod(path, name, template["spec"], *facts)
    if manifest["kind"] == "Deployment":
        check_probes(path, name, template["spec"])
        chosen = spec["selector"]["matchLabels"]
        expect(chosen.items() <= template["metadata"]["labels"].items(), path, f"{name} does not select its own pods")


def check_kubernetes(base, names, known):
    kinds = {}
    example, copy = ROOT / "config/example.yaml", base / "tillbridge.yaml"
    configuration = configuration_at(base / "kustomization.yaml", copy)
    expect(configuration == {} or copy.read_bytes() == example.read_bytes(), copy,
           f"is no copy of {example.relative_to(ROOT)}: cp {example.relative_to(ROOT)} {copy.relative_to(ROOT)}")
    generated = set().union(*(generated_files(manifest) for manifest in documents(base / "kustomization.yaml")))
    for path in sorted(base.rglob("*.yaml")):
        if path == copy:
            continue
        for manifest in documents(path):
            kind = manifest.get("kind")
            if kind == "Kustomization":
                check_kustomization(path, manifest)
                continue
            kinds.setdefault(kind, {})[manifest["metadata"]["name"]] = (path, manifest)
            if kind in ("Deployment", "Job"):
                check_workload(path, manifest, names, known, generated, configuration)
    for kind in ("Deployment", "Job"):
        for name, (path, manifest) in kinds.get(kind, {}).items():
            account = manifest["spec"]["template"]["spec"].get("serviceAccountName")
            expect(account in kinds.get("ServiceAccount", {}), path, f"there is no ServiceAccount {account}")
    for name in SPEAKERS:
        expect(name in kinds.get("Deployment", {}), base / "kustomization.yaml", f"there is no Deployment {name}")
    for name, (path, _) in kinds.get("Deployment", {}).items():
        for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
            _, other = kinds.get(kind, {}).get(name, (None, {"spec": {}}))
            expect(other["spec"].get(key, {}).get("matchLabels", {}).get(LABEL) == name, path,
                   f"there is no {kind} for {name}")


def generated_files(manifest):
    """The ConfigMaps a kustomization makes of files, as pairs of name and key."""
    return {(made["name"], Path(file).name) for made in manifest.get("configMapGenerator", [])
            for file in made.get("files", [])}


def check_kustomization(path, manifest):
    listed = set(manifest.get("resources", [])) | {file for _, file in generated_files(manifest)}
    there = {entry.name for entry in path.parent.iterdir()
             if entry != path and (entry.suffix == ".yaml" or (entry / "kustomization.yaml").is_file())}
    for name in sorted(there - listed):
        fault(path, f"does not list {name}")
    for name in sorted(listed - there):
        fault(path, f"lists {name}, which is not there")
    for image in manifest.get("images", []):
        check_image(path, f"{image['name']}:{image.get('newTag', '')}")


def check_dockerfile(path, names):
    text = path.read_text()
    for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        check_image(path, image)
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    expect(users and re.match(r"[1-9]\d*", users[-1]), path, "the last USER must be a number, and not root's")
    listed = re.search(r"for program in ([^;]*);", text)
    listed = set(listed.group(1).replace("\\", " ").split()) if listed else set()
    for name in sorted((names or listed) - listed):
        fault(path, f"does not copy the executable {name}")
    for name in sorted(listed - (names or listed)):
        fault(path, f"copies {name}, which is no executable of Package.swift")


def main():
    names, known = programs(), known_text()
    if names is None:
        skip("the executables' names (there is no Sources/Executables)")
    if "TILLBRIDGE_" not in known:
        skip("the environment names (no source file and no README has one)")
        known = ""
    check_dockerfile(ROOT / "docker/Dockerfile", names)
    check_compose(ROOT / "docker/compose.yaml", names, known)
    check_kubernetes(ROOT / "k8s/base", names, known)
    check_alerts(ROOT / "docker/alerts.yaml", ROOT / "k8s/alerts", known)
    for line in FAULTS:
        print(line, file=sys.stderr)
    print(f"docker/ and k8s/: {len(FAULTS) or 'no'} fault{'' if len(FAULTS) == 1 else 's'}")
    sys.exit(1 if FAULTS else 0)


main()
