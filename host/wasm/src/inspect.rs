//! What the bytes of a component tell about it, read before anything is compiled.
//!
//! The compiler can't be interrupted, so its work is bounded here. The bounds are several times what the largest known
//! strategies need, those with an interpreter inside. No allocation is sized by a count that the bytes only claim.

use serde::Serialize;
use ta_bot_core::ModuleDigest;
use thiserror::Error;

use crate::imports;

mod parts;
mod walk;

pub use parts::{Part, Parts};

/// The most bytes that a module may have. A module that is written in Python has about 18 MB, so this leaves room for
/// libraries and still bounds how much memory one module takes.
pub const LARGEST_MODULE: usize = 64 << 20;

/// The WIT versions that this host speaks.
pub const WIT_VERSIONS: [&str; 1] = ["1.0.0"];

/// The interface that a strategy exports, without its version.
const STRATEGY: &str = "ta-bot:strategy/strategy";
/// The first bytes of every WebAssembly binary.
const MAGIC: &[u8] = b"\0asm";
/// The first bytes of a core WebAssembly module. A component differs in the second four bytes.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";
/// How many names a refusal repeats. A hostile component may import a hundred thousand.
const MOST_NAMED: usize = 10;
/// How many characters of each name it repeats.
const NAME_CHARS: usize = 100;

/// What the bytes of a component tell about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The identity of the bytes.
    #[serde(serialize_with = "as_text")]
    pub digest: ModuleDigest,
    /// How many bytes there are.
    pub size_bytes: usize,
    /// The version of the interface that it exports.
    pub wit_version: &'static str,
    /// What it imports. Each import is allowed.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What it consists of.
    pub parts: Parts,
}

fn as_text<S: serde::Serializer>(digest: &ModuleDigest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

/// Why this host does not compile the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InspectError {
    /// The bytes are not WebAssembly, or are not valid.
    #[error("this is no WebAssembly component: {0}")]
    NotAComponent(String),
    /// The bytes are a core module.
    #[error(
        "this is a core WebAssembly module, not a component: link it with wasm-component-ld, make a component of it with \
         `wasm-tools component new`, or build it for the target wasm32-wasip2"
    )]
    CoreModule,
    /// There are too many bytes.
    #[error("it has more than the {LARGEST_MODULE} bytes that a module may have: strip its debug information")]
    TooLarge,
    /// The component has more of a part than this host compiles.
    #[error("it is too complex: {given} {}, and at most {most} are taken", .part.words())]
    TooComplex {
        /// Which part.
        part: Part,
        /// How much of it there is, at least.
        given: u64,
        /// How much of it is allowed.
        most: u64,
    },
    /// The component imports something that no strategy gets.
    #[error(
        "it imports {}: a strategy may import ta-bot:strategy/log and the virtualised part of WASI 0.2 (cli, clocks, \
         filesystem, io, random), nothing else", named(.0)
    )]
    ForbiddenImports(Vec<String>),
    /// The component does not export the strategy interface, or exports another version of it.
    #[error(
        "it does not export {STRATEGY}@{} as this host speaks it: it exports {}", WIT_VERSIONS.join(" or "), named(.0)
    )]
    WrongExports(Vec<String>),
}

impl InspectError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAComponent(_) => "not_a_component",
            Self::CoreModule => "core_module",
            Self::TooLarge => "too_large",
            Self::TooComplex { .. } => "too_complex",
            Self::ForbiddenImports(_) => "forbidden_imports",
            Self::WrongExports(_) => "wrong_exports",
        }
    }
}

/// Reads the bytes of a module and returns what it is, or why it must not be compiled. The time is proportional to the
/// number of bytes: a few milliseconds for most modules, a quarter of a second for the largest.
///
/// The insides of functions are left to the compiler, which checks them as it compiles.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    if bytes.len() > LARGEST_MODULE {
        return Err(InspectError::TooLarge);
    }
    if bytes.is_empty() {
        return Err(InspectError::NotAComponent("it has no bytes".to_owned()));
    }
    if !bytes.starts_with(MAGIC) {
        let begins = format!("its {} bytes do not begin as WebAssembly does, with \\0asm", bytes.len());
        return Err(InspectError::NotAComponent(begins));
    }
    if bytes.starts_with(&CORE_MODULE) {
        return Err(InspectError::CoreModule);
    }
    let walk::Walked { imports, exports, parts } = walk::walk(bytes)?;
    let forbidden = imports::forbidden(&imports);
    if !forbidden.is_empty() {
        return Err(InspectError::ForbiddenImports(forbidden));
    }
    let version_of = |name: &String| Some(name.strip_prefix(STRATEGY)?.strip_prefix('@')?.to_owned());
    let versions: Vec<String> = exports.iter().filter_map(version_of).collect();
    let Some(wit_version) = WIT_VERSIONS.into_iter().find(|spoken| versions.iter().any(|version| version == spoken))
    else {
        return Err(InspectError::WrongExports(exports));
    };
    Ok(Inspection { digest: ModuleDigest::of(bytes), size_bytes: bytes.len(), wit_version, imports, exports, parts })
}

/// The first few names, each shortened to what fits on a line.
fn named(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let mut told: Vec<String> =
        names.iter().take(MOST_NAMED).map(|name| name.chars().take(NAME_CHARS).collect()).collect();
    if names.len() > MOST_NAMED {
        told.push(format!("{} more", names.len() - MOST_NAMED));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of a component.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn what_is_no_component_is_told_apart() {
        let of = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
        assert!(of(b"").contains("no bytes"), "{}", of(b""));
        assert!(of(b"PK\x03\x04").contains("do not begin as WebAssembly does"), "{}", of(b"PK\x03\x04"));
        assert!(of(b"\0asm\x01\0\0\0").contains("wasm-tools component new"));
        assert!(of(b"\0asm\x0d\0\x02\0").contains("no WebAssembly component"));
        assert!(of(COMPONENT).contains("it exports nothing"), "{}", of(COMPONENT));
        assert_eq!(inspect(&vec![0; LARGEST_MODULE + 1]), Err(InspectError::TooLarge));
    }

    #[test]
    fn a_count_that_is_only_claimed_is_not_believed() {
        // A section of core types that claims four billion entries but holds none.
        let claims = [COMPONENT, &[3, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        let refusal = inspect(&claims).unwrap_err();
        assert!(
            matches!(refusal, InspectError::TooComplex { part: Part::Types, given: 4_294_967_295, .. }),
            "{refusal}"
        );
    }

    #[test]
    fn a_refusal_names_few() {
        let names: Vec<String> = (0..5000).map(|index| format!("{index}{}", "x".repeat(200))).collect();
        let told = named(&names);
        assert!(told.len() < 1500 && told.ends_with("4990 more"), "{told}");
    }
}
