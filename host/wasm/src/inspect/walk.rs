//! The walk through a component's sections.

use std::ops::Range;

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, Encoding, FunctionBody,
    Instance, MemoryType, Operator, Parser, Payload, TableType, Validator, WasmFeatures,
};

use super::{InspectError, Part, Parts};

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
    pub(super) parts: Parts,
}

/// How many instances the making of one instance makes in total. A component that makes ten instances of a component
/// that makes ten, and so on, is small in bytes but endless to compile, since each instance is written out.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    modules: u64,
    components: u64,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.modules = self.modules.saturating_add(other.modules);
        self.components = self.components.saturating_add(other.components);
    }
}

/// A module or component that is being read.
struct Scope {
    encoding: Encoding,
    /// What making one instance of it makes.
    weight: Weight,
    /// The components that it can name, by index.
    components: Vec<Weight>,
}

struct Walk {
    walked: Walked,
    scopes: Vec<Scope>,
}

/// Reads every section. The validator sees each section too, so names and indices can be relied on here. It is only
/// shown sections that have passed the bounds.
pub(super) fn walk(bytes: &[u8]) -> Result<Walked, InspectError> {
    // All released features. The engine decides which of them are on, and refuses the others when it compiles.
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    let mut walk = Walk { walked: Walked::default(), scopes: Vec::new() };
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        walk.bound(&payload)?;
        validator.payload(&payload).map_err(malformed)?;
        walk.read(payload)?;
    }
    Ok(walk.walked)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn malformed(error: wasmparser::Error) -> InspectError {
    InspectError::NotAComponent(ta_bot_core::cut(&error.to_string(), super::MOST_WORDS).into_owned())
}

impl Walk {
    fn add(&mut self, part: Part, more: u32) -> Result<(), InspectError> {
        self.walked.parts.add(part, u64::from(more))
    }

