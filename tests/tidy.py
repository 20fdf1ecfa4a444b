#!/usr/bin/env python3
"""Checks the rules of this repository that no compiler knows.

usage: tests/tidy.py [ROOT]

Each rule is a function from a source file to what is wrong in it, and is itself tested: a planted
violation must be found, and the same file without it must pass. Ends with "N passed, N failed".
"""

import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile

# Whom a layer may include. Only app sees services and adapters together.
LAYERS = {
    "base": {"base"},
    "domain": {"domain"},
    "ports": {"ports", "domain"},
    "services": {"services", "ports", "domain", "base"},
    "adapters": {"adapters", "ports", "domain", "base"},
    "app": {"app", "services", "adapters", "ports", "domain", "base"},
}
STD_ONLY = ("domain", "ports")
HEAVY = re.compile(r"^(httplib|nlohmann/|simdjson|spdlog/|librdkafka/|hiredis|libpq|sqlite3|prometheus/"
                   r"|toml|CLI/|openssl/)")
GENERATED = {  # by which program of tools/
    "src/domain/market_holidays.hpp": "make-market-holidays",
}
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
STDOUT_ALLOWED = ("src/app/", "src/main.cpp", "tests/", "bench/")
THREADS_AND_CLOCKS = ("thread", "mutex", "condition_variable", "shared_mutex", "future", "iostream",
                      "fstream", "random", "filesystem")


@dataclasses.dataclass
class Source:
    path: str  # from the root, with "/"
    text: str

    @property
    def layer(self):
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else None

    @property
    def lines(self):
        return self.text.splitlines()

    @property
    def code(self):
        """The lines without comments and string contents."""
        text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group().count("\n"), self.text, flags=re.S)
        text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
        return re.sub(r"//[^\n]*", "", text).splitlines()

    def includes(self):
        """Line number, whether it is one of ours, and what is included."""
        for number, line in enumerate(self.lines, 1):
            if match := re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line):
                yield number, match[1] == '"', match[2]


def layers_point_inwards(source):
    allowed = LAYERS.get(source.layer)
    for number, ours, header in source.includes():
        target = header.split("/")[0]
        if ours and allowed is not None and target in LAYERS and target not in allowed:
            yield number, f"{source.layer} must not include {target}"
        if ours and source.path.startswith("src/") and target not in LAYERS:
            yield number, f'"{header}" does not start from src/'


def domain_and_ports_know_only_std(source):
    if source.layer not in STD_ONLY:
        return
    for number, ours, header in source.includes():
        if not ours and not re.fullmatch(r"[a-z_0-9]+", header):
            yield number, f"{source.layer} includes only the standard library, not <{header}>"
        if source.layer == "domain" and not ours and header in THREADS_AND_CLOCKS:
            yield number, f"domain is pure: no <{header}>"


def domain_does_not_look_at_the_clock(source):
    if source.layer == "domain":
        yield from found(source, r"(system|steady|high_resolution)_clock::now", "time is an argument")


def heavy_headers_stay_in_cpp_files(source):
    if not source.path.startswith("src/") or not source.path.endswith(".hpp"):
        return
    for number, _, header in source.includes():
        if HEAVY.match(header):
            yield number, f"<{header}> belongs into a .cpp file"


def nothing_is_caught_blindly(source):
    yield from found(source, r"catch\s*\(\s*\.\.\.\s*\)", "catch what you expect")


def nobody_sleeps(source):
    if source.path.startswith(("src/", "tests/unit/")):
        yield from found(source, r"\b(sleep_for|sleep_until|usleep|nanosleep)\b",
                         "wait for an event or a stop_token")


def no_thread_is_let_go(source):
    yield from found(source, r"\.detach\(\)", "own the thread")


def only_the_terminal_prints(source):
    if not source.path.startswith(STDOUT_ALLOWED):
        yield from found(source, r"std::cout|\b(printf|puts)\s*\(", "log instead")


def tests_are_not_switched_off(source):
    if source.path.startswith("tests/"):
        for number, line in enumerate(source.lines, 1):
            if re.search(r"\bDISABLED_\w", line):
                yield number, "a test that does not run is decoration"


