"""Compile the engine's loops to one WebAssembly module: the same source that Python runs, never written a second time.

    python wasm/make.py            writes powderkeg/web/engine.wasm and engine.json beside it
    python wasm/make.py --check    says whether they are what would be written; exit code 1 if not

Numba types and lowers each loop as it does for Python, for no processor in particular; LLVM, which comes with Numba,
optimises that for 32-bit WebAssembly and writes an object file; the linker of the package `ziglang` joins them. All
three are pinned in requirements-dev.lock, and Python is 3.11, from whose byte code Numba starts, so the same sources
give the same bytes. engine.json holds the digests of the module and of the sources, and how each loop is called.
"""

from __future__ import annotations

import os

# Before Numba is imported: for any processor and without vectors. What comes out must not depend on who builds.
os.environ.update(
    NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", NUMBA_OPT="0", NUMBA_LOOP_VECTORIZE="0", NUMBA_SLP_VECTORIZE="0"
)

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types

from powderkeg.engine import elementary, episodes
from powderkeg.engine.branching import genealogy
from powderkeg.engine.simulation import alias, candidates, thinning
from powderkeg.engine.simulation.queue import Queue
from powderkeg.engine.simulation.tables import TableLayout
from powderkeg.web.module import MODULE, SIGNATURES, source_digest

TARGET = "wasm32-unknown-unknown"
LAYOUT = "e-m:e-p:32:32-p10:8:8-p20:8:8-i64:64-i128:128-n32:64-S128-ni:1:10:20"


def loops() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Name in the module -> (loop, example arguments, which say of what kind each is)."""
    i, f = np.zeros(1, np.int64), np.zeros(1)
    i32, i16, u64, u8, b = (np.zeros(1, kind) for kind in (np.int32, np.int16, np.uint64, np.uint8, np.bool_))
    i2, f2, b2 = np.zeros((1, 1), np.int64), np.zeros((1, 1)), np.zeros((1, 1), np.bool_)
    at, root = TableLayout(*range(len(TableLayout._fields))), np.uint64(1)
    out = thinning.Recorded(f, i32, i32, i16, u64)
    return {
        "run": (
            thinning.run,
            (at, i, f, i, f, root, 1, 1, 1, 1.0, 1.0, 1, True, f2, i, f, Queue(i, f, u64, i, f, i, i), out, f),
        ),
        "exponential": (elementary.exponential.loop, (1.0,)),
        "alias_rows": (alias._fill_rows, (i, f, f, i, f, i, i)),
        "row_ceilings": (candidates._row_ceilings, (i, i, i, f, i, b, f)),
        "tally": (genealogy._tally, (i, f, i32, i16, i, i, b2, 1, i2, f2)),
        "cut_episodes": (episodes._cut, (i, f, i32, f, u8, f, f, i2, f2, 1, 1)),
        "describe_episodes": (episodes._describe, (i, i, i, i32, i2, 1, i2, i, i2, 1, 1)),
    }  # fmt: skip


def parameters(loop: Any, given: tuple[Any, ...]) -> list[list[Any]]:
    """[name, kind] of each argument; kind: a type of numbers, [type, dimensions] of an array, or fields of a tuple."""

    def kind(x: Any) -> Any:
        if isinstance(x, types.Array):
            return [str(x.dtype), x.ndim]
        if isinstance(x, types.NamedTuple):
            return [[field, kind(one)] for field, one in zip(x.fields, x.types, strict=True)]
        if isinstance(x, types.NamedUniTuple):
            return [[field, kind(x.dtype)] for field in x.fields]
        return str(x)

    names = loop.py_func.__code__.co_varnames[: loop.py_func.__code__.co_argcount]
    return [[name, kind(numba.typeof(x))] for name, x in zip(names, given, strict=True)]


def object_of(name: str, loop: Any, given: tuple[Any, ...]) -> tuple[bytes, list[str]]:
    """An object file with the loop under its name, and the kinds that it returns."""
    loop.compile(tuple(numba.typeof(x) for x in given))
    compiled = loop.overloads[loop.signatures[0]]
    text = str(compiled.library._final_module)
    mangled = compiled.fndesc.llvm_func_name
    text = re.sub(r'target triple = ".*"', f'target triple = "{TARGET}"', text)
    text = re.sub(r'target datalayout = ".*"', f'target datalayout = "{LAYOUT}"', text)
    # Those of the machine that builds would be taken for those of the module.
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    for spelt in (f'"{mangled}"', mangled):
        text = text.replace(f"@{spelt}(", f"@{name}(")
    module = llvm.parse_assembly(text)
    for function in module.functions:
        if not function.is_declaration and function.name != name:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    module.get_function(name).linkage = "external"
    machine = llvm.Target.from_triple(TARGET).create_target_machine(
        cpu="generic", features="+bulk-memory,+sign-ext,+nontrapping-fptoint,+mutable-globals", opt=3,
        reloc="static", codemodel="default",
    )  # fmt: skip
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    module.verify()
    returned = compiled.signature.return_type
    kinds = [str(x) for x in returned.types] if isinstance(returned, types.BaseTuple) else [str(returned)]
    return machine.emit_object(module), [] if kinds == ["none"] else kinds


def link(objects: dict[str, bytes]) -> bytes:
    """One module that exports the loops and its memory, and imports nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in objects.items():
            (Path(folder) / f"{name}.o").write_bytes(data)
        exports = [f"--export={name}" for name in (*objects, "__heap_base")]
        command = [
            sys.executable, "-m", "ziglang", "wasm-ld", "--no-entry", "--strip-all", "--gc-sections", "-O2",
            "--stack-first", "-z", "stack-size=65536", *exports, *(f"{name}.o" for name in objects), "-o", "out.wasm",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"the linker refused:\n{done.stderr}")
        return (Path(folder) / "out.wasm").read_bytes()


def built() -> tuple[bytes, str]:
    """The module, and the text of engine.json."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    objects, told = {}, {}
    for name, (loop, given) in loops().items():
        objects[name], returns = object_of(name, loop, given)
        told[name] = {"takes": parameters(loop, given), "returns": returns}
    module = link(objects)
    data = {"module": hashlib.sha256(module).hexdigest(), "sources": source_digest(), "loops": told}
    return module, json.dumps(data, indent=1) + "\n"


def main() -> None:
    """See the top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if what is kept is another")
    check = parser.parse_args().check
    module, told = built()
    if not check:
        MODULE.write_bytes(module)
        SIGNATURES.write_text(told, encoding="utf-8")
        print(f"{MODULE.name}: {len(module):,} bytes, {len(base64.b64encode(module)):,} in a page")
    elif MODULE.read_bytes() != module or SIGNATURES.read_text(encoding="utf-8") != told:
        sys.exit("the module that is kept is not what these sources and tools give: make wasm")


if __name__ == "__main__":
    main()
