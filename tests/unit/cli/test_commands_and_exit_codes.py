"""Every command, what it prints, and the four exit codes."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from haetae.cli.printing import plain, print_json


def test_a_first_run_has_no_verdict_and_says_how_to_get_one(shop: Any) -> None:  # GAT-01
    said = shop.call("run", "suite.yaml")
    assert said.code == 3
    place = shop.folder.parent / "home" / "ledger.db"
    none = f"No baseline 'production' in {place}"
    assert f"{none}; make one with: haetae promote shop.1" in said.out
    assert "60/60" in said.err


def test_the_four_exit_codes(shop: Any) -> None:
    assert shop.call("run", "suite.yaml", "--quiet").code == 3
    assert "shop.1 is now the baseline 'production' of shop" in shop.call("promote", "shop.1").out
    assert shop.call("gate", "suite.yaml", "--quiet").code == 0
    shop.write(right=20)
    worse = shop.call("gate", "suite.yaml", "--quiet")
    assert worse.code == 1
    assert "right fell by 66.7 points" in worse.out
    assert shop.call("gate", "nothing.yaml").code == 2


@pytest.mark.parametrize("answered", [0, 42])
def test_a_run_without_its_scores_becomes_no_baseline(answered: int, shop: Any) -> None:
    lines = (shop.folder / "outputs.jsonl").read_text().splitlines(keepends=True)
    (shop.folder / "outputs.jsonl").write_text("".join(lines[:answered]))
    said = shop.call("run", "suite.yaml", "--quiet")
    assert said.code == 3
    assert f"no answer: no_recorded_output {60 - answered}, e.g. s{answered}: no recorded output has" in said.out
    assert "haetae promote" not in said.out
    refused = shop.call("promote", "shop.1")
    assert refused.code == 2
    assert f"(not_generated {60 - answered}); a baseline needs these scores" in refused.err
    assert "No baseline 'production'" in shop.call("compare", "shop.1").out


def test_an_inconclusive_verdict_passes_unless_strict(shop: Any) -> None:
    shop.write(right=60, samples=60)
    shop.call("run", "suite.yaml", "--quiet")
    shop.call("promote", "shop.1")
    shop.write(right=57)
    said = shop.call("gate", "suite.yaml", "--quiet", "--json")
    assert (said.json["verdict"], said.code) == ("inconclusive", 0)
    assert shop.call("gate", "suite.yaml", "--quiet", "--strict").code == 3
    assert shop.call("compare", said.json["run"], "shop.1", "--strict").code == 3


def test_json_is_one_document_and_says_what_the_text_says(shop: Any) -> None:
    said = shop.call("run", "suite.yaml", "--json")
    assert said.json["run"] == "shop.1"
    assert said.json["status"] == "finished"
    for account in said.json["accounting"]:
        assert account["scored"] + sum(account["unscored"].values()) + account["not_run"] == account["total"] == 60
    assert {estimate["slice"] for estimate in said.json["estimates"]} == {"", "language=한국어"}
    assert shop.call("show", "shop.1", "--json").json["estimates"] == said.json["estimates"]
    assert shop.call("check", "suite.yaml", "--json").json["samples"] == 60
    assert shop.call("list", "runs", "--json").json[0]["run"] == "shop.1"
    shop.call("promote", "shop.1")
    assert shop.call("compare", "shop.1", "--json").json["verdict"] in ("pass", "inconclusive")


def test_comparing_by_hand_names_what_moved(shop: Any) -> None:
    shop.call("run", "suite.yaml", "--quiet")
    shop.write(right=10)
    shop.call("run", "suite.yaml", "--quiet")
    said = shop.call("compare", "shop.2", "shop.1")
    assert said.code == 1
    assert "what moved: outputs" in said.out
    shop.write(right=10, samples=61)
    shop.call("run", "suite.yaml", "--quiet")
    refused = shop.call("compare", "shop.3", "shop.1")
    assert refused.code == 3
    assert "The runs differ in dataset" in refused.out
    common = shop.call("compare", "shop.3", "shop.1", "--common")
    assert common.code == 1
    assert "only their common samples were compared" in common.out


def test_fewer_samples_under_the_same_name_are_no_pass(shop: Any) -> None:  # GAT-12
    shop.call("run", "suite.yaml", "--quiet")
    shop.call("promote", "shop.1")
    shop.suite.write_text(shop.suite.read_text() + "limit: 30\n")
    said = shop.call("gate", "suite.yaml", "--quiet")
    assert said.code == 3
    assert "dataset.count: 60 → 30" in said.out


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("suite: shop", "suite: shop\nsuite: shop"), "suite.yaml:2:1: suite: "),
        (("max_drop: 0.1", "max_drpo: 0.1"), "suite.yaml:8:14: gate.metrics.right.max_drpo: unknown key"),
        (("chrf: chrf", "chrf: chrff"), "suite.yaml:4:"),
        (("outputs.jsonl", "missing.jsonl"), "suite.yaml:3:"),
        (("dataset: samples.jsonl", "dataset: nothing@3"), "no dataset 'nothing' is registered"),
    ],
)
def test_a_mistake_is_told_at_its_place_without_a_traceback(change: tuple[str, str], place: str, shop: Any) -> None:
    shop.suite.write_text(shop.suite.read_text().replace(*change))
    said = shop.call("run", "suite.yaml")
    assert said.code == 2
    assert place in said.err
    assert shop.call("list", "runs").out.startswith("no runs yet")


def test_every_missing_variable_is_named_at_once(shop: Any) -> None:  # CFG-11
    text = shop.suite.read_text().replace("samples.jsonl", "${DATA_A}").replace("outputs.jsonl", '"${DATA_B}"')
    shop.suite.write_text(text)
    said = shop.call("run", "suite.yaml")
    assert said.code == 2
    assert "DATA_A" in said.err
    assert "DATA_B" in said.err
    assert shop.call("list", "runs").out.startswith("no runs yet")


@pytest.mark.parametrize("change", ["limit: 0\n", None])
@pytest.mark.parametrize("command", ["run", "gate"])
def test_no_samples_are_no_run(change: str | None, command: str, shop: Any) -> None:  # DAT-05
    if change:
        shop.suite.write_text(shop.suite.read_text() + change)
    else:
        (shop.folder / "samples.jsonl").write_text("")
    said = shop.call(command, "suite.yaml")
    assert said.code == (3 if command == "gate" else 2)
    assert "0 samples" in said.err
    assert shop.call("list", "runs").out.startswith("no runs yet")


def test_a_broken_row_of_recorded_outputs_stops_before_the_run(shop: Any) -> None:
    with (shop.folder / "outputs.jsonl").open("a") as file:
        file.write('{"id": "s0", "output": "again"}\n')
    said = shop.call("run", "suite.yaml")
    assert said.code == 2
    assert "outputs.jsonl:61" in said.err
    assert shop.call("list", "runs").out.startswith("no runs yet")


def test_rows_left_out_are_told(shop: Any) -> None:  # DAT-01
    with (shop.folder / "samples.jsonl").open("a") as file:
        file.write("{broken\n")
    assert shop.call("run", "suite.yaml").code == 2
    said = shop.call("run", "suite.yaml", "--skip-bad", "--quiet")
    assert "they cannot be read: 1; listed in" in said.out
    (listed,) = (shop.folder.parent / "home" / "rejects").iterdir()
    assert "samples.jsonl" in listed.read_text()


def test_a_gate_that_is_not_declared_is_a_mistake(shop: Any) -> None:
    shop.suite.write_text(shop.suite.read_text().partition("gate:")[0])
    assert shop.call("run", "suite.yaml", "--quiet").code == 0
    said = shop.call("gate", "suite.yaml")
    assert said.code == 2
    assert "declares no gate" in said.err
    assert shop.call("compare", "shop.1").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "shop.9"],
        ["promote", "shop.9"],
        ["export", "shop.9"],
        ["compare", "shop.9"],
        ["resume", "shop.9"],
        ["cache", "prune", "--run", "shop.9"],
    ],
)
def test_a_run_that_is_not_there_is_a_wrong_input(arguments: list[str], shop: Any) -> None:
    said = shop.call(*arguments)
    assert said.code == 2
    assert "there is no run 'shop.9'" in said.err


@pytest.mark.parametrize("arguments", [["runn"], ["run"], ["run", "--nope", "x"], ["list", "things"]])
def test_wrong_usage_is_2(arguments: list[str], shop: Any) -> None:
    assert shop.call(*arguments).code == 2


def test_registering_pointing_and_comparing_versions(shop: Any) -> None:
    prompt = shop.folder / "answer.md"
    prompt.write_text("Answer: {{ input }}\n")
    assert "prompt answer@1 registered" in shop.call("register", "prompt", prompt).out
    assert "is there already" in shop.call("register", "prompt", prompt).out
    prompt.write_text("Answer briefly: {{ input }}\n")
    said = shop.call("register", "prompt", prompt, "--alias", "production", "--json").json
    assert (said["reference"], said["new"], said["aliases"]) == ("answer@2", True, ["production"])
    assert "answer@production is now answer@1" in shop.call("alias", "prompt", "answer@1", "production").out
    diff = shop.call("diff", "prompt", "answer@1", "answer@2").out
    assert "-Answer: {{ input }}" in diff
    assert "+Answer briefly: {{ input }}" in diff
    assert shop.call("diff", "prompt", "answer@1", "answer@1").out == "no difference\n"
    assert "answer@2" in shop.call("list", "prompts").out
    assert shop.call("show", "answer@1", "--kind", "prompt").json["content"][0]["content"].startswith("Answer:")
    assert shop.call("show", "answer@9", "--kind", "prompt").code == 2
    assert shop.call("list", "models").out == "no models yet; start with: haetae register model FILE\n"
    assert shop.call("list", "datasets").out == "no datasets yet; start with: haetae register dataset FILE\n"


def test_a_registered_dataset_stays_what_it_was(shop: Any) -> None:
    assert "dataset samples@1 registered" in shop.call("register", "dataset", "samples.jsonl").out
    shop.suite.write_text(shop.suite.read_text().replace("samples.jsonl", "samples@1"))
    shop.write(right=60, samples=70)
    assert shop.call("check", "suite.yaml").out.startswith("shop: samples, 60 samples")
    said = shop.call("run", "suite.yaml", "--json", "--quiet").json
    assert (said["total"], said["references"]) == (60, {"samples@1": "samples@1"})
    (kept,) = (shop.folder.parent / "home" / "datasets").iterdir()
    kept.write_text((shop.folder / "samples.jsonl").read_text())
    said = shop.call("run", "suite.yaml")
    assert said.code == 2
    assert "no longer what was registered as samples@1" in said.err


def test_a_dataset_in_a_folder_is_registered_by_its_relative_path(shop: Any) -> None:
    (shop.folder / "sub").mkdir()
    (shop.folder / "samples.jsonl").rename(shop.folder / "sub" / "support.jsonl")
    assert shop.call("register", "dataset", "sub/support.jsonl").out == "dataset support@1 registered\n"


def test_exports_are_whole_and_no_spreadsheet_runs_them(shop: Any) -> None:  # DSH-13
    evil = ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", " =1", "＝1", "\r=1", "a\ud835b"]
    answers = [{"id": f"s{n}", "output": evil[n % len(evil)]} for n in range(60)]
    (shop.folder / "outputs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers))
    shop.suite.write_text(shop.suite.read_text().replace("chrf: chrf", '"=cmd": chrf'))
    shop.call("run", "suite.yaml", "--quiet")
    assert "shop.1 written to out.csv" in shop.call("export", "shop.1", "--format", "csv", "--out", "out.csv").out
    text = Path("out.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 60
    for row in rows:
        for name, cell in row.items():
            assert not name.startswith("=")
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", " ", "＝"))
    assert rows[0]["output"] == "'=HYPERLINK(1)"
    lines = shop.call("export", "shop.1").out.splitlines()
    assert [json.loads(line)["output"] for line in lines[:9]] == evil
    assert shop.call("export", "shop.1", "--format", "csv").code == 0
    assert shop.call("export", "shop.1", "--out", "nowhere/out.csv").code == 3


def test_init_makes_a_suite_that_runs(shop: Any) -> None:
    said = shop.call("init", "first")
    assert "haetae run first/suite.yaml" in said.out
    assert shop.call("check", "first/suite.yaml").code == 0
    schema = json.loads((shop.folder / "first/suite.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load((shop.folder / "first/suite.yaml").read_text(encoding="utf-8")), schema)
    again = shop.call("init", "first")
    assert again.code == 2
    assert "is not empty" in again.err


def test_doctor_lists_what_is_there(shop: Any) -> None:
    said = shop.call("doctor")
    assert said.code == 0
    assert "fine     Python" in said.out
    shop.call("run", "suite.yaml", "--quiet")
    assert shop.call("sync").out == "nothing is waiting\n"
    assert "shop.1" in shop.call("list").out


def test_what_a_tracker_did_not_take_is_told_once_and_exits_with_3(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("HAETAE_MLFLOW", f"http://127.0.0.1:{free.getsockname()[1]}")
    shop.suite.write_text(shop.suite.read_text() + "track: [mlflow]\n")
    shop.call("run", "suite.yaml", "--quiet")
    done = _process("import sys; sys.argv = ['haetae', 'sync']; from haetae.cli.main import main; main()")
    assert done.returncode == 3
    assert done.stdout.startswith("mlflow: not delivered yet")
    assert (done.stdout.count("cannot be reached"), done.stderr) == (1, "")


def test_terminals_are_not_steered_by_what_models_say() -> None:  # SEC-11
    assert plain("a\x1b[31mred\x07\u202eevil\ud835") == "a\\x1b[31mred\\x07\\u202eevil\\ud835"
    assert plain("한국어\tand\nlines é") == "한국어\tand\nlines é"


def test_json_of_any_text_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"reply": "half a pair \ud835, \x1b and 한글", 1: [0.5]}
    print_json(value)
    assert json.loads(capsys.readouterr().out) == {"reply": value["reply"], "1": [0.5]}


def _process(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options.pop("flags", []), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def test_what_nobody_foresaw_is_no_regression() -> None:  # GAT-14
    code = (
        "import sys; sys.argv = ['haetae', 'doctor']\n"
        "import haetae.settings\n"
        "def broken(): raise ZeroDivisionError('a bug')\n"
        "haetae.settings.load_settings = broken\n"
        "from haetae.cli.main import main; main()"
    )
    done = _process(code)
    assert done.returncode == 3
    assert "ZeroDivisionError: a bug" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"), [("KeyboardInterrupt()", 3), ("BrokenPipeError()", 3), ("OSError(28, 'full')", 3)]
)
def test_interruptions_and_full_disks_are_no_regression_either(error: str, code: int) -> None:
    made = (
        "import sys; sys.argv = ['haetae', 'doctor']\n"
        "import haetae.settings\n"
        f"def broken(): raise {error}\n"
        "haetae.settings.load_settings = broken\n"
        "from haetae.cli.main import main; main()"
    )
    done = _process(made)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


_HEAVY = (
    "pydantic",
    "numpy",
    "scipy",
    "sqlalchemy",
    "aiohttp",
    "rich",
    "mlflow",
    "prefect",
    "streamlit",
    "torch",
    "pandas",
)


@pytest.mark.parametrize(
    "code",
    ["import haetae", "import sys; sys.argv = ['haetae', '--help']; from haetae.cli.main import main; main()"],
    ids=["the face", "the help"],
)
def test_a_look_loads_nothing_heavy(code: str) -> None:
    done = _process(code, flags=["-X", "importtime"])
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "haetae" in imported
    assert not imported & set(_HEAVY)


def test_looking_into_the_ledger_loads_nothing_that_computes_or_calls(shop: Any) -> None:
    shop.call("run", "suite.yaml", "--quiet")
    for arguments in (["list", "models"], ["list", "runs"], ["sync"]):
        code = f"import sys; sys.argv = {['haetae', *arguments]}; from haetae.cli.main import main; main()"
        done = _process(code, flags=["-X", "importtime"])
        assert done.returncode == 0
        imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
        assert "sqlalchemy" in imported
        assert not imported & {"numpy", "scipy", "aiohttp", "alembic", "mlflow", "pandas"}


def test_the_face_is_small_and_stays_what_it_is() -> None:
    import haetae

    assert len(haetae.__all__) < 20
    assert sorted(haetae.__all__) == [
        *("Comparison", "Difference", "Estimate", "Failure", "Generation", "HaetaeError", "Metric", "MetricFacts"),
        *("Report", "Run", "RunStatus", "Sample", "Score", "Settings", "Verdict", "Workbench"),
        *("load_settings", "metric"),
    ]
    for name in haetae.__all__:
        assert getattr(haetae, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = haetae.nothing  # type: ignore[attr-defined]  # it is not there


def test_the_help_lists_every_command_and_each_has_its_own(shop: Any) -> None:
    said = shop.call("--help")
    assert said.code == 0
    commands = [
        line.split()[0]
        for line in said.out.partition("Commands:\n")[2].splitlines()
        if line.startswith("  ") and line[2] != " "
    ]
    assert {"init", "demo", "run", "gate", "compare", "promote", "export", "doctor"} <= set(commands)
    for command in commands:
        assert shop.call(command, "--help").out.startswith(f"Usage: haetae {command}")
    assert "0.1.0" in shop.call("--version").out
