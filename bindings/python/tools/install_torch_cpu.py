# SPDX-License-Identifier: Apache-2.0
"""Installs PyTorch into this environment for use on the CPU alone, without the GPU libraries that PyPI's wheel for Linux
x86-64 asks for, which are four times its size.

  install_torch_cpu.py [VERSION]

The wheel comes with --no-deps, then what torch imports. Its libraries are linked to CUDA's by name; empty stand-ins of those
names let them load. Every function of a stand-in returns 100, which is CUDA's "no device", so PyTorch finds no GPU, as on any
machine without one. Where the wheel has no such needs (another architecture) nothing is made.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

# What `import torch` and torch.compile with a backend without a compiler import.
DEPENDENCIES = ["filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec", "setuptools"]
OWN = re.compile(r"lib(c10|torch|shm|gomp|gfortran|caffe2)")


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    version = f"=={sys.argv[1]}" if len(sys.argv) > 1 else ""
    pip("--no-deps", "--no-cache-dir", f"torch{version}")
    pip(*DEPENDENCIES)
    folder = Path(sysconfig.get_paths()["platlib"]) / "torch" / "lib"
    needed, undefined = set(), set()
    libraries = sorted(folder.glob("lib*.so*"))
    for library in libraries:
        needed |= set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", str(library))))
        for line in output("readelf", "--dyn-syms", "-W", str(library)).splitlines():
            match = re.search(r" UND ([A-Za-z_]\w*)(?:@+(\S+))?", line)
            if match:
                undefined.add(match.groups(default=""))
    present = {library.name for library in libraries}
    system = {Path(line.split()[0]).name for line in output("/sbin/ldconfig", "-p").splitlines()[1:] if line.strip()}
    missing = sorted(name for name in needed - present - system if not OWN.match(name))
    if not missing:
        print("install_torch_cpu: torch needs nothing more")
        return
    prefixes = ("cu", "__cu", "nv", "nccl", "cupti")
    for name in missing:
        # Symbols with a version belong to the library that defines it; the others may be anywhere: give them to the first.
        mine = {s for s, v in undefined if v.startswith(name.split(".so")[0])}
        mine |= {s for s, v in undefined if not v.startswith("lib") and s.startswith(prefixes)} if name == missing[0] else set()
        with tempfile.TemporaryDirectory() as temporary:
            source = Path(temporary) / "stand_in.c"
            source.write_text("".join(f"int {s}(void) {{ return 100; }}\n" for s in sorted(mine)) or "int nothing_here;\n")
            versions = Path(temporary) / "versions"
            versions.write_text(f"{name} {{ global: *; }};\n")
            subprocess.run(["cc", "-shared", "-fPIC", "-w", "-fno-builtin", "-o", str(folder / name), str(source),
                            f"-Wl,-soname,{name}", f"-Wl,--version-script={versions}"], check=True)  # fmt: skip
    print(f"install_torch_cpu: {len(missing)} stand-ins for {', '.join(missing)}")


if __name__ == "__main__":
    main()
