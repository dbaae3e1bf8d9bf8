//! The list of mistakes: what an author gets wrong in a declaration, in each language, and what the message has to
//! name: the cause, the line if there is one, and the fix.
//!
//! Mistakes of tools are in `tools`, those that show in an evaluation in the test binary `guests` (`mistakes`), those
//! that are sound and can hardly trade in `doubts`, and those that admission finds in `admission`.

use super::Project;

/// A mistake in one language: the texts that are replaced, what by, and the words of the message.
struct Mistake {
    language: &'static str,
    old: &'static str,
    new: &'static str,
    words: &'static [&'static str],
}

const fn of(language: &'static str, old: &'static str, new: &'static str, words: &'static [&'static str]) -> Mistake {
    Mistake { language, old, new, words }
}

/// The file of the rule.
fn source(language: &str) -> &'static str {
    match language {
        "c" => "strategy.c",
        "go" => "main.go",
        "js" => "strategy.js",
        "python" => "strategy.py",
        "rust" => "src/lib.rs",
        _ => "strategy.ts",
    }
}

/// What is wrong, and how it looks in each language.
const LIST: &[(&str, &[Mistake])] = &[
    (
        "syntax",
        &[
            of("c", "double close", "duble close", &["strategy.c:18", "use of undeclared identifier 'duble'"]),
            of("go", "closed :=", "closed :", &["main.go:36"]),
            of("js", "lookback: 201,", "lookback: 201;", &["strategy.js, line 10: SyntaxError: Unexpected token ';'"]),
            of("python", "period = parameters", "period = = parameters", &["SyntaxError", "strategy.py, line 35"]),
            of("rust", "let close = window", "let close window", &["src/lib.rs:41", "expected"]),
            of("ts", "lookback: 201,", "lookback: 201;", &["strategy.ts(10,16)", "',' expected"]),
        ],
    ),
    (
        "a misspelt field of the declaration",
        &[
            of("c", ".lookback", ".look_back", &["strategy.c:38", "'look_back' does not refer to any field"]),
            of("go", "Lookback:   ", "LookBack:   ", &["main.go:23", "does have Lookback"]),
            of("js", "lookback: 201", "lookBack: 201", &["(did you mean lookback?)", "strategy.js, line 5"]),
            of("python", "  lookback =", "  look_back =", &["look_back", "(did you mean lookback?)", "line 21"]),
            of("rust", "const LOOKBACK", "const LOOK_BACK", &["src/lib.rs:30", "`LOOK_BACK` is not a member of trait"]),
            of("ts", "lookback: 201", "lookBack: 201", &["strategy.ts(10,3)", "Did you mean to write 'lookback'?"]),
        ],
    ),
    (
        "a default out of its range",
        &[
            of("c", "period, 20,", "period, 1,", &["period = 1 must be from 2 to 200"]),
            of("go", "default:\"20\"", "default:\"1\"", &["period = 1 must be from 2 to 200", "main.go:28"]),
            of("js", "integer(20,", "integer(1,", &["period = 1 must be from 2 to 200", "strategy.js, line 5"]),
            of("python", "parameter(20,", "parameter(1,", &["period = 1 must be from 2 to 200", "line 21"]),
            of(
                "rust",
                "usize = 20",
                "usize = 1",
                &["parameter \"period\": its default 1 is not a whole number from 2 to 200"],
            ),
        ],
    ),
    (
        "a default of another type",
        &[
            of("c", "period, 20,", "period, \"20\",", &["strategy.c:8:22", "incompatible pointer to integer"]),
            of("go", "default:\"20\"", "default:\"twenty\"", &["Parameters.Period", "must be an integer"]),
            of("js", "integer(20,", "integer('20',", &["period = \"20\" must be an integer", "line 5"]),
            of("python", "parameter(20,", "parameter(\"20\",", &["period = \"20\" must be an integer", "line 21"]),
            of("rust", "usize = 20", "usize = \"20\"", &["src/lib.rs:12", "mismatched types"]),
            of("ts", "integer(20,", "integer('20',", &["strategy.ts(15,31)", "'string' is not assignable to"]),
        ],
    ),
    (
        "bounds in the wrong order",
        &[
            of("c", "BETWEEN(2,", "BETWEEN(300,", &["period = 20 must be from 300 to 200"]),
            of("go", "min:\"2\"", "min:\"300\"", &["period = 20 must be from 300 to 200"]),
            of("js", "{ min: 2,", "{ min: 300,", &["period = 20 must be from 300 to 200"]),
            of("python", "min=2,", "min=300,", &["period = 20 must be from 300 to 200"]),
            of("rust", "2..=200", "300..=200", &["parameter \"period\": its range from 300 to 200 is empty"]),
        ],
    ),
    (
        "a misspelt option of a parameter",
        &[
            of("c", "BETWEEN(2", "BETWEN(2", &["strategy.c:11", "TA_BOT_BETWEN"]),
            of("go", "min:\"2\"", "mni:\"2\"", &["mni is no key of a parameter's tag: they are name, default, min"]),
            of("js", "{ min: 2", "{ mni: 2", &["mni is no field of the bounds", "min, max", "line 15"]),
            of("python", "min=2", "mni=2", &["unexpected keyword argument 'mni'", "strategy.py, line 15"]),
            of("rust", "#[range(2", "#[rnage(2", &["src/lib.rs:11", "rnage"]),
            of("ts", "{ min: 2", "{ mni: 2", &["strategy.ts(15", "'mni' does not exist in type 'Bounds'"]),
        ],
    ),
    (
        "a parameter without a description",
        &[
            of("c", "\"Candles that make the channel, a count.\"", "\"\"", &["period has no description: a sentence"]),
            of("go", " doc:\"Candles that make the channel, a count.\"", "", &["Parameters.Period needs doc:"]),
            of("js", "'Candles that make the channel, a count.'", "''", &["a sentence for an operator", "line 15"]),
            of(
                "python",
                "\"Candles that make the channel, a count.\"",
                "\"\"",
                &["Parameters.period: the description"],
            ),
            of(
                "rust",
                "        /// Candles that make the channel, a count.\n",
                "",
                &["src/lib.rs:10", "while trying to match `doc`"],
            ),
        ],
    ),
    (
        "a column that there is not",
        &[
            of("c", "TA_BOT_LOW |", "TA_BOT_LOWS |", &["strategy.c:39", "'TA_BOT_LOWS'"]),
            of("go", "tabot.Low |", "tabot.Lows |", &["main.go:24", "undefined: tabot.Lows"]),
            of("js", "'low', 'close'", "'lows', 'close'", &["columns has lows (did you mean low?)", "line 5"]),
            of("python", "\"low\", \"close\"", "\"lows\", \"close\"", &["'lows' (did you mean low?)", "line 21"]),
            of("rust", "Column::Low,", "Column::Lows,", &["src/lib.rs:31", "Lows"]),
            of("ts", "'low', 'close'", "'lows', 'close'", &["strategy.ts(11,21)", "Did you mean '\"low\"'?"]),
        ],
    ),
    (
        "a timeframe that there is not",
        &[
            of("c", ".lookback", ".timeframes = TA_BOT_7M, .lookback", &["strategy.c:38", "'TA_BOT_7M'"]),
            of("js", "lookback:", "timeframes: ['7m'], lookback:", &["\"7m\" is no timeframe: give one of 1m, 3m"]),
            of(
                "go",
                "Lookback:   ",
                "Timeframes: []string{\"7m\"}, Lookback:   ",
                &["\"7m\" is no timeframe: give one of"],
            ),
            of(
                "rust",
                "    const LOOKBACK",
                "    const TIMEFRAMES: &'static [&'static str] = &[\"7m\"];\n    const LOOKBACK",
                &["\"7m\" is no timeframe"],
            ),
        ],
    ),
    (
        "an id that is none",
        &[
            of("c", "\"channel_c\"", "\"Channel-C\"", &["id = \"Channel-C\" must be up to 64 lower case letters"]),
            of("go", "\"channel_go\"", "\"Channel-Go\"", &["ID = \"Channel-Go\" must be up to 64 lower case letters"]),
            of("js", "'channel_js'", "'Channel-Js'", &["id = Channel-Js must be up to 64 lower case", "line 5"]),
            of("python", "\"channel_python\"", "\"Channel\"", &["Rule.id = 'Channel' must be up to 64 lower case"]),
            of(
                "rust",
                "\"channel_rust\"",
                "\"Channel-Rust\"",
                &["\"Channel-Rust\" is no strategy id: give up to 64 lower case letters"],
            ),
        ],
    ),
    (
        "no version",
        &[
            of("c", "\"0.1.0\"", "\"\"", &["the strategy channel_c has no version"]),
            of("go", "\"0.1.0\"", "\"\"", &["the strategy has no Version: the semantic version of the rule"]),
            of("js", "'0.1.0'", "''", &["must be a text: the semantic version of the rule", "line 5"]),
            of("python", "\"0.1.0\"", "\"\"", &["must be a text: the semantic version of the rule", "line 21"]),
            of("rust", "\"0.1.0\"", "\"\"", &["version has 0 bytes: give 1 to 64"]),
        ],
    ),
    (
        "no lookback",
        &[
            of("c", ".lookback = 201", ".lookback = 0", &["lookback = 0 must be a number of candles, from 1 on"]),
            of("go", "201", "0", &["Lookback = 0 must be a number of candles, from 1 on"]),
            of("js", "lookback: 201", "lookback: 0", &["lookback = 0 must be a number of candles, from 1 on"]),
            of("python", "lookback = 201", "lookback = 0", &["Rule.lookback = 0 must be a number of candles"]),
            of("rust", "u32 = 201", "u32 = 0", &["the base series asks for 0 candles: give 1 to 10000"]),
        ],
    ),
    (
        "no strategy is exported",
        &[
            of("c", "ta_bot_exported", "ta_bot_rule", &["undefined symbol: ta_bot_exported", "define one as const"]),
            of("go", "func init() { tabot.Export(strategy) }", "", &["call tabot.Export(strategy) in func init"]),
            of("js", "export default", "export const rule =", &["must have `export default defineStrategy({"]),
            of("python", "Rule(Strategy[Parameters])", "Rule", &["must define one subclass of ta_bot_sdk.Strategy"]),
            of("rust", "export!(Rule);", "", &["is no strategy", "world strategy-module"]),
            of("ts", "export default", "export const rule =", &["must have `export default defineStrategy({"]),
        ],
    ),
    (
        "a failure at import",
        &[
            of("go", "func init() {", "func init() { panic(\"broken\") }\nfunc init() {", &["broken", "main.go:28"]),
            of(
                "js",
                "export default",
                "throw new Error('broken');\nexport default",
                &["Error: broken (strategy.js, line 5)"],
            ),
            of("python", "class Rule", "1 / 0\n\n\nclass Rule", &["ZeroDivisionError", "strategy.py, line 21"]),
            of(
                "ts",
                "export default",
                "throw new Error('broken');\nexport default",
                &["Error: broken (strategy.js, line 5)"],
            ),
        ],
    ),
    (
        "an import that a component has not",
        &[
            of("c", "\"ta_bot.h\"", "\"lodash.h\"", &["strategy.c:3", "'lodash.h' file not found"]),
            of("go", "\"fmt\"", "\"fmt\"\n\t\"example.com/lodash\"", &["main.go:7", "example.com/lodash"]),
            of(
                "js",
                "import {",
                "import 'lodash';\nimport {",
                &["strategy.js imports lodash", "bundle other packages"],
            ),
            of(
                "python",
                "from dataclasses",
                "import lodash\nfrom dataclasses",
                &["No module named 'lodash'", "line 6"],
            ),
            of(
                "rust",
                "use ta_bot_sdk::prelude",
                "use lodash::all;\nuse ta_bot_sdk::prelude",
                &["src/lib.rs:4", "lodash"],
            ),
            of(
                "ts",
                "import {",
                "import 'lodash';\nimport {",
                &["strategy.ts imports lodash", "bundle other packages"],
            ),
        ],
    ),
    (
        "a part of the system that a component has not",
        &[of(
            "c",
            "if (!buys",
            "printf(\"%f\", close);\n  if (!buys",
            &["wasi_snapshot_preview1", "the strategy asks for a file, the clock or stdio (printf?)", "use ta_bot_log"],
        )],
    ),
];

