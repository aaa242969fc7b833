"""The shells' own completion, asked as a person does who presses Tab."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_of_commands(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(run("completion", "bash").output)
    asked = f"""
source {script}
COMP_WORDS=(personal-ai canister sna); COMP_CWORD=2
"$(complete -p personal-ai | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
echo "${{COMPREPLY[@]}}"
"""
    found = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.split() == ["snapshot"], found.stderr


@pytest.mark.parametrize(("shell", "said"), [("zsh", "#compdef personal-ai"), ("fish", "complete -c personal-ai")])
def test_other_shells_have_their_script(run: Run, shell: str, said: str) -> None:
    script = run("completion", shell)
    assert script.exit_code == 0 and said in script.output and "snapshot" in script.output


def test_an_unknown_shell_is_a_usage_error(run: Run) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("completion", "cmd")
