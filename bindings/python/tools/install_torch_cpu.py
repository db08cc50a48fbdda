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
GPU = ("cu", "__cu", "nv", "nccl", "cupti")
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
    libraries = sorted(folder.glob("lib*.so*"))
    needed: set[str] = set()
    versions: dict[str, set[str]] = {}  # which names of versions are asked of which library
    undefined: set[tuple[str, str]] = set()  # functions and their versions
    for library in libraries:
        text = output("readelf", "-dVW", str(library))
        needed |= set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))
        file = ""
        for line in text.splitlines():
            if match := re.search(r" File: (\S+)", line):
                file = match[1]
            elif file and (match := re.search(r" Name: (\S+) +Flags:", line)):
                versions.setdefault(file, set()).add(match[1])
        for line in output("readelf", "--dyn-syms", "-W", str(library)).splitlines():
            if match := re.search(r" UND ([A-Za-z_]\w*)(?:@+(\S+))?", line):
                undefined.add((match[1], match[2] or ""))
    present = {library.name for library in libraries}
    system = {Path(line.split()[0]).name for line in output("/sbin/ldconfig", "-p").splitlines()[1:] if line.strip()}
    missing = sorted(name for name in needed - present - system if not OWN.match(name))
    if not missing:
        print("install_torch_cpu: torch needs nothing more")
        return
    for name in missing:
        nodes = {v: {s for s, of in undefined if of == v} for v in versions.get(name, set())}
        # What has no version may be anywhere: the first one has it.
        plain = {s for s, of in undefined if not of and s.startswith(GPU)} if name == missing[0] else set()
        functions = sorted(plain.union(*nodes.values()))
        with tempfile.TemporaryDirectory() as temporary:
            source, script = Path(temporary) / "stand_in.c", Path(temporary) / "versions"
            source.write_text("".join(f"int {s}(void) {{ return 100; }}\n" for s in functions) or "int vastmax_nothing;\n")
            script.write_text("".join(f"{v} {{ {' '.join(f'{s};' for s in sorted(of))} }};\n" for v, of in nodes.items()))
            command = ["cc", "-shared", "-fPIC", "-w", "-fno-builtin", "-o", str(folder / name), str(source), f"-Wl,-soname,{name}"]
            subprocess.run([*command, *([f"-Wl,--version-script={script}"] if nodes else [])], check=True)
    print(f"install_torch_cpu: {len(missing)} stand-ins for {', '.join(missing)}")


if __name__ == "__main__":
    main()
