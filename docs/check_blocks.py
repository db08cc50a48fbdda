#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every code block of the READMEs, of docs and of the site is compiled and run, or checked in the way told here.
  docs/check_blocks.py [--only LANGUAGE[,LANGUAGE]] [FILE...]
    FILE   pages to check (default: all of them)

c, cpp     compiled (C99 or C++20, warnings are errors) against the library, and run: exit status 0
cmake      a project that has the block is configured and built, by find_package
python     run by PYTHON; with >>> as a doctest
rust       built as an example of a crate that depends on bindings/rust/vastmax, and run
julia      run with bindings/julia/Vastmax; jldoctest likewise, and what it prints is compared by the tests of the package
sh         each command line is known: a script of the tree with options that its --help names, a preset, a path that is there, a
           program that the build makes or installs, a script given to python. Run are compiler lines, and what installs the bindings:
           pip into an empty environment, cargo add into a new crate, Pkg.develop into an empty depot. Blocks indented by four spaces that
           begin with a command are sh or cmake too
others     (none, text, toml, and blocks without a language) are not code

VASTMAX_BUILD names a build folder of the library (default: build/release), or a prefix that it was installed in; PYTHON a Python that has
the vastmax binding, NumPy and PyTorch, which its README uses (default: python3).
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = (ROOT / "examples" / "logsumexp.c").read_text()
NOT_CODE = {"", "none", "text", "toml", "toctree", "{toctree}"}


class Block:
    def __init__(self, file, line, language, text):
        self.file, self.line, self.language, self.text = file, line, language, text

    def __str__(self):
        return f"{self.file.relative_to(ROOT)}:{self.line}"


COMMAND = re.compile(r"(?:[A-Z_]+=\S+ +)*(scripts/|bindings/|examples/|tests/|build/|docs/|cmake |ctest|cc |c\+\+ |pip |cargo |julia |vastmax |find_package|python)")


def blocks_of(file):
    """Fenced blocks, and indented ones that begin with a command."""
    lines, i, found = file.read_text().split("\n"), 0, []
    while i < len(lines):
        fence = re.match(r"( *)(```+|:::+)\s*(\S*)", lines[i])
        if fence:
            start, end = i + 1, i + 1
            while end < len(lines) and not re.match(rf" *{fence.group(2)}\s*$", lines[end]):
                end += 1
            body = [line[len(fence.group(1)):] if line.startswith(fence.group(1)) else line for line in lines[start:end]]
            language = fence.group(3)
            found.append(Block(file, start + 1, language, "\n".join(body)))
            i = end + 1
        elif lines[i].startswith("    ") and lines[i].strip() and (i == 0 or not lines[i - 1].strip()) and COMMAND.match(lines[i][4:]):
            start = i
            while i < len(lines) and (lines[i].startswith("    ") or (not lines[i].strip() and i + 1 < len(lines) and lines[i + 1].startswith("    "))):
                i += 1
            text = "\n".join(line[4:] for line in lines[start:i]).strip()
            # CMake's two lines and a compiler's stand side by side in the README.
            for piece in re.split(r"\n\s*\n", text):
                found.append(Block(file, start + 1, "cmake" if piece.startswith("find_package") else "sh", piece))
        else:
            i += 1
    return found


# ------------------------------------------------------------------------------------------------ running


class Failure(Exception):
    pass


