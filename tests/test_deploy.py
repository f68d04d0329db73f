"""The files for Kubernetes say what Kubernetes understands, and what the documentation says of them."""

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
FILES = sorted(DEPLOY.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_object_is_one_that_kubernetes_takes(file):
    objects = list(yaml.safe_load_all(file.read_text("utf-8")))

    for each in objects:
        kubernetes_validate.validate(each, "1.31", strict=True)

    assert objects


def test_a_misspelt_field_would_be_found():
    job = yaml.safe_load((DEPLOY / "cdp.yaml").read_text("utf-8"))
    job["spec"]["schedul"] = job["spec"].pop("schedule")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.31", strict=True)


def test_the_template_of_workers_is_one_that_kubernetes_takes():
    [driver] = [
        each for each in yaml.safe_load_all((DEPLOY / "sail.yaml").read_text("utf-8")) if each["kind"] == "Deployment"
    ]
    env = {each["name"]: each.get("value") for each in driver["spec"]["template"]["spec"]["containers"][0]["env"]}

    template = json.loads(env["SAIL_KUBERNETES__WORKER_POD_TEMPLATE"])
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"}, **template}

    kubernetes_validate.validate(pod, "1.31", strict=True)


def test_the_documentation_names_every_file():
    page = (DEPLOY.parent / "docs" / "cluster.md").read_text("utf-8")

    assert [file.name for file in DEPLOY.iterdir() if f"deploy/{file.name}" not in page] == []
