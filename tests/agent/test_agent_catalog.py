"""From a catalog to an order, and from an order to what is done."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakehosts import TableHost
from test_agent_resources import FixedSources, Told

from reseal import __version__
from reseal.agent.catalog import BadCatalog, Catalog, parse_catalog
from reseal.agent.clientbucket import ClientBucket
from reseal.agent.order import order_of
from reseal.agent.report import Report
from reseal.agent.transaction import Transaction

NOW = datetime(2026, 11, 27, tzinfo=UTC)


class Fixed:
    def now(self) -> datetime:
        return NOW


def made(*resources: tuple[str, str, dict[str, object]], **more: Any) -> Catalog:
    """Make a catalog of a main class with resources, and what else is said."""
    listed = [{"type": t, "title": n, "parameters": p} for t, n, p in resources]
    main = [{"type": "Stage", "title": "main"}, {"type": "Class", "title": "main"}]
    edges = [{"source": "Stage[main]", "target": "Class[main]"}]
    edges += [{"source": "Class[main]", "target": f"{t}[{n}]"} for t, n, _ in resources]
    told = {"name": "web01", "version": 1, "environment": "production"}
    told |= {"resources": [*main, *listed], "edges": edges, **more}
    return parse_catalog(json.dumps(told).encode())


def order(*resources: tuple[str, str, dict[str, object]]) -> list[str]:
    return [str(each.name) for each in order_of(made(*resources)).resources]


def test_what_is_left_open_stays_in_the_catalogs_order() -> None:
    assert order(("Notify", "b", {}), ("Notify", "a", {})) == ["Notify[b]", "Notify[a]"]


@pytest.mark.parametrize("relation", ["before", "notify", "require", "subscribe"])
def test_every_relation_orders(relation: str) -> None:
    if relation in ("before", "notify"):
        found = order(("Notify", "b", {}), ("Notify", "a", {relation: "Notify[b]"}))
    else:
        found = order(("Notify", "b", {relation: ["Notify[a]"]}), ("Notify", "a", {}))
    assert found == ["Notify[a]", "Notify[b]"]


def test_a_file_comes_after_its_directory() -> None:
    found = order(("File", "/a/b/c", {}), ("File", "/a/", {}), ("File", "/x", {}))
    assert found == ["File[/a]", "File[/a/b/c]", "File[/x]"]


def test_a_class_stands_for_what_is_in_it() -> None:
    told = {
        "name": "x",
        "resources": [
            {"type": "Class", "title": "web"},
            {"type": "Class", "title": "web::inner"},
            {
                "type": "Notify",
                "title": "last",
                "parameters": {"require": "Class[web]"},
            },
            {"type": "Notify", "title": "deep"},
        ],
        "edges": [
            {"source": "Class[web]", "target": "Class[web::inner]"},
            {"source": "Class[web::inner]", "target": "Notify[deep]"},
        ],
    }
    catalog = parse_catalog(json.dumps(told).encode())
    found = order_of(catalog).resources
    assert [each.name.title for each in found] == ["deep", "last"]
    assert catalog.path(found[0].name) == "/Web/Web::Inner/Notify[deep]"


def test_others_may_mean_a_resource_by_its_alias_or_path() -> None:
    found = order(
        ("Notify", "last", {"require": ["File[conf]", "File[/etc/x]", "Exec[run]"]}),
        ("File", "conf", {"path": "/etc/x"}),
        ("Exec", "/bin/true", {"alias": "run"}),
    )
    assert found[-1] == "Notify[last]"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"no", "Could not intern from json"),
        (b"[]", "Could not intern from json"),
        (b'{"resources":[{"type":"A"}]}', "Could not intern from json"),
        (
            b'{"resources":[],"edges":[{"source":"A[b]","target":"C[d]"}]}',
            'Could not find relationship source "A[b]"',
        ),
        (
            b'{"resources":[{"type":"A","title":"b"},{"type":"a","title":"b"}]}',
            "Duplicate declaration: A[b] is already declared; cannot redeclare",
        ),
    ],
)
def test_catalogs_that_are_none(document: bytes, said: str) -> None:
    with pytest.raises(BadCatalog) as caught:
        parse_catalog(document)
    assert said in str(caught.value)


def test_relations_that_make_no_sense() -> None:
    with pytest.raises(
        BadCatalog, match=r"Could not find dependency File\[/x\] for Not"
    ):
        order(("Notify", "a", {"require": "File[/x]"}))
    with pytest.raises(BadCatalog, match="is no reference to a resource"):
        order(("Notify", "a", {"require": "nothing"}))
    with pytest.raises(BadCatalog, match="Found 1 dependency cycle:") as caught:
        order(
            ("Notify", "a", {"require": "Notify[b]"}),
            ("Notify", "b", {"require": "Notify[a]"}),
        )
    assert "(Notify[b] => Notify[a] => Notify[b])" in str(caught.value)


def applied(
    *resources: tuple[str, str, dict[str, object]], noop: bool = False
) -> tuple[Report, list[str]]:
    log = Told()
    catalog = made(*resources)
    bucket = ClientBucket(Path("/nosuch"))
    done = Transaction(
        catalog, TableHost({}), FixedSources(), bucket, log, Fixed(), noop=noop
    )
    report = Report("web01", NOW, "u", "production", "production", noop)
    report.catalog = catalog
    report.statuses = done.run()
    return report, log.lines


def test_what_depends_on_a_failure_is_skipped_and_the_rest_goes_on() -> None:
    report, lines = applied(
        ("Exec", "/bin/false", {}),
        ("Notify", "one", {"require": "Exec[/bin/false]"}),
        ("Notify", "two", {"require": "Notify[one]"}),
        ("Notify", "free", {}),
    )
    one = "/Stage[main]/Main/Notify[one]"
    assert f"notice {one}: Dependency Exec[/bin/false] has failures: true" in lines
    assert f"warning {one}: Skipping because of failed dependencies" in lines
    assert "notice free" in lines
    assert "notice one" not in lines
    assert "notice two" not in lines
    assert [s.skipped for s in report.statuses] == [False, True, True, False]
    assert (report.status, report.exit_code()) == ("failed", 6)


def test_a_refresh_comes_once_for_all_changes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report, lines = applied(
        ("Notify", "a", {"notify": "Exec[r]"}),
        ("Notify", "b", {"before": "Exec[r]"}),
        ("Notify", "c", {}),
        (
            "Exec",
            "r",
            {
                "command": f"echo x >>{out}",
                "provider": "shell",
                "refreshonly": True,
                "subscribe": "Notify[c]",
            },
        ),
    )
    assert out.read_text() == "x\n"
    r = "/Stage[main]/Main/Exec[r]"
    assert lines[-1] == f"notice {r}: Triggered 'refresh' from 2 events"
    assert (
        lines.count("info /Stage[main]/Main/Notify[a]: Scheduling refresh of Exec[r]")
        == 1
    )
    assert not [line for line in lines if "Notify[b]: Scheduling" in line]
    assert report.statuses[-1].restarted


def test_a_refresh_that_fails_is_a_failure() -> None:
    report, lines = applied(
        ("Notify", "a", {"notify": "Exec[r]"}),
        ("Exec", "r", {"command": "/bin/false", "refreshonly": True}),
    )
    assert lines[-1].startswith(
        "err /Stage[main]/Main/Exec[r]: Failed to call refresh: "
    )
    assert report.statuses[-1].failed_to_restart
    assert report.exit_code() == 6


def test_noop_tells_and_touches_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report, lines = applied(
        ("File", str(out), {"content": "x", "notify": "Exec[/bin/false]"}),
        ("Exec", "/bin/false", {"refreshonly": True}),
        noop=True,
    )
    assert not out.exists()
    assert all(" (noop)" in x or "Would have" in x for x in lines if x[:6] == "notice")
    assert (report.status, report.exit_code()) == ("unchanged", 0)
    assert json.loads(report.encode())["noop_pending"] is True


def test_what_cannot_be_applied_here_is_told_and_counts() -> None:
    report, lines = applied(
        ("Cron", "x", {"command": "y"}),
        ("File", "/tmp/x", {"recurse": True}),
        ("Schedule", "daily", {}),
        ("Filebucket", "main", {}),
    )
    assert lines == [
        "err /Stage[main]/Main/Cron[x]: Could not evaluate: reseal has no type 'cron'",
        "err /Stage[main]/Main/File[/tmp/x]: Could not evaluate: parameter 'recurse' "
        "is not supported by reseal",
    ]
    assert report.exit_code() == 4
    told = json.loads(report.encode())
    assert told["resource_statuses"]["Cron[x]"]["failed"] is True
    assert told["status"] == "failed"


def test_what_is_sensitive_is_told_nowhere(tmp_path: Path) -> None:
    secret, path = "s3cr3t", tmp_path / "f"
    path.write_text("old\n")
    told = [
        ("File", str(path), {"content": secret}, "content"),
        ("Notify", "n", {"message": f"with {secret}"}, "message"),
        ("Exec", "e", {"command": f"/bin/false {secret}"}, "command"),
        ("Exec", "x", {"command": secret}, "command"),
        ("Exec", "r", {"command": "/bin/true", "refresh": f"/x/{secret}"}, "refresh"),
    ]
    resources = [
        {"type": t, "title": n, "parameters": p, "sensitive_parameters": [s]}
        for t, n, p, s in told
    ]
    resources[-1]["parameters"] |= {"subscribe": "Notify[n]"}  # type: ignore[operator]
    catalog = parse_catalog(json.dumps({"resources": resources}).encode())
    log = Told()
    bucket = ClientBucket(Path("/nosuch"))
    done = Transaction(
        catalog, TableHost({}), FixedSources(), bucket, log, Fixed(), show_diff=True
    )
    report = Report("web01", NOW, "u", "production", "production", False)
    report.statuses = done.run()
    assert path.read_text() == secret, "it is applied all the same"
    assert secret not in "\n".join(log.lines)
    assert "[redacted]" in "\n".join(log.lines)
    assert secret not in report.encode().decode()


def test_a_report_is_what_puppet_sends() -> None:
    report, _ = applied(("Notify", "a", {}), ("Exec", "/bin/false", {}))
    told = json.loads(report.encode())
    assert told["report_format"] == 12
    assert told["host"] == "web01"
    rows = {name: value for name, _, value in told["metrics"]["resources"]["values"]}
    assert (rows["total"], rows["changed"], rows["failed"]) == (2, 1, 1)
    status = told["resource_statuses"]["Notify[a]"]
    assert status["containment_path"] == ["Stage[main]", "Main", "Notify[a]"]
    assert status["events"][0]["status"] == "success"
    assert set(status) >= {"title", "resource_type", "evaluation_time", "change_count"}
    assert yaml.safe_load(report.encode_yaml()) == told


def test_the_summary_of_a_run_has_puppets_shape() -> None:
    report, _ = applied(("Notify", "a", {}), ("Exec", "/bin/false", {}))
    report.environment = "testing"
    told = yaml.safe_load(report.encode_summary(NOW))
    assert told["application"] == {
        "run_mode": "agent",
        "initial_environment": "production",
        "converged_environment": "testing",
    }
    assert told["version"] == {"config": "1", "puppet": f"reseal {__version__}"}
    assert told["resources"]["total"] == 2
    assert told["events"] == {"total": 2, "success": 1, "failure": 1}
    assert told["changes"] == {"total": 1}
    assert told["time"]["last_run"] == int(NOW.timestamp())


def test_text_of_no_alphabet_is_kept_in_a_report() -> None:
    report, _ = applied(("Notify", "a", {"message": "x\ud800\x07\u2028y"}))
    report.logs.append(("notice", "", "x\ud800\x07\u2028y", NOW))
    kept = yaml.safe_load(report.encode_yaml())["logs"][-1]["message"]
    assert kept == "x?\x07\u2028y"
