//! Modules that are made to cost the service more than they are worth: small in bytes, and deep, wide, tangled or long
//! in what they mean.

use std::fmt::Write as _;

use ta_bot_tests::built_in;

/// A module, and what it is.
pub(crate) struct Bomb {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The export that makes a component look like a strategy from outside.
const EXPORT: &str = r#"(instance $i) (export "ta-bot:strategy/strategy@1.0.0" (instance $i))"#;

/// A number as the format writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// A section with one type: types within types, `depth` deep. `kind` is that of a component (0x41) or an instance
/// (0x42).
fn nested_types(kind: u8, depth: usize) -> Vec<u8> {
    let mut content = vec![1];
    for _ in 1..depth {
        content.extend([kind, 1, 1]);
    }
    content.extend([kind, 0]);
    section(7, &content)
}

/// A real strategy with one more section at its end.
fn with_section(section: &[u8]) -> Vec<u8> {
    [built_in::bytes("rsi").unwrap(), section.to_vec()].concat()
}

fn component(sections: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", sections].concat()
}

/// A real strategy with component types nested so deep.
pub(crate) fn nested_in_a_strategy(depth: usize) -> Vec<u8> {
    with_section(&nested_types(0x41, depth))
}

/// `instances` instance types, each with so many declarations, which no count shows.
pub(crate) fn wide_types(instances: usize, declarations: usize) -> Vec<u8> {
    // A declaration of a type: a list of booleans.
    let one = [1, 0x70, 0x7f].repeat(declarations);
    let instance = [&[0x42][..], &leb(declarations), &one].concat();
    component(&section(7, &[leb(instances), instance.repeat(instances)].concat()))
}

fn parsed(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

fn repeated(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut all, index| {
        write!(all, "{}", piece(index)).unwrap();
        all
    })
}

/// A component around a core module with one function.
fn with_function(locals: usize, body: &str) -> Vec<u8> {
    let locals = "i32 ".repeat(locals);
    parsed(&format!("(component (core module (memory 1) (func (param i32) (local {locals}) {body})) {EXPORT})"))
}

/// Loops within loops, in the innermost of which every local changes.
pub(crate) fn nested_loops(depth: usize, locals: usize) -> Vec<u8> {
    let changes =
        repeated(locals, |index| format!("(local.set {0} (i32.add (local.get {0}) (i32.const 1)))", index + 1));
    let ends = "(br_if 0 (local.get 1)) end ".repeat(depth);
    with_function(locals.max(1), &format!("{} {changes} {ends}", "loop ".repeat(depth)))
}

/// Blocks that end early, one after the other, around values that all live to the end.
pub(crate) fn diamonds(locals: usize, blocks: usize) -> Vec<u8> {
    let first = repeated(locals, |index| format!("(local.set {} (i32.const {index}))", index + 1));
    let last = repeated(locals, |index| format!("(local.set 0 (i32.add (local.get 0) (local.get {})))", index + 1));
    with_function(locals, &format!("{first} {} {last}", "(block (br_if 0 (local.get 0)))".repeat(blocks)))
}

fn jump_tables(tables: usize, targets: usize) -> Vec<u8> {
    let names = repeated(targets, |index| format!("{index} "));
    let body = format!("(br_table {names} (local.get 0))");
    let blocks = "(block ".repeat(targets);
    with_function(1, &format!("{blocks}{}{}", format!("(block {body})").repeat(tables), ")".repeat(targets)))
}

fn many_functions(count: usize) -> Vec<u8> {
    let function = |index: usize| format!("(func (result i32) (i32.add (i32.const {index}) (i32.const 1)))");
    parsed(&format!("(component (core module {}) {EXPORT})", repeated(count, function)))
}

fn many_instances(count: usize) -> Vec<u8> {
    let instances = "(core instance (instantiate $m))".repeat(count);
    parsed(&format!("(component (core module $m (memory 1)) {instances} {EXPORT})"))
}

/// Functions that are lifted and lowered again, with many strings: an adapter is compiled for each.
fn adapters(count: usize, strings: usize) -> Vec<u8> {
    let parameters = repeated(strings, |index| format!("(param \"p{index}\" string)"));
    let function = |index: usize| format!("(export \"f{index}\" (func {parameters}))");
    let imports = repeated(count, function);
    parsed(&format!("(component (component (import \"i\" (instance {imports}))) {EXPORT})"))
}

fn big_data(segments: usize, bytes: usize) -> Vec<u8> {
    let data = "\\00".repeat(bytes);
    let segment = |index: usize| format!("(data (i32.const {}) \"{data}\")", index * bytes % 60_000);
    parsed(&format!("(component (core module (memory 100) {}) {EXPORT})", repeated(segments, segment)))
}

/// Data that lie far apart in a memory of many pages.
fn sparse_data(segments: usize, pages: usize) -> Vec<u8> {
    let step = pages * 65_536 / segments;
    let segment = |index: usize| format!("(data (i32.const {}) \"x\")", index * step);
    parsed(&format!("(component (core module (memory {pages}) {}) {EXPORT})", repeated(segments, segment)))
}

fn big_names(count: usize, bytes: usize) -> Vec<u8> {
    let import = |index: usize| format!("(import \"wasi:cli/{}{index}@0.2.0\" (instance))", "n".repeat(bytes));
    parsed(&format!("(component {} {EXPORT})", repeated(count, import)))
}

fn many_locals(functions: usize, locals: usize) -> Vec<u8> {
    let names = "v128 ".repeat(locals);
    let function = format!("(func (local {names}))");
    parsed(&format!("(component (core module {}) {EXPORT})", function.repeat(functions)))
}

/// Selections of selections: each value is used twice by the next.
fn doubling(steps: usize) -> Vec<u8> {
    let step = |index: usize| {
        let (to, from) = (1 + index % 2, 1 + (index + 1) % 2);
        format!("(local.set {to} (i32.mul (local.get {from}) (i32.add (local.get {from}) (local.get 0))))")
    };
    with_function(2, &repeated(steps, step))
}

fn loads_and_stores(count: usize) -> Vec<u8> {
    let one = |index: usize| format!("(i32.store (i32.const {index}) (i32.load offset=4 (local.get 0)))");
    with_function(1, &repeated(count, one))
}

/// More than a hundred bombs, most of them small enough to be gone in a second.
pub(crate) fn all() -> Vec<Bomb> {
    let mut all = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| all.push(Bomb { name, bytes });
    for depth in [10, 30, 100, 300, 500, 800, 1125, 2000, 3000, 10_000, 50_000, 300_000] {
        for (kind, what) in [(0x41, "component"), (0x42, "instance")] {
            add(format!("{what} types nested {depth} deep"), component(&nested_types(kind, depth)));
            add(format!("a strategy with {what} types nested {depth} deep"), with_section(&nested_types(kind, depth)));
        }
    }
    for (instances, declarations) in [(1, 1000), (33, 10_000), (10, 60_000), (33, 30_000)] {
        add(format!("{instances} types of {declarations} declarations"), wide_types(instances, declarations));
    }
    for (depth, locals) in [(10, 10), (50, 50), (100, 100), (100, 400), (200, 100), (300, 300), (1000, 1), (1000, 500)]
    {
        add(format!("loops nested {depth} deep with {locals} locals"), nested_loops(depth, locals));
    }
    for (locals, blocks) in [(10, 1000), (100, 5000), (500, 5000), (1000, 10_000), (3000, 5000), (5000, 19_000)] {
        add(format!("{blocks} diamonds around {locals} locals"), diamonds(locals, blocks));
    }
    for (tables, targets) in [(1, 10), (10, 100), (70, 500), (7, 5000), (1, 39_000), (500, 500)] {
        add(format!("{tables} jump tables of {targets}"), jump_tables(tables, targets));
    }
    for count in [100, 1000, 5000, 20_000, 200_001] {
        add(format!("{count} functions"), many_functions(count));
    }
    for count in [1, 10, 64, 65, 1000] {
        add(format!("{count} instances"), many_instances(count));
    }
    for (count, strings) in [(10, 10), (100, 16), (1000, 16), (2000, 100)] {
        add(format!("{count} functions of {strings} strings"), adapters(count, strings));
    }
    for (segments, bytes) in [(1, 1000), (100, 1000), (200, 10_000), (10_000, 10)] {
        add(format!("{segments} segments of {bytes} bytes"), big_data(segments, bytes));
    }
    for (segments, pages) in [(2, 10), (2, 60_000), (1000, 1000), (5000, 60_000)] {
        add(format!("{segments} segments over {pages} pages"), sparse_data(segments, pages));
    }
    for (count, bytes) in [(1, 10), (1, 100_000), (1000, 50), (1000, 1000), (10, 200_000)] {
        add(format!("{count} imports with names of {bytes} bytes"), big_names(count, bytes));
    }
    for (functions, locals) in [(1, 1000), (10, 10_000), (1, 49_000), (1000, 1000)] {
        add(format!("{functions} functions with {locals} locals"), many_locals(functions, locals));
    }
    for steps in [10, 100, 1000, 5000, 10_000, 20_000, 50_000] {
        add(format!("{steps} doublings"), doubling(steps));
    }
    for count in [100, 1000, 5000, 20_000, 50_000] {
        add(format!("{count} loads and stores"), loads_and_stores(count));
    }
    for (claimed, id) in [(1, 3_u8), (2, 7), (3, 8), (4, 10), (5, 11)] {
        let claim = [&[0xff; 4][..], &[0x0f]].concat();
        add(format!("claim {claimed}"), component(&section(id, &claim)));
    }
    all
}
