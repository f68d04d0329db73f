"""The files for Kubernetes say what Kubernetes understands, and what the documentation says of them."""

import json
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
FILES = sorted(DEPLOY.glob("*.yaml"))


def objects(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_object_is_one_that_kubernetes_takes(file):
    found = objects(file.name)

    for each in found:
        kubernetes_validate.validate(each, "1.31", strict=True)

    assert found


def test_a_misspelt_field_would_be_found():
    [job] = objects("cdp.yaml")
    job["spec"]["schedul"] = job["spec"].pop("schedule")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.31", strict=True)


def test_the_template_of_workers_is_one_that_kubernetes_takes():
    [driver] = [each for each in objects("sail.yaml") if each["kind"] == "Deployment"]
    env = {each["name"]: each.get("value") for each in driver["spec"]["template"]["spec"]["containers"][0]["env"]}

    template = json.loads(env["SAIL_KUBERNETES__WORKER_POD_TEMPLATE"])
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"}, **template}

    kubernetes_validate.validate(pod, "1.31", strict=True)


def test_whoever_reads_the_lake_is_given_all_that_the_secret_holds():
    [template] = [each for each in objects("spark.yaml") if each["kind"] == "ConfigMap"]
    executor = yaml.safe_load(template["data"]["executor.yaml"])
    pods = [each["spec"]["template"]["spec"] for name in ("sail.yaml", "spark.yaml") for each in objects(name)
            if each["kind"] == "Deployment"]  # fmt: skip
    [job] = objects("cdp.yaml")

    given = [
        pod["containers"][0].get("envFrom")
        for pod in (*pods, executor["spec"], job["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    ]

    kubernetes_validate.validate({**executor, "metadata": {"name": "executor"}}, "1.31", strict=True)
    assert given == [[{"secretRef": {"name": "lake"}}]] * 4


@pytest.mark.parametrize(
    ("name", "package", "image"), [("sail", "pysail", "sail"), ("spark", "pyspark-client", "spark-s3")]
)
def test_images_have_the_versions_of_the_lock(name, package, image):
    lock = (DEPLOY.parent / "requirements-spark.lock").read_text("utf-8")
    [version] = re.findall(rf"^{package}==(\S+)", lock, re.MULTILINE)

    found = set(re.findall(rf"\b{image}:(\d[\d.]*)", (DEPLOY / f"{name}.yaml").read_text("utf-8")))

    assert found == {version}


def test_spark_is_of_the_version_of_its_client():
    lock = (DEPLOY.parent / "requirements-spark.lock").read_text("utf-8")
    [version] = re.findall(r"^pyspark-client==(\S+)", lock, re.MULTILINE)

    assert f"\nFROM spark:{version}-java17\n" in (DEPLOY / "Dockerfile.spark").read_text("utf-8")


def test_the_documentation_names_every_file():
    page = (DEPLOY.parent / "docs" / "cluster.md").read_text("utf-8")

    assert [file.name for file in DEPLOY.iterdir() if f"deploy/{file.name}" not in page] == []