class Tools:
    def __init__(self, work):
        self.work = work
        build = Path(os.environ.get("VASTMAX_BUILD") or ROOT / "build" / "release").resolve()
        prefix = build
        if (build / "CMakeCache.txt").exists():
            prefix = work / "prefix"
            self.run(["cmake", "--install", str(build), "--prefix", str(prefix)])
        library = next(iter(sorted(prefix.glob("lib/**/libvastmax.so"))), None)
        if not library:
            sys.exit(f"check_blocks.py: no libvastmax.so in {prefix}")
        self.prefix, self.library, self.libdir = prefix, library, library.parent
        self.env = dict(os.environ, LD_LIBRARY_PATH=f"{self.libdir}:{os.environ.get('LD_LIBRARY_PATH', '')}",
                        PKG_CONFIG_PATH=str(self.libdir / "pkgconfig"), VASTMAX_LIBRARY=str(library),
                        CARGO_TARGET_DIR=str(ROOT / "build" / "docs" / "rust"))
        self.python = os.environ.get("PYTHON") or "python3"
        self.count, self.done = 0, set()
        presets = json.loads((ROOT / "CMakePresets.json").read_text())
        self.presets = {kind: {p["name"] for p in presets[kind] if not p.get("hidden")} for kind in
                        ("configurePresets", "buildPresets", "testPresets")}

    def run(self, command, cwd=None, env=None, timeout=1800):
        done = subprocess.run(command, cwd=cwd, env=env or getattr(self, "env", None), capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def folder(self):
        self.count += 1
        folder = self.work / f"block{self.count}"
        folder.mkdir()
        return folder

    def c(self, block):
        compile_and_run(self, block, "block.c", [os.environ.get("CC") or "cc", "-std=c99"])

    def cpp(self, block):
        compile_and_run(self, block, "block.cpp", [os.environ.get("CXX") or "c++", "-std=c++20"])

    def cmake(self, block):
        folder = self.folder()
        text = block.text
        if "add_executable" not in text:
            text = re.sub(r"(?m)^target_link", "add_executable(app app.c)\ntarget_link", text, count=1)
        (folder / "app.c").write_text(EXAMPLE)
        (folder / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.25)\nproject(app LANGUAGES C)\n{text}\n")
        self.run(["cmake", "-G", "Ninja", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF"], folder)
        self.run(["cmake", "--build", "build"], folder)
        self.run([str(folder / "build" / "app")])

    def python_block(self, block):
        folder = self.folder()
        (folder / "block.py").write_text(block.text + "\n")
        if ">>>" in block.text:
            self.run([self.python, "-c", "import doctest, sys; sys.exit(doctest.testfile('block.py', module_relative=False).failed)"], folder)
        else:
            self.run([self.python, "block.py"], folder)

    def rust(self, block):
        folder = self.folder()
        (folder / "examples").mkdir()
        (folder / "src").mkdir()
        (folder / "src" / "lib.rs").write_text("")
        text = block.text
        if "fn main" not in text:
            text = f"fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{text}\nOk(())\n}}\n"
        (folder / "examples" / "block.rs").write_text(text)
        used = [name for name in ("half", "ndarray", "rayon") if re.search(rf"\b{name}\b", text)]
        versions = {"half": "2", "ndarray": "0.16", "rayon": "1"}
        (folder / "Cargo.toml").write_text(
            '[package]\nname = "block"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n'
            f'vastmax = {{ path = "{ROOT}/bindings/rust/vastmax", features = {json.dumps(used)} }}\n'
            + "".join(f'{name} = "{versions[name]}"\n' for name in used if re.search(rf"\buse {name}\b|\b{name}::", text)))
        self.run(["cargo", "run", "--quiet", "--example", "block"], folder)

    def julia(self, block):
        folder = self.folder()
        text = block.text
        if text.lstrip().startswith("julia>"):
            kept = [line[7:] for line in text.split("\n") if line.startswith(("julia> ", "       "))]
            text = "\n".join(kept)
        (folder / "block.jl").write_text(text + "\n")
        self.run(["julia", "--startup-file=no", f"--project={ROOT}/bindings/julia/Vastmax", "block.jl"], folder)

    # ---------------------------------------------------------------------------------------------- command lines

    def sh(self, block):
        text = re.sub(r"\\\n\s*", " ", block.text)
        for line in text.split("\n"):
            line = re.sub(r"(^|\s)#.*$", "", line).strip()
            if not line:
                continue
            for part in re.split(r"\s*&&\s*", line):
                self.command(part, line)

    def command(self, command, line):
        if re.match(r"(cc|c\+\+) ", command):
            folder = self.folder()
            (folder / "app.c").write_text(EXAMPLE)
            self.run(["bash", "-ec", command], folder)
            return
        words = shlex.split(command)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        name, arguments = words[0], words[1:]
        options = [a.split("=")[0] for a in arguments if a.startswith("-") and a != "--"]

        def must(condition, what):
            if not condition:
                raise Failure(f"{line!r}: {what}")

        if name == "cmake":
            if "--preset" in arguments:
                kind = "buildPresets" if "--build" in arguments else "configurePresets"
                preset = arguments[arguments.index("--preset") + 1]
                must(preset in self.presets[kind], f"no such preset: {preset}")
            else:
                must("--install" in arguments or "--build" in arguments or "-S" in arguments or "-B" in arguments, "what does it do?")
        elif name == "ctest":
            must("--preset" in arguments and arguments[arguments.index("--preset") + 1] in self.presets["testPresets"], "no such preset")
        elif name in ("pip", "cargo"):
            must(len(arguments) >= 2, "what does it do?")
            path = re.sub(r"\[.*\]$", "", arguments[-1].replace("PATH/TO/vastmax", str(ROOT)))
            if "--path" in arguments or path.startswith(("./", "bindings/")):
                file = "pyproject.toml" if name == "pip" else "Cargo.toml"
                must((ROOT / path / file).exists(), f"no {file} in {path}")
                self.once(" ".join(words), lambda: self.install(name, [*arguments[:-1], str(ROOT / path)]))
        elif name == "julia":
            code = arguments[arguments.index("-e") + 1] if "-e" in arguments else ""
            must(code, "what does it do?")
            paths = re.findall(r'path="([^"]+)"', code)
            for path in paths:
                must((ROOT / path / "Project.toml").exists(), f"no Project.toml in {path}")
            if paths:
                self.once(code, lambda: self.develop(code))
            else:
                self.run(["julia", "--startup-file=no", "-e", "Meta.parse(ARGS[1]; raise=true)", f"begin; {code}; end"])
        elif name in ("python", "python3"):
            script = next((a for a in arguments if not a.startswith("-")), "")
            must(script.endswith(".py") and (ROOT / script).is_file(), f"no such file: {script}")
            self.known_options(options, [ROOT / script], must)
        elif name == "vastmax":
            commands = {p.stem[4:] for p in (ROOT / "tools" / "vastmax").glob("cmd_*.cpp")}
            must(arguments and (arguments[0] in commands or arguments[0].startswith("-")), f"vastmax has none of these commands: {arguments[:1]}")
            self.known_options(options, [p for p in (ROOT / "tools").rglob("*.cpp")], must)
        elif re.match(r"build/[a-z]+/bin/", name):
            program = Path(name).name
            must(name.split("/")[1] in self.presets["configurePresets"], "no such preset")
            made = {"vastmax"} | {f"test_unit_{p.stem[5:]}" for p in (ROOT / "tests" / "unit").glob("test_*.cpp")} | {"vmx_bench", "vastmax_bench"}
            must(program in made, f"the build makes no {program}")
            self.known_options(options, [p for p in (ROOT / "tools").rglob("*.cpp")], must)
        else:
            file = ROOT / name
            must(file.is_file(), f"no such file: {name}")
            must(name.endswith(".py") or os.access(file, os.X_OK), f"{name} cannot be executed")
            sources = [file]
            # A script that hands its options on to a program of the tree.
            if not all(o in file.read_text() for o in options):
                sources += [p for folder in ("tools", "bench") for p in (ROOT / folder).rglob("*.cpp")]
            self.known_options(options, sources, must)

    def once(self, key, action):
        if key not in self.done:
            self.done.add(key)
            action()

    def install(self, name, arguments):
        """Into an empty environment, or a new crate."""
        folder = self.folder()
        if name == "cargo":
            self.run(["cargo", "new", "--quiet", "--vcs", "none", "--name", "app", "app"], folder)
            self.run(["cargo", *arguments], folder / "app")
            self.run(["cargo", "metadata", "--format-version", "1"], folder / "app")
        else:
            system = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else "python3"
            self.run([system, "-m", "venv", "venv"], folder)
            self.run(["venv/bin/pip", *arguments], folder)
            self.run(["venv/bin/python", "-c", "import vastmax, numpy; vastmax.logsumexp(numpy.zeros((2, 3)))"], folder)

    def develop(self, code):
        """Into a depot of its own."""
        env = dict(self.env, JULIA_DEPOT_PATH=str(self.folder()), JULIA_PKG_OFFLINE="true", JULIA_PKG_SERVER="")
        self.run([str(ROOT / "scripts" / "setup_julia.sh"), "--registry"], env=env)
        self.run(["julia", "--startup-file=no", "-e", code + "; using Vastmax"], ROOT, env)

    def known_options(self, options, sources, must):
        texts = [p.read_text() for p in sources]
        for option in options:
            whole = re.compile(re.escape(option) + r"(?![\w-])")
            must(any(whole.search(text) for text in texts), f"no option {option}")


def compile_and_run(tools, block, name, compiler):
    folder = tools.folder()
    text = block.text
    if not re.search(r"\bmain\s*\(", text):
        text = f"#include <vastmax/vastmax.h>\nint main(void) {{\n{text}\nreturn 0;\n}}\n"
    (folder / name).write_text(text + "\n")
    tools.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{ROOT}/include", name, "-o", "block", f"-L{tools.libdir}",
               "-lvastmax", "-lm"], folder)
    tools.run([str(folder / "block")], folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    files = [f.resolve() for f in arguments.files] or sorted(
        {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "bindings").glob("*/README.md")})

    failures, counts = 0, {}
    work = Path(tempfile.mkdtemp(prefix="vastmax-blocks."))
    try:
        tools = Tools(work)
        kinds = {"c": tools.c, "cpp": tools.cpp, "c++": tools.cpp, "cmake": tools.cmake, "python": tools.python_block, "py": tools.python_block,
                 "pycon": tools.python_block, "rust": tools.rust, "julia": tools.julia, "jldoctest": tools.julia, "sh": tools.sh,
                 "bash": tools.sh, "console": tools.sh}
        for file in files:
            for block in blocks_of(file):
                language = block.language.split(",")[0]
                if language in NOT_CODE or (only and language not in only):
                    continue
                try:
                    if language not in kinds:
                        raise Failure(f"nobody knows how to check a block of {language!r}")
                    kinds[language](block)
                    counts[language] = counts.get(language, 0) + 1
                except (Failure, OSError, ValueError, subprocess.TimeoutExpired) as problem:
                    failures += 1
                    print(f"FAILED {block} ({language}): {problem}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    passed = sum(counts.values())
    print("code blocks:", ", ".join(f"{n} {language}" for language, n in sorted(counts.items())))
    print(f"{passed} passed, {failures} failed")
    sys.exit(1 if failures or not passed else 0)


if __name__ == "__main__":
    main()
