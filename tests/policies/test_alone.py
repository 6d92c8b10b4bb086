"""The library stands alone: installed and imported where neither the portal nor any other package is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

USE = """
import importlib, pkgutil, sys
import policies
for module in pkgutil.iter_modules(policies.__path__, "policies."):
    importlib.import_module(module.name)
from policies import SHIPPED, load_policy
from policies.nations import load_nations
policy = load_policy(SHIPPED)
clearance = policy.clearance_up_to("SECRET", {"Context": ["NATO"]})
assert policy.permits(policy.parse_marking("NATO SECRET"), clearance)
assert len(load_nations()) > 15
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"policies", "__main__"}
print(policies.__file__, sorted(foreign))
"""


def test_library_installs_and_imports_with_nothing_beside_it(tmp_path: Path) -> None:
    source, target = tmp_path / "policies", tmp_path / "installed"
    shutil.copytree(ROOT / "policies", source, ignore=shutil.ignore_patterns("__pycache__"))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--no-build-isolation", "--target", target, source], check=True, timeout=110)
    assert {path.name for path in target.iterdir() if not path.name.endswith(".dist-info")} == {"policies"}
    # -S leaves out everything that is installed: only the standard library and this folder are there.
    code = f"import sys; sys.path.insert(0, {str(target)!r})\n{USE}"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.split() == [str(target / "policies" / "__init__.py"), "[]"]
