"""A folder of YAML files and the catalogs that are made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reseal.errors import CatalogError, CatalogFaults
from reseal.primary.protocol import Wanted
from reseal.primary.static import StaticCatalogs, review

WEB = "web01.example.com"


def write(root: Path, **files: str) -> Path:
    """Write files; `nodes_web01` is nodes/web01.example.com.yaml."""
    for name, text in files.items():
        kind, _, rest = name.partition("_")
        name = f"{kind}/{rest}" if rest else kind
        path = root / f"{name.replace('web01', WEB)}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def catalog(root: Path, name: str = WEB) -> dict[str, Any]:
    found = StaticCatalogs(root).catalog(Wanted(name, "testing"))
    read: dict[str, Any] = json.loads(found)
    return read


def declared(root: Path, name: str = WEB) -> dict[str, Any]:
    """Return reference to parameters of what a node gets, in order."""
    return {
        f"{each['type']}[{each['title']}]": each["parameters"]
        for each in catalog(root, name)["resources"]
        if each["type"] not in ("Stage", "Class")
    }


DEFAULT = """
classes: [base]
resources:
  file:
    /etc/motd:
      content: "hello\\n"
      mode: "0644"
  service:
    ssh: {ensure: running, subscribe: "File[/etc/motd]"}
"""


def test_a_node_gets_the_default_its_groups_and_its_own_in_order(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        default=DEFAULT,
        groups_web="nodes: ['web*.example.com']\nclasses: [web]\n"
        "resources:\n  file: {/etc/motd: {content: web}}\n  notify: {web: {}}\n",
        groups_blue="resources: {notify: {blue: {}}}\n",
        groups_other="nodes: [db01.example.com]\nresources: {notify: {db: {}}}\n",
        nodes_web01="groups: [blue]\n"
        "resources: {file: {/etc/motd: {mode: null, owner: root}}}\n",
    )
    assert declared(tmp_path) == {
        "File[/etc/motd]": {"content": "web", "owner": "root"},
        "Service[ssh]": {"ensure": "running", "subscribe": "File[/etc/motd]"},
        "Notify[blue]": {},
        "Notify[web]": {},
    }
    assert catalog(tmp_path)["classes"] == ["base", "web"]
    assert list(declared(tmp_path, "db01.example.com")) == [
        "File[/etc/motd]",
        "Service[ssh]",
        "Notify[db]",
    ]


def test_a_catalog_is_what_agents_read(tmp_path: Path) -> None:
    found = catalog(write(tmp_path, default=DEFAULT))
    assert found["name"] == WEB
    assert found["environment"] == "testing"
    assert found["catalog_format"] == 1
    motd = next(each for each in found["resources"] if each["type"] == "File")
    assert motd["file"] == str(tmp_path / "default.yaml")
    assert motd["line"] == 5
    ends = {f"{r['type']}[{r['title']}]" for r in found["resources"]}
    assert {
        edge[end] for edge in found["edges"] for end in ("source", "target")
    } == ends


def test_the_version_changes_with_what_is_said_only(tmp_path: Path) -> None:
    write(tmp_path, default=DEFAULT)
    first = catalog(tmp_path)["version"]
    assert catalog(tmp_path, "db01.example.com")["version"] == first
    write(tmp_path, default=DEFAULT.replace("hello", "other"))
    assert catalog(tmp_path)["version"] != first


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    catalogs = StaticCatalogs(write(tmp_path, default=DEFAULT))
    before = catalogs.catalog(Wanted(WEB, "production"))
    write(tmp_path, nodes_web01="resources: {notify: {now: {}}}")
    after = catalogs.catalog(Wanted(WEB, "production"))
    assert b"now" not in before
    assert b"now" in after


def test_types_of_modules_keep_their_names(tmp_path: Path) -> None:
    write(tmp_path, default="resources: {'apache::vhost': {x: {any_thing: [1, 2]}}}")
    assert declared(tmp_path) == {"Apache::Vhost[x]": {"any_thing": [1, 2]}}


FAULTS = [
    ("not YAML", "resources: ]", "line 1: not YAML"),
    ("no mapping", "- a", "line 1: must be a mapping with classes, resources"),
    ("an unknown key", "resource: {}", "line 1: resource: unknown key"),
    (
        "a key twice",
        "resources: {}\nresources: {}",
        "line 2: resources: is there twice",
    ),
    ("no type", "resources: {'a b': {}}", "line 1: a b: is no type of resource"),
    ("a class", "resources: {class: {x: {}}}", "line 1: class: is no type"),
    ("no titles", "resources: {file: [x]}", "line 1: file: must map titles"),
    ("no parameters", "resources: {file: {/x: 1}}", "File[/x]: must map parameters"),
    (
        "a misspelt parameter",
        "resources:\n  file:\n    /x: {contnet: a}",
        "line 3: File[/x]: file has no parameter 'contnet'; is content meant?",
    ),
    (
        "a bad name of a parameter",
        "resources: {x: {y: {'a-b': 1}}}",
        "X[y]: 'a-b' is no name of a parameter",
    ),
    (
        "an octal number",
        "resources: {file: {/x: {mode: 0644}}}",
        "0644: is taken as an octal number; put it in quotes",
    ),
    (
        "a mode that is a number",
        "resources: {file: {/x: {mode: 644}}}",
        "mode: 644 is a number; put it in quotes",
    ),
    (
        "a date",
        "resources: {notify: {x: {message: 2026-01-01}}}",
        "'2026-01-01': is taken as a timestamp; put it in quotes",
    ),
    (
        "an object",
        "resources: {notify: {x: {message: !!python/name:os.system ''}}}",
        "put it in quotes",
    ),
    ("infinity", "resources: {notify: {x: {message: .inf}}}", "no number that JSON"),
    ("merging", "a: &a {}\nresources: {<<: *a}", "<<: merging is not read"),
    (
        "a bad reference",
        "resources: {notify: {x: {require: 'file[/x]'}}}",
        "require: 'file[/x]' is no reference like Service[nginx]",
    ),
    (
        "a reference to nothing",
        "resources:\n  notify:\n    x:\n      require: File[/x]",
        "line 4: Notify[x]: require: there is no File[/x]",
    ),
    (
        "a circle",
        "resources: {notify: {x: {require: 'Notify[y]'}, y: {require: 'Notify[x]'}}}",
        "the resources wait in a circle: Notify[",
    ),
    (
        "the same file twice",
        "resources:\n  file:\n    /x: {}\n    y: {path: /x/}",
        "line 4: File[y]: is the same as File[/x]",
    ),
    ("no class", "classes: ['A-b']", "classes: 'A-b' is no name of a class"),
    ("no text", "classes: [1]", "classes: must be a list of texts"),
    ("no UTF-8", "\udcff", "not UTF-8 text"),
    ("itself", "resources: &a\n  x: *a", "nested more than 50 deep, or in itself"),
]


@pytest.mark.parametrize(("sentence", "text", "said"), FAULTS)
def test_mistakes_have_file_and_line(
    tmp_path: Path, sentence: str, text: str, said: str
) -> None:
    (tmp_path / "default.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    found = review(tmp_path).faults
    assert any(said in fault for fault in found), (sentence, found)
    assert all(f"{tmp_path}/default.yaml line " in fault for fault in found)
    with pytest.raises(CatalogFaults) as caught:
        catalog(tmp_path)
    assert set(caught.value.faults) <= set(found)


def test_a_mistake_touches_only_its_own_nodes(tmp_path: Path) -> None:
    write(tmp_path, default=DEFAULT, nodes_web01="resource: {}", groups_x="nodes: [1]")
    with pytest.raises(CatalogFaults, match="unknown key"):
        catalog(tmp_path)
    assert declared(tmp_path, "db01.example.com")
    assert len(review(tmp_path).faults) == 2


def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, nodes_web01="\ngroups: [nosuch]")
    found = (
        f"{tmp_path}/nodes/{WEB}.yaml line 2: groups: there is no groups/nosuch.yaml"
    )
    assert review(tmp_path).faults == (found,)


def test_a_relation_that_only_some_nodes_can_keep(tmp_path: Path) -> None:
    write(
        tmp_path,
        groups_web="nodes: [web01]\nresources: {notify: {x: {require: 'File[/x]'}}}",
        nodes_web01="groups: [web]\nresources: {file: {/x: {}}}",
    )
    assert list(declared(tmp_path)) == ["Notify[x]", "File[/x]"]
    assert any("there is no File[/x]" in fault for fault in review(tmp_path).faults)


def test_unknown_types_are_noted(tmp_path: Path) -> None:
    write(tmp_path, default="resources: {servce: {x: {}}, 'my::own': {y: {}}}")
    found = review(tmp_path)
    assert not found.faults
    assert ["is service meant?" in note for note in found.notes] == [True, False]


def test_without_a_folder_there_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="there is no such folder"):
        catalog(tmp_path / "nosuch")


def test_an_empty_folder_is_an_empty_catalog(tmp_path: Path) -> None:
    assert declared(tmp_path) == {}