def todo_has_a_kind(source):
    for number, line in enumerate(source.lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b(?!\((perf|cleanup|test|security)\): )", line):
            yield number, "write TODO(perf|cleanup|test|security): ..."


def headers_are_guarded(source):
    if source.path.endswith(".hpp") and "#pragma once" not in source.text:
        yield 1, "#pragma once is missing"


def files_are_short(source):
    if len(source.lines) > FILE_LINES_MAX:
        yield FILE_LINES_MAX + 1, f"{len(source.lines)} lines, at most {FILE_LINES_MAX}"


def functions_are_short(source):
    """A function opens with "{" at the end of a line, below an unindented head, and ends with "}" in column 1."""
    if not source.path.startswith("src/"):
        return
    code = source.code
    head = start = 0
    for number, line in enumerate(code, 1):
        if line.startswith("}"):
            if start and number - start + 1 > FUNCTION_LINES_MAX:
                yield start, f"a function of {number - start + 1} lines, at most {FUNCTION_LINES_MAX}"
            start = 0
        elif not start:
            if re.match(r"\w|\[", line):
                head = number
            signature = " ".join(code[head - 1:number]) if head else ""
            is_type = re.match(r"(template <.*> )?(inline )?(namespace|class|struct|enum|union|extern)\b", signature)
            if line.rstrip().endswith("{") and ")" in signature and not is_type:
                start = head


def generated_files_are_as_generated(source):
    if tool := GENERATED.get(source.path):
        if source.text != generated(tool):
            yield 1, f"tools/{tool} prints something else"


def generated(tool):
    path = pathlib.Path(__file__).resolve().parent.parent / "tools" / tool
    return subprocess.run([sys.executable, path], check=True, capture_output=True, text=True).stdout


def found(source, pattern, advice):
    for number, line in enumerate(source.code, 1):
        if re.search(pattern, line):
            yield number, f"{line.strip()}: {advice}"


RULES = (layers_point_inwards, domain_and_ports_know_only_std, domain_does_not_look_at_the_clock,
         heavy_headers_stay_in_cpp_files, nothing_is_caught_blindly, nobody_sleeps, no_thread_is_let_go,
         only_the_terminal_prints, tests_are_not_switched_off, todo_has_a_kind, headers_are_guarded,
         files_are_short, functions_are_short, generated_files_are_as_generated)

# For each rule: a file that breaks it, and a neighbour that does not.
PLANTED = (
    (layers_point_inwards, "src/services/lane.cpp", '#include "adapters/redis.hpp"', '#include "ports/sink.hpp"'),
    (layers_point_inwards, "src/domain/fence.cpp", '#include "base/log.hpp"', '#include "domain/fence.hpp"'),
    (layers_point_inwards, "src/adapters/redis.cpp", '#include "services/lane.hpp"', '#include "base/log.hpp"'),
    (layers_point_inwards, "src/ports/sink.hpp", '#pragma once\n#include "services/lane.hpp"',
     '#pragma once\n#include "domain/fence.hpp"'),
    (layers_point_inwards, "src/app/up.cpp", '#include "../base/log.hpp"', '#include "base/log.hpp"'),
    (domain_and_ports_know_only_std, "src/domain/candle.cpp", "#include <nlohmann/json.hpp>", "#include <string>"),
    (domain_and_ports_know_only_std, "src/domain/candle.cpp", "#include <mutex>", "#include <map>"),
    (domain_does_not_look_at_the_clock, "src/domain/age.cpp", "auto t = std::chrono::system_clock::now();",
     "using Time = std::chrono::system_clock::time_point;"),
    (heavy_headers_stay_in_cpp_files, "src/adapters/redis.hpp", "#pragma once\n#include <hiredis/hiredis.h>",
     "#pragma once\n#include <memory>"),
    (nothing_is_caught_blindly, "src/base/log.cpp", "} catch (...) {", "} catch (const IoError& error) {"),
    (nobody_sleeps, "tests/unit/lane_test.cpp", "std::this_thread::sleep_for(1s);", "clock.advance(1s);"),
    (no_thread_is_let_go, "src/app/up.cpp", "worker.detach();", "worker.join();"),
    (only_the_terminal_prints, "src/adapters/redis.cpp", 'std::cout << "x";', 'log_warn("x");  // not std::cout'),
    (tests_are_not_switched_off, "tests/unit/lane_test.cpp", "TEST(Lane, DISABLED_Commits) {", "TEST(Lane, Commits) {"),
    (todo_has_a_kind, "src/base/log.cpp", "// TODO: later", "// TODO(perf): one allocation too many"),
    (headers_are_guarded, "src/base/log.hpp", "int x;", "#pragma once"),
    (files_are_short, "src/base/log.cpp", "\n" * (FILE_LINES_MAX + 1), "\n" * FILE_LINES_MAX),
    (functions_are_short, "src/base/log.cpp", "void f() {\n" + "  g();\n" * FUNCTION_LINES_MAX + "}\n",
     "void f() {\n" + "  g();\n" * (FUNCTION_LINES_MAX - 2) + "}\n"),
    (functions_are_short, "src/base/log.cpp", "int Log::f(int a,\n  int b) {\n" + "  g();\n" * FUNCTION_LINES_MAX + "}\n",
     "class Log {\n  void f() {}\n" + "  void g();\n" * FUNCTION_LINES_MAX + "};\n"),
    (generated_files_are_as_generated, "src/domain/market_holidays.hpp",
     generated("make-market-holidays").replace("20240704", "20240705").strip(),
     generated("make-market-holidays").strip()),
)


def sources_below(root):
    for folder in ("src", "tests", "bench"):
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            yield Source(path.relative_to(root).as_posix(), path.read_text())


def violations(root, rules=RULES):
    for source in sources_below(root):
        for rule in rules:
            for number, message in rule(source):
                yield f"{source.path}:{number}: {message} [{rule.__name__}]"


def self_test():
    """What the rules miss or see where nothing is, one line each."""
    for rule, path, bad, good in PLANTED:
        for text, expected in ((bad, True), (good, False)):
            with tempfile.TemporaryDirectory() as folder:
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True)
                file.write_text(text + "\n" if text.strip() else text)
                if bool(list(violations(pathlib.Path(folder), (rule,)))) != expected:
                    yield f"{rule.__name__} {'misses' if expected else 'objects to'}: {text[:60]!r}"


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent.parent)
    untested = [rule.__name__ for rule in RULES if rule not in {planted[0] for planted in PLANTED}]
    broken = [*self_test(), *(f"{name} has no planted violation" for name in untested)]
    wrong = list(violations(root))
    for line in broken + wrong:
        print(line)
    failed_rules = {line.rpartition("[")[2] for line in wrong}
    failed = len(broken) + len(failed_rules)
    print(f"{2 * len(PLANTED) - len(broken) + len(RULES) - len(failed_rules)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