/// Makes each of the mistakes of a language, and compares what is said.
fn make_all(language: &str) {
    let project = Project::new(language);
    let file = source(language);
    let mut wrong = Vec::new();
    for (what, mistakes) in LIST {
        for Mistake { old, new, words, .. } in mistakes.iter().filter(|mistake| mistake.language == language) {
            let whole = std::fs::read_to_string(project.path().join(file)).unwrap();
            project.edit(file, old, new);
            if what.starts_with("a part of the system") {
                project.edit(file, "#include \"ta_bot.h\"", "#include <stdio.h>\n#include \"ta_bot.h\"");
            }
            let mut done = project.run(&["build"]);
            if done.code == Some(0) {
                done = project.run(&["check", project.component().to_str().unwrap()]);
            }
            let said = format!("{}{}", done.stderr, done.stdout);
            let missing: Vec<_> = words.iter().filter(|word| !said.contains(**word)).collect();
            if done.code != Some(1) || !missing.is_empty() {
                wrong.push(format!("{what}: {missing:?} is not in {said}"));
            }
            std::fs::write(project.path().join(file), whole).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{language}: {}", wrong.join("\n"));
}

#[test]
fn c_names_each_mistake() {
    make_all("c");
}

#[test]
fn javascript_names_each_mistake() {
    make_all("js");
}

#[test]
fn python_names_each_mistake() {
    make_all("python");
}

#[test]
#[ignore = "it starts the compiler for each: make test-toolchains"]
fn typescript_names_each_mistake() {
    make_all("ts");
}

#[test]
#[ignore = "it starts the compiler for each: make test-toolchains"]
fn go_names_each_mistake() {
    make_all("go");
}

#[test]
#[ignore = "it starts the compiler for each: make test-toolchains"]
fn rust_names_each_mistake() {
    make_all("rust");
}
