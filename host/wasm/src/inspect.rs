//! What the bytes of a component tell about it, read before anything is compiled.
//!
//! This is the first line against modules that cost too much, and the one that tells an author what is wrong: it bounds
//! what makes the compiler work, at several times what the largest known strategies need, those with an interpreter
//! inside. No allocation is sized by a count that the bytes only claim. The parser itself recurses as deep as the bytes
//! say, so the service inspects in a [child](crate::Children), whose death is the second line.

use serde::{Deserialize, Serialize};
use ta_bot_core::ModuleDigest;
use thiserror::Error;

mod imports;
mod names;
mod parts;
mod walk;

pub(crate) use imports::wasi_versions;
pub use names::Names;
pub use parts::{Part, Parts};

/// The most bytes that a module may have. A module that is written in Python has about 18 MB, so this leaves room for
/// libraries and still bounds how much memory one module takes.
pub const LARGEST_MODULE: usize = 64 << 20;

/// The WIT versions that this host speaks.
pub const WIT_VERSIONS: [&str; 1] = ["1.0.0"];

/// One of [`WIT_VERSIONS`].
pub(crate) type WitVersion = &'static str;

/// The interface that a strategy exports, without its version.
const STRATEGY: &str = "ta-bot:strategy/strategy";
/// The first bytes of every WebAssembly binary.
const MAGIC: &[u8] = b"\0asm";
/// The first bytes of a core WebAssembly module. A component differs in the second four bytes.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";
/// How many bytes of the parser's words a refusal repeats: they may quote a name that is as long as the module.
const MOST_WORDS: usize = 1000;

/// What the bytes of a component tell about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The identity of the bytes.
    pub digest: ModuleDigest,
    /// How many bytes there are.
    pub size_bytes: usize,
    /// The version of the interface that it exports.
    #[serde(deserialize_with = "spoken")]
    pub wit_version: WitVersion,
    /// What it imports. Each import is allowed.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What it consists of.
    pub parts: Parts,
}

fn spoken<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let given = String::deserialize(deserializer)?;
    let known = WIT_VERSIONS.into_iter().find(|version| *version == given);
    known.ok_or_else(|| serde::de::Error::custom("no version of the interface that this host speaks"))
}

/// Why this host does not compile the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
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
         filesystem, io, random), nothing else", .0
    )]
    ForbiddenImports(Names),
    /// The component does not export the strategy interface, or exports another version of it.
    #[error(
        "it does not export {STRATEGY}@{} as this host speaks it: it exports {}", WIT_VERSIONS.join(" or "), .0
    )]
    WrongExports(Names),
    /// The process that reads and compiles modules died of the bytes.
    #[error("the process that reads and compiles modules crashed on it ({0}): the service was not affected")]
    Crashed(String),
    /// The bytes take more than the process that reads and compiles modules may use.
    #[error("reading and compiling it takes more than {0}: make it of fewer and simpler parts")]
    TooCostly(String),
    /// The process that reads and compiles modules gave no answer, for a reason that says nothing about the bytes.
    #[error("the process that reads and compiles modules gave no answer, which says nothing about the module: {0}")]
    Unanswered(String),
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
            Self::Crashed(_) => "crashed_the_inspection",
            Self::TooCostly(_) => "too_costly",
            Self::Unanswered(_) => "not_inspected",
        }
    }

    /// Whether this says nothing about the bytes, so that another try may end otherwise.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unanswered(_))
    }

    /// Whether the process that was given the bytes died of them.
    pub(crate) const fn is_a_death(&self) -> bool {
        matches!(self, Self::Crashed(_) | Self::TooCostly(_))
    }
}

/// Reads the bytes of a module and returns what it is, or why it must not be compiled. The time is proportional to the
/// number of bytes: a few milliseconds for most modules, a quarter of a second for the largest.
///
/// The insides of functions are left to the compiler, which checks them as it compiles. This reads in the process that
/// calls it: the service asks its [`Sandbox`](crate::Sandbox) instead, which has a child do it.
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
        return Err(InspectError::ForbiddenImports(Names::of(&forbidden)));
    }
    let version_of = |name: &String| Some(name.strip_prefix(STRATEGY)?.strip_prefix('@')?.to_owned());
    let versions: Vec<String> = exports.iter().filter_map(version_of).collect();
    let Some(wit_version) = WIT_VERSIONS.into_iter().find(|spoken| versions.iter().any(|version| version == spoken))
    else {
        return Err(InspectError::WrongExports(Names::of(&exports)));
    };
    Ok(Inspection { digest: ModuleDigest::of(bytes), size_bytes: bytes.len(), wit_version, imports, exports, parts })
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
    fn an_inspection_and_a_refusal_come_back_from_json() {
        let refusals = [
            inspect(b"PK").unwrap_err(),
            InspectError::TooComplex { part: Part::Loops, given: 2000, most: 1000 },
            InspectError::ForbiddenImports(Names::of(&["env".to_owned()])),
        ];
        for refusal in refusals {
            let json = serde_json::to_string(&refusal).unwrap();
            assert_eq!(serde_json::from_str::<InspectError>(&json).unwrap(), refusal);
        }
        let inspection = Inspection {
            digest: ModuleDigest::of(b"some"),
            size_bytes: 4,
            wit_version: WIT_VERSIONS[0],
            imports: vec!["ta-bot:strategy/log@1.0.0".to_owned()],
            exports: Vec::new(),
            parts: Parts::default(),
        };
        let json = serde_json::to_string(&inspection).unwrap();
        assert_eq!(serde_json::from_str::<Inspection>(&json).unwrap(), inspection);
        assert!(serde_json::from_str::<Inspection>(&json.replace("1.0.0\",\"imports", "9.0.0\",\"imports")).is_err());
    }
}