    /// Counts the entries that a section claims to hold, before anything reads them.
    fn bound(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { .. } => self.walked.parts.raise(Part::Nesting, self.scopes.len() as u64),
            Payload::ModuleSection { .. } => self.add(Part::Modules, 1),
            Payload::ComponentSection { .. } => self.add(Part::Components, 1),
            Payload::TypeSection(section) => self.types(section.count(), &section.range()),
            Payload::CoreTypeSection(section) => self.types(section.count(), &section.range()),
            Payload::ComponentTypeSection(section) => self.types(section.count(), &section.range()),
            Payload::ImportSection(section) => self.add(Part::Imports, section.count()),
            Payload::ComponentImportSection(section) => self.add(Part::Imports, section.count()),
            Payload::ExportSection(section) => self.add(Part::Exports, section.count()),
            Payload::ComponentExportSection(section) => self.add(Part::Exports, section.count()),
            Payload::FunctionSection(section) => self.add(Part::Functions, section.count()),
            Payload::MemorySection(section) => self.add(Part::Memories, section.count()),
            Payload::TableSection(section) => self.add(Part::Tables, section.count()),
            Payload::InstanceSection(section) => self.add(Part::Items, section.count()),
            Payload::ComponentInstanceSection(section) => self.add(Part::Items, section.count()),
            Payload::ComponentAliasSection(section) => self.add(Part::Items, section.count()),
            Payload::ComponentCanonicalSection(section) => self.add(Part::Items, section.count()),
            Payload::GlobalSection(section) => self.add(Part::Items, section.count()),
            Payload::TagSection(section) => self.add(Part::Items, section.count()),
            Payload::ElementSection(section) => self.add(Part::Items, section.count()),
            Payload::DataSection(section) => self.add(Part::Items, section.count()),
            Payload::CodeSectionStart { size, .. } => self.add(Part::Code, *size),
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                self.walked.parts.raise(Part::LargestFunction, range.end.saturating_sub(range.start) as u64)?;
                self.function(body)
            }
            _ => Ok(()),
        }
    }

    /// Counts the types of a section, and their bytes.
    fn types(&mut self, count: u32, range: &Range<usize>) -> Result<(), InspectError> {
        self.add(Part::Types, count)?;
        self.walked.parts.add(Part::TypeBytes, range.len() as u64)
    }

    /// Counts what makes a function slow to compile.
    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), InspectError> {
        let (mut branches, mut loops) = (0, 0);
        let mut operators = body.get_operators_reader().map_err(malformed)?;
        while !operators.eof() {
            match operators.read().map_err(malformed)? {
                Operator::Loop { .. } => loops += 1,
                Operator::Block { .. } | Operator::If { .. } | Operator::BrIf { .. } => branches += 1,
                Operator::BrTable { targets } => branches += u64::from(targets.len()),
                _ => {}
            }
        }
        let parts = &mut self.walked.parts;
        parts.raise(Part::Branches, branches)?;
        parts.raise(Part::Loops, loops)?;
        parts.add(Part::AllLoops, loops)
    }

    /// Reads the content of a section.
    fn read(&mut self, payload: Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.scopes.push(Scope { encoding, weight: Weight::default(), components: Vec::new() });
            }
            Payload::End(_) => self.leave()?,
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory(&memory.map_err(malformed)?)?;
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.table(&table.map_err(malformed)?.ty)?;
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    if matches!(instance.map_err(malformed)?, Instance::Instantiate { .. }) {
                        self.makes(Weight { modules: 1, components: 0 })?;
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    self.instance(&instance.map_err(malformed)?)?;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(malformed)?;
                    self.name(import.ty.kind(), import.name.name, true)?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.map_err(malformed)?;
                    // An export gives the component one more index.
                    if export.kind == ComponentExternalKind::Component {
                        let weight = self.component(0, export.index);
                        self.know(weight);
                    } else {
                        self.name(export.kind, export.name.name, false)?;
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias.map_err(malformed)?)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Handles the end of a module or component.
    fn leave(&mut self) -> Result<(), InspectError> {
        let Some(scope) = self.scopes.pop() else { return Ok(()) };
        if scope.encoding == Encoding::Component {
            if self.scopes.is_empty() {
                let parts = &mut self.walked.parts;
                parts.raise(Part::ModuleInstances, scope.weight.modules)?;
                parts.raise(Part::ComponentInstances, scope.weight.components)?;
            }
            self.know(scope.weight);
        }
        Ok(())
    }

    /// Records one more component that the current component can name.
    fn know(&mut self, weight: Weight) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.components.push(weight);
        }
    }

    /// The weight of the component at `index`, `outwards` scopes further out.
    fn component(&self, outwards: u32, index: u32) -> Weight {
        let scope = self.scopes.iter().rev().nth(outwards as usize);
        // The validator has checked that it is there.
        scope.and_then(|scope| scope.components.get(index as usize)).copied().unwrap_or_default()
    }

    /// Records that the current component makes instances. If that component is never instantiated itself, they do not
    /// count for the components around it.
    fn makes(&mut self, weight: Weight) -> Result<(), InspectError> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        scope.weight.add(weight);
        let Weight { modules, components } = scope.weight;
        // A single component must not exceed the bounds either. This also ends the sums early.
        self.walked.parts.raise(Part::ModuleInstances, modules)?;
        self.walked.parts.raise(Part::ComponentInstances, components)
    }

    fn instance(&mut self, instance: &ComponentInstance<'_>) -> Result<(), InspectError> {
        let mut weight = Weight { modules: 0, components: 1 };
        if let ComponentInstance::Instantiate { component_index, .. } = instance {
            weight.add(self.component(0, *component_index));
        }
        self.makes(weight)
    }

    /// Checks an import or export of the current component, and records its name if that is the outermost component.
    fn name(&mut self, kind: ComponentExternalKind, name: &str, import: bool) -> Result<(), InspectError> {
        if import && kind == ComponentExternalKind::Component {
            return Err(unweighed());
        }
        if self.scopes.len() == 1 {
            self.walked.parts.add(Part::NameBytes, name.len() as u64)?;
            let names = if import { &mut self.walked.imports } else { &mut self.walked.exports };
            names.push(name.to_owned());
        }
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) -> Result<(), InspectError> {
        match alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                let weight = self.component(*count, *index);
                self.know(weight);
                Ok(())
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => Err(unweighed()),
            _ => Ok(()),
        }
    }

    fn memory(&mut self, memory: &MemoryType) -> Result<(), InspectError> {
        let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
        self.walked.parts.add(Part::Memory, memory.initial.saturating_mul(page))
    }

    fn table(&mut self, table: &TableType) -> Result<(), InspectError> {
        self.walked.parts.add(Part::TableEntries, table.initial)
    }
}

/// The refusal of a component that is passed to a component: its instances can't be counted before it is there.
fn unweighed() -> InspectError {
    InspectError::NotAComponent(
        "it hands a component to a component, whose instances can't be counted before they are made: link it otherwise"
            .to_owned(),
    )
}
