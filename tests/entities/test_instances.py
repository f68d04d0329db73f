"""Two sources that read the same system."""

from cdp_toolkit import Workspace

_SETTINGS = """
name: two
sources:
  first: {type: files, system: salesforce, instance: 00D1, path: first}
  second: {type: files, system: salesforce, instance: 00D1, path: second}
"""


def test_a_record_that_two_sources_tell_in_the_same_line_of_files_of_one_name_is_one(tmp_path):
    for folder, changed, title in (("first", "2026-01-01", "Clerk"), ("second", "2026-02-01", "Director")):
        (tmp_path / folder).mkdir()
        lines = ["Id,LastName,Title,LastModifiedDate", f"0035g00007B0000AAB,Meyer,{title},{changed}T00:00:00.000Z"]
        (tmp_path / folder / "Contact.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / "cdp.yaml").write_text(_SETTINGS, "utf-8")
    workspace = Workspace(tmp_path)

    workspace.load()

    assert workspace.scan("entities/person").select("job_title").collect().rows() == [("Director",)]
