# SPDX-License-Identifier: Apache-2.0
"""layout.c: a C program that prints where the compiler puts each struct and field. Every language holds its own
declarations against its output, tests/vectors/layout.txt."""

from typing import Dict

from .header import Model


def emit(model: Model) -> Dict[str, str]:
    lines = [
        "/* SPDX-License-Identifier: Apache-2.0 */",
        "/* Written by scripts/gen_bindings: do not edit. Prints \"struct size align\" and \"struct.field offset size\" lines. */",
        "#include <vastmax/vastmax.h>",
        "",
        "#include <stddef.h>",
        "#include <stdio.h>",
        "",
        "/* C99 has no alignof: where a member goes behind a char. */",
        "#define STRUCT(type)                                                                              \\",
        "  do {                                                                                            \\",
        "    struct behind {                                                                               \\",
        "      char first;                                                                                 \\",
        "      type second;                                                                                \\",
        "    };                                                                                            \\",
        "    printf(\"%s %zu %zu\\n\", #type, sizeof(type), offsetof(struct behind, second));                \\",
        "  } while (0)",
        "#define FIELD(type, field) \\",
        "  printf(\"%s.%s %zu %zu\\n\", #type, #field, offsetof(type, field), sizeof(((type *)0)->field))",
        "",
        "int main(void) {",
    ]
    for struct in model.structs:
        lines.append(f"  STRUCT({struct.name});")
        lines += [f"  FIELD({struct.name}, {field.name});" for field in struct.fields]
    lines += ["  return 0;", "}", ""]
    return {"bindings/gen/layout.c": "\n".join(lines)}
