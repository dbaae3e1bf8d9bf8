//! The parts that a component consists of, and how much of each the host accepts.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap as _};

use super::InspectError;
use crate::limits::CORE_INSTANCES;

/// Something that a component has more or less of, and that costs something to compile or to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "see `Part::words`")]
pub enum Part {
    Nesting,
    Components,
    Modules,
    ModuleInstances,
    ComponentInstances,
    Types,
    TypeBytes,
    NameBytes,
    Items,
    Imports,
    Exports,
    Functions,
    LargestFunction,
    Branches,
    Loops,
    AllLoops,
    Code,
    Memories,
    Memory,
    Tables,
    TableEntries,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 21] = [
        Self::Nesting,
        Self::Components,
        Self::Modules,
        Self::ModuleInstances,
        Self::ComponentInstances,
        Self::Types,
        Self::TypeBytes,
        Self::NameBytes,
        Self::Items,
        Self::Imports,
        Self::Exports,
        Self::Functions,
        Self::LargestFunction,
        Self::Branches,
        Self::Loops,
        Self::AllLoops,
        Self::Code,
        Self::Memories,
        Self::Memory,
        Self::Tables,
        Self::TableEntries,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nesting => "nesting",
            Self::Components => "components",
            Self::Modules => "modules",
            Self::ModuleInstances => "module_instances",
            Self::ComponentInstances => "component_instances",
            Self::Types => "types",
            Self::TypeBytes => "type_bytes",
            Self::NameBytes => "name_bytes",
            Self::Items => "items",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Functions => "functions",
            Self::LargestFunction => "largest_function_bytes",
            Self::Branches => "branches_in_one_function",
            Self::Loops => "loops_in_one_function",
            Self::AllLoops => "loops",
            Self::Code => "code_bytes",
            Self::Memories => "memories",
            Self::Memory => "memory_bytes",
            Self::Tables => "tables",
            Self::TableEntries => "table_entries",
        }
    }

    /// What a count of this part counts, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nesting => "levels of nesting",
            Self::Components => "components",
            Self::Modules => "core modules",
            Self::ModuleInstances => "instances of core modules",
            Self::ComponentInstances => "instances of components",
            Self::Types => "types",
            Self::TypeBytes => "bytes of types",
            Self::NameBytes => "bytes in names of imports and exports",
            Self::Items => "aliases, lifted functions, globals, tags and segments",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Functions => "functions",
            Self::LargestFunction => "bytes in one function",
            Self::Branches => "blocks and jump targets in one function",
            Self::Loops => "loops in one function",
            Self::AllLoops => "loops",
            Self::Code => "bytes of code",
            Self::Memories => "memories",
            Self::Memory => "bytes of memory to begin with",
            Self::Tables => "tables",
            Self::TableEntries => "table entries to begin with",
        }
    }

    /// How much of it the host accepts.
    pub const fn most(self) -> u64 {
        match self {
            Self::Nesting => 16,
            Self::Components => 500,
            Self::Modules => 200,
            // As many as the pool has room for.
            Self::ModuleInstances => CORE_INSTANCES as u64,
            Self::ComponentInstances => 2000,
            Self::Types | Self::Imports | Self::Exports => 50_000,
            // A type may declare as many as its bytes hold, which its count does not show. CPython has 60 kB of types.
            Self::TypeBytes => 2 << 20,
            Self::NameBytes => 64 << 10,
            Self::Items => 500_000,
            Self::Functions => 200_000,
            // The compiler's work grows faster than the size of a function, and with the square of its loops. The
            // largest function of CPython has 430 kB, 16,000 blocks and jump targets, and 81 loops.
            Self::LargestFunction => 1 << 20,
            Self::Branches => 40_000,
            Self::Loops => 1000,
            Self::AllLoops => 100_000,
            Self::Code => 24 << 20,
            Self::Memories => 32,
            // The sandbox decides how much memory an instance gets.
            Self::Memory => 4 << 30,
            Self::Tables => 64,
            Self::TableEntries => 1_000_000,
        }
    }
}

/// How much there is of each part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts([u64; Part::ALL.len()]);

impl Parts {
    /// How much there is of `part`.
    pub const fn get(&self, part: Part) -> u64 {
        self.0[part as usize]
    }

    /// Adds `more` to the count of a part, or fails if that is too much.
    pub(super) fn add(&mut self, part: Part, more: u64) -> Result<(), InspectError> {
        self.raise(part, self.get(part).saturating_add(more))
    }

    /// Raises the count of a part to `given` if it is lower, or fails if `given` is too much.
    pub(super) fn raise(&mut self, part: Part, given: u64) -> Result<(), InspectError> {
        let most = part.most();
        if given > most {
            return Err(InspectError::TooComplex { part, given, most });
        }
        let count = &mut self.0[part as usize];
        *count = given.max(*count);
        Ok(())
    }
}

impl Serialize for Parts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Part::ALL.len()))?;
        for part in Part::ALL {
            map.serialize_entry(part.name(), &self.get(part))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let mut parts = Self::default();
        for part in Part::ALL {
            parts.0[part as usize] = *counts.get(part.name()).ok_or_else(|| D::Error::custom("a part is missing"))?;
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_own_place_and_its_bound_is_the_last_that_passes() {
        for (place, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!(part as usize, place, "{part:?}");
            let mut parts = Parts::default();
            assert_eq!(parts.add(part, part.most()), Ok(()));
            let refusal = parts.add(part, 1).unwrap_err();
            assert!(refusal.to_string().contains(part.words()), "{refusal}");
            assert_eq!(parts.get(part), part.most());
        }
        assert!(Parts::default().add(Part::Types, u64::MAX).is_err());
    }
}
